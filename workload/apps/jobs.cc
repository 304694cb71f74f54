#include "workload/apps/jobs.h"

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/common/instant.h"
#include "workload/common/job_queue.h"
#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

class Jobs final : public RouteFamily {
 public:
  explicit Jobs(const AppParts& parts)
      : queue_(parts.queue),
        accepted_(prometheus::BuildCounter()
                      .Name("jobs_accepted_total")
                      .Help("Jobs put into the queue.")
                      .Register(parts.registry)
                      .Add({})) {}

  std::vector<Route> routes() override {
    return {{"POST", "/jobs", Priority::kCritical, [this](Call& call) { return accept(call); }}};
  }

 private:
  Result<HttpResponse> accept(Call& call) {
    std::string id(call.request.header("Idempotency-Key"));
    if (id.size() > 128) {
      return fail(ErrorCode::kInvalid, "Idempotency-Key must have at most 128 characters");
    }
    if (id.empty()) id = random_id();
    const auto put = JobQueue(call.redis, queue_).put({id, wall_now()});
    if (!put) return tl::unexpected(put.error());
    if (*put) accepted_.Increment();
    return json_answer(202, {{"id", id}});
  }

  const std::string queue_;
  prometheus::Counter& accepted_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_jobs(const AppParts& parts) {
  return std::make_unique<Jobs>(parts);
}

}  // namespace scalableapp::workload
