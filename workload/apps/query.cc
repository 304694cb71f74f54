#include "workload/apps/query.h"

namespace scalableapp::workload {

Result<std::string> user_of(const HttpRequest& request) {
  const auto user = request.query.find("user");
  if (user == request.query.end() || user->second.empty() || user->second.size() > 64) {
    return fail(ErrorCode::kInvalid, "user: must be in the query and have 1 to 64 characters");
  }
  return user->second;
}

}  // namespace scalableapp::workload
