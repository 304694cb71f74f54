// Answers in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "workload/common/http_server.h"

namespace scalableapp::workload {

// Bytes of a client that are no UTF-8 are replaced.
HttpResponse json_answer(int status, const nlohmann::json& body);

}  // namespace scalableapp::workload
