// Works off a queue of jobs: a number of slots (slot.h), each a thread with a connection of its own. Another thread
// says that they are alive, brings back jobs that are due again and reads the queue's length. Thread-safe.
//
// Admin port: /metrics, /livez, /readyz (the queue was reached once and not stopping), /healthz.
#pragma once

#include <memory>
#include <stop_token>

#include "operator/base/result.h"
#include "workload/jobs/handlers.h"
#include "workload/worker/options.h"

namespace scalableapp::workload {

class Database;

// The table of handlers; the database is the worker's, null without --shards.
using MakeJobHandlers = std::function<JobHandlers(Database*)>;

class Worker {
 public:
  // kInvalid names the flag.
  static Result<std::unique_ptr<Worker>> start(
      const WorkerOptions& options, const MakeJobHandlers& make_handlers = [](Database*) { return plain_handlers(); });
  // Drains if that was not done.
  virtual ~Worker() = default;

  virtual int admin_port() const = 0;
  // Claims nothing more, finishes what is in work within drain_seconds and puts the rest back.
  virtual void drain() = 0;
};

// The whole subcommand: returns when asked to stop and drained.
Result<void> run_worker(const WorkerOptions& options, const MakeJobHandlers& make_handlers, std::stop_token stop);

}  // namespace scalableapp::workload
