// One thread of a worker: claims a job, works on it, tells the queue how it ended; again, until it is asked to stop.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "workload/common/redis.h"
#include "workload/jobs/handlers.h"
#include "workload/worker/options.h"
#include "workload/worker/worker_metrics.h"

namespace scalableapp::workload {

// What all slots of a worker share; must outlive them.
struct SlotParts {
  const WorkerOptions& options;
  RedisOptions redis;
  Queues* queues = nullptr;
  JobHandler handler;
  WorkerMetrics& metrics;
  std::function<void(const Error&)> failed;  // A call to the queue did; from any slot.
  std::stop_token claiming;                  // Asked to stop: claims nothing more.
  std::stop_token working;                   // Asked to stop: gives the job in work back.
};

// Returns when asked to stop claiming. Never gives a job up without telling the queue; if that does not answer, the job
// stays claimed, and another worker takes it over.
void run_slot(const SlotParts& parts, const std::string& consumer);

}  // namespace scalableapp::workload
