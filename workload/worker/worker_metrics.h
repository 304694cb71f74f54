// The worker's metrics by name, so that the rest of it needs to know nothing of prometheus-cpp. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "workload/jobs/transport.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

enum class WorkerEvent {
  kProcessed,  // jobs_processed_total
  kRepeated,   // jobs_repeated_total: done, but somebody else had taken it over or done it
  kReturned,   // jobs_returned_total: put back at the stop
  kReclaimed,  // jobs_reclaimed_total: was a dead worker's
  kRetried,    // jobs_retried_total: failed, to be tried again
  kDead,       // jobs_dead_total: went to the dead letters
  kMalformed,  // jobs_malformed_total: those of the dead that were no jobs
  kHeldBack,   // jobs_held_back_total: done, but the next stage's queue was full
  kQueueError  // redis_errors_total
};

class WorkerMetrics {
 public:
  explicit WorkerMetrics(prometheus::Registry& registry);
  ~WorkerMetrics();

  void count(WorkerEvent event);
  void began();
  void ended();
  int in_progress() const;
  void took(double seconds_count);
  void was_old(double seconds_count);
  void show_queue(const std::string& queue, const std::optional<Backlog>& backlog);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace scalableapp::workload
