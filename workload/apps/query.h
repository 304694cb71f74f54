// What several families read from a request's query. Pure.
#pragma once

#include <string>

#include "workload/common/http_server.h"

namespace scalableapp::workload {

// ?user=ID; kInvalid unless it has 1 to 64 characters.
Result<std::string> user_of(const HttpRequest& request);

}  // namespace scalableapp::workload
