// One question to Prometheus' HTTP API. Says whose fault a failure is; reads no answers
// (prometheus_answer.h). Thread-safe as its transport is.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "operator/kube/transport.h"

namespace scalableapp::metrics {

// Text as a value of application/x-www-form-urlencoded.
std::string form_encode(std::string_view text);

// Posts `form` to `path` ("/api/v1/query"); the body of a 2xx answer. kInvalid: the query is wrong,
// or its answer too long; kTimeout: its evaluation took too long; kCancelled; others are about
// Prometheus or the way to it.
Result<std::string> ask_prometheus(kube::HttpTransport& transport, std::string path,
                                   std::string form, std::stop_token stop);

}  // namespace scalableapp::metrics
