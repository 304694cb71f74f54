#include "workload/apps/jobs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/common/instant.h"
#include "workload/common/random_id.h"
#include "workload/jobs/intake.h"

namespace scalableapp::workload {
namespace {

class Jobs final : public RouteFamily {
 public:
  explicit Jobs(const AppParts& parts) : queue_(parts.queue), intake_(*parts.jobs) {}

  std::vector<Route> routes() override {
    return {{"POST", "/jobs", Priority::kCritical, [this](Call& call) { return accept(call, queue_); }},
            {"POST", "/jobs/*", Priority::kCritical, [this](Call& call) { return accept(call, call.tail); }}};
  }

 private:
  Result<HttpResponse> accept(Call& call, const std::string& queue) {
    if (!intake_.is_open(queue)) return fail(ErrorCode::kNotFound, "no such queue; --job-queues names those there are");
    std::string id(call.request.header("Idempotency-Key"));
    if (id.size() > kMaxJobIdBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("Idempotency-Key must have at most {} characters", kMaxJobIdBytes));
    }
    if (id.empty()) id = random_id();
    const auto put = intake_.put(call.redis, queue, {id, call.request.body, wall_now()});
    if (!put) return tl::unexpected(put.error());
    return json_answer(202, {{"id", id}});
  }

  const std::string queue_;
  JobIntake& intake_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_jobs(const AppParts& parts) { return std::make_unique<Jobs>(parts); }

}  // namespace scalableapp::workload
