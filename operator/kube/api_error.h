// What an API server's refusal means: its HTTP status and metav1.Status body as an Error. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "operator/base/result.h"
#include "operator/kube/transport.h"

namespace scalableapp::kube {

// For a response that is not 2xx. `doing` opens the message: "PATCH pods default/web-1". The
// message carries the server's own words and its reason, e.g. "(AlreadyExists, HTTP 409)".
//
// 400 405 406 413 415 422  kInvalid; the fields that the server named are in the message
// 401, 403, 404            kUnauthorized, kForbidden, kNotFound
// 408, 504                 kTimeout: it may have been carried out
// 409                      kAlreadyExists if that is the reason, else kConflict
// 410                      kGone; so is "resource version too large" (etcd was restored)
// 429                      kTooManyRequests; retry_after from the header or the Status
// other 5xx                kUnavailable
Error error_of_response(const HttpResponse& response, std::string_view doing);

// The same for a Status object, as ERROR events of a watch carry it.
Error error_of_status(const nlohmann::json& status, std::string_view doing);

}  // namespace scalableapp::kube
