#include "workload/apps/answer.h"

#include <nlohmann/json.hpp>

namespace scalableapp::workload {

HttpResponse json_answer(int status, const nlohmann::json& body) {
  return {status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

}  // namespace scalableapp::workload
