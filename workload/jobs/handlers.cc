#include "workload/jobs/handlers.h"

namespace scalableapp::workload {

JobHandlers plain_handlers() {
  return {{"sleep", [](const Job& job, RedisConnection&) -> Result<std::string> { return job.payload; }}};
}

}  // namespace scalableapp::workload
