// What a Prometheus beside the pods would say: it knows a pod only by scrapes, a rate needs two of
// them within its window and is extrapolated to the window's edges, a quantile is linear within a
// histogram's bucket (prometheus.io/docs/prometheus/latest/querying/functions: rate,
// histogram_quantile). A pod that is gone stays in the windows that its last scrapes lie in.
// Not thread-safe.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"
#include "operator/simulation/fleet.h"

namespace scalableapp::simulation {

// The pods of an app: one fleet, or one for each revision.
using Fleets = std::span<const Fleet* const>;

class MetricsModel {
 public:
  // keep: the longest window that will be asked for.
  MetricsModel(milliseconds scrape, milliseconds keep) : scrape_(scrape), keep_(keep) {}

  // Scrapes what is due; every tick. A queue is that of the first fleet.
  void scrape(milliseconds now, std::span<Fleet* const> fleets);

  // Requests finished a second, over all pods.
  double requests_per_second(milliseconds now, Fleets fleets, milliseconds window) const;
  // What the pods of one revision did within the window, as increase() would tell it.
  api::RevisionEvidence evidence(milliseconds now, const Fleet& fleet, milliseconds window) const;
  // Of the last scrape; unset before the first.
  std::optional<double> queue_length() const;
  milliseconds last_queue_scrape() const { return queue_.empty() ? kNever : queue_.back().at; }

  // The reading of a built-in metric (not Prometheus, whose values the trace has). `reading` is
  // reused from one decision to the next.
  void read(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
            scaling::MetricReading& reading) const;

 private:
  struct Range {
    const Sample* first;
    const Sample* last;
    double factor;  // Rate = difference * factor.
  };
  struct QueueSample {
    milliseconds at{};
    std::int64_t length = 0;
  };
  void scrape_pod(milliseconds now, const Fleet& fleet, Pod& pod) const;
  std::optional<Range> range_of(const Pod& pod, milliseconds now, milliseconds window) const;
  void read_latency(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                    scaling::MetricReading& reading) const;
  void read_cpu(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                scaling::MetricReading& reading) const;
  void read_queue(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                  scaling::MetricReading& reading) const;

  const milliseconds scrape_;
  const milliseconds keep_;
  std::vector<QueueSample> queue_;
  milliseconds next_queue_scrape_{0};
};

// histogram_quantile over rates (or counts) by bucket; unset if all are 0.
std::optional<double> histogram_quantile(double quantile,
                                         const std::array<double, kBuckets>& buckets);

// The factor that makes a counter's difference over `covered` (first to last of `samples` scrapes)
// a rate over the whole window. to_first, to_last: from the window's edges to these scrapes.
// first_value and difference: a counter is not taken to have been below 0.
double extrapolation(double window, double covered, int samples, double to_first, double to_last,
                     double first_value, double difference);

}  // namespace scalableapp::simulation
