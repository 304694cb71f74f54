// The producers' side of the queues: takes jobs for the queues it was told, watches these from a thread of its own, and
// sheds while one is older than its bound (age_gate.h). Thread-safe.
//
// Exports jobs_accepted_total{queue}, jobs_shed_total{queue} and what queue_metrics.h does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workload/jobs/open_queue.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

struct IntakeOptions {
  std::string queue = "jobs";        // Where jobs go that name none.
  std::string more_queues;           // A,B,C: others that may be named.
  double max_queue_age_seconds = 0;  // 0: never sheds.
  TransportOptions transport;
};
void add_intake_flags(FlagSet& flags, IntakeOptions& options);

class JobIntake {
 public:
  // kInvalid names the flag.
  static Result<std::unique_ptr<JobIntake>> start(const IntakeOptions& options, const RedisOptions& redis,
                                                  prometheus::Registry& registry);
  virtual ~JobIntake() = default;

  // One more queue, of a family's own, which clients may not name. Before the first put.
  virtual void add_queue(const std::string& queue) = 0;
  // Whether clients may name it.
  virtual bool is_open(const std::string& queue) const = 0;
  // The error of a put that would be shed now, for a caller that has other things to write first.
  virtual Result<void> admits(const std::string& queue) = 0;
  // `redis` is the calling thread's own. False if a job of that id was put in before. kNotFound: not one of the queues.
  // kTooManyRequests, with retry_after: shed, or the queue is at its bound.
  virtual Result<bool> put(RedisConnection& redis, const std::string& queue, const Job& job) = 0;
};

}  // namespace scalableapp::workload
