#include "workload/worker/worker_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <vector>

#include "workload/common/metrics_page.h"
#include "workload/jobs/queue_metrics.h"

namespace scalableapp::workload {
namespace {

struct EventMetric {
  const char* name;
  const char* help;
};

// In the order of WorkerEvent.
constexpr EventMetric kEventMetrics[] = {
    {"jobs_processed_total", "Jobs done."},
    {"jobs_repeated_total", "Jobs done that another worker had taken over."},
    {"jobs_returned_total", "Jobs put back at the stop."},
    {"jobs_reclaimed_total", "Jobs of dead workers taken over."},
    {"jobs_retried_total", "Failed tries of jobs that will be tried again."},
    {"jobs_dead_total", "Jobs that went to the dead letters."},
    {"jobs_malformed_total", "Entries that are no jobs; they went to the dead letters."},
    {"jobs_held_back_total", "Times that the next stage's queue was full."},
    {"redis_errors_total", "Calls to the queue that failed."}};

}  // namespace

struct WorkerMetrics::Families {
  explicit Families(prometheus::Registry& registry)
      : queues(registry),
        in_progress(prometheus::BuildGauge().Name("jobs_in_progress").Help("Jobs in work.").Register(registry).Add({})),
        duration(prometheus::BuildHistogram()
                     .Name("job_duration_seconds")
                     .Help("From the claim of a job to its end.")
                     .Register(registry)
                     .Add({}, latency_buckets())),
        age(prometheus::BuildHistogram()
                .Name("job_age_seconds")
                .Help("From the acceptance of a job by its first stage to its first claim by this one.")
                .Register(registry)
                .Add({}, std::vector<double>{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300})) {
    for (const auto& [name, help] : kEventMetrics) {
      events.push_back(&prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({}));
    }
  }

  QueueMetrics queues;
  std::vector<prometheus::Counter*> events;
  prometheus::Gauge& in_progress;
  prometheus::Histogram& duration;
  prometheus::Histogram& age;
};

WorkerMetrics::WorkerMetrics(prometheus::Registry& registry) : families_(std::make_unique<Families>(registry)) {}
WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::count(WorkerEvent event) { families_->events[static_cast<std::size_t>(event)]->Increment(); }
void WorkerMetrics::began() { families_->in_progress.Increment(); }
void WorkerMetrics::ended() { families_->in_progress.Decrement(); }
int WorkerMetrics::in_progress() const { return static_cast<int>(families_->in_progress.Value()); }
void WorkerMetrics::took(double seconds_count) { families_->duration.Observe(seconds_count); }
void WorkerMetrics::was_old(double seconds_count) { families_->age.Observe(seconds_count); }
void WorkerMetrics::show_queue(const std::string& queue, const std::optional<Backlog>& backlog) {
  families_->queues.show(queue, backlog);
}

}  // namespace scalableapp::workload
