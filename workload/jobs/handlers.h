// What a worker does with a job, by name (--handler). Stories add theirs to the table that Worker::start gets.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "workload/common/redis.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

// Gives the payload for the next stage. An error is a failed try, to be repeated later; kInvalid and kDecode say that
// no repetition will help, so the job goes to the dead letters at once. Called from one thread at a time with that
// thread's own connection; must be safe to call twice for a job. Must return within seconds: a stop waits for it.
using JobHandler = std::function<Result<std::string>(const Job&, RedisConnection&)>;
using JobHandlers = std::map<std::string, JobHandler>;

// "sleep": nothing beyond the time and the CPU that --job-ms and --job-cpu-ms name; hands the payload on as it is.
JobHandlers plain_handlers();

}  // namespace scalableapp::workload
