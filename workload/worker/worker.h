// Works off a JobQueue: a number of slots, each a thread with a connection of its own, which claims
// a job, works on it and reports it done. Another thread keeps the slots alive in Redis, reclaims
// the jobs of dead workers and reads the queue's length. Thread-safe.
//
// Admin port: /metrics, /livez, /readyz (Redis was reached once and not stopping), /healthz.
#pragma once

#include <memory>
#include <stop_token>

#include "operator/base/result.h"
#include "workload/worker/options.h"

namespace scalableapp::workload {

class Worker {
 public:
  static Result<std::unique_ptr<Worker>> start(const WorkerOptions& options);
  // Drains if that was not done.
  virtual ~Worker() = default;

  virtual int admin_port() const = 0;
  // Claims nothing more, finishes what is in work within drain_seconds and puts the rest back.
  virtual void drain() = 0;
};

// The whole subcommand: returns when asked to stop and drained.
Result<void> run_worker(const WorkerOptions& options, std::stop_token stop);

}  // namespace scalableapp::workload
