#include "workload/jobs/queue_metrics.h"

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace scalableapp::workload {

QueueMetrics::QueueMetrics(prometheus::Registry& registry)
    : lengths_(prometheus::BuildGauge()
                   .Name("queue_length")
                   .Help("Jobs that wait for a worker.")
                   .Register(registry)),
      ages_(prometheus::BuildGauge()
                .Name("queue_oldest_age_seconds")
                .Help("How long the first of the line has waited.")
                .Register(registry)) {}

void QueueMetrics::show(const std::string& queue, const std::optional<Backlog>& backlog) {
  const std::lock_guard lock(mutex_);
  auto found = known_.find(queue);
  if (!backlog) {
    if (found == known_.end()) return;
    lengths_.Remove(found->second.length);
    ages_.Remove(found->second.age);
    known_.erase(found);
    return;
  }
  if (found == known_.end()) {
    found = known_.emplace(queue, Gauges{&lengths_.Add({{"queue", queue}}), &ages_.Add({{"queue", queue}})}).first;
  }
  found->second.length->Set(static_cast<double>(backlog->waiting));
  found->second.age->Set(backlog->oldest_age_seconds);
}

}  // namespace scalableapp::workload
