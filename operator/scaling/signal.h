// One metric -> the replica count it asks for, by HPA v2's documented algorithm
// (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details"). Pure.
//
//   CPU            ratio = cores used / cores requested / target, over the serving pods that have a
//                  sample; proposal = ceil(ratio * number of those pods)
//   kValue         ratio = value / target; proposal = ceil(ratio * serving pods)
//   kAverageValue  ratio = total / (target * current); proposal = ceil(total / target)
//
// A Latency metric with loads, unless its model is Ratio, proposes by what a replica can serve
// (capacity_model.h); a QueueLength metric with drainSeconds, once a replica's throughput is known,
// by the time to drain (drain.h).
//
// Within [1 - scaleDown.tolerance, 1 + scaleUp.tolerance] the proposal is the current count. For
// CPU, pods without a sample count as 100 % of the target on the way down and 0 on the way up, pods
// that have not served yet as 0 on the way up; a ratio that flips by that proposes the current count.
// No proposal goes against its ratio's direction, and only a total proposes 0: with no pod left
// there would be no ratio to come back by.
//
// A value that is absent, NaN, infinite, negative or too old is missing, never 0. After
// fallback.failureSeconds a missing metric proposes fallback.replicas, if that is more than there
// are: what is not known is no reason to scale down.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// For so long after its start a pod's CPU sample counts only if its whole window lies after the pod
// became ready: start-up work is no load (HPA's default cpu-initialization-period).
inline constexpr seconds kCpuInitializationPeriod{300};
// A pod that became unready later than so long after its start has been ready before (HPA's default
// initial-readiness-delay).
inline constexpr seconds kInitialReadinessDelay{30};

struct Signal {
  const api::MetricSpec* metric = nullptr;  // Never null; must outlive the signal.
  std::optional<int> proposal;              // Unset: missing.
  std::optional<double> value;  // In the target's unit (CPU: utilization of the request).
  double ratio = 0;             // Of value to target; only with a value.
  bool within_tolerance = false;
  bool idle = false;     // No traffic: proposes the minimum, at least 1.
  bool waiting = false;  // Missing only because no pod serves yet.
  std::optional<milliseconds> age;
  std::string missing;  // Why there is no value.
  bool fallback = false;  // Missing; the proposal is the fallback's.
  // The load in its own measure (observation.h, Forecast), and what of it a replica should carry; 0:
  // not known.
  double load = 0;
  double load_per_replica = 0;
  double most_per_replica = 0;      // Over so much of it the count is raised.
  bool by_capacity = false;         // Latency by its model.
  bool by_drain = false;            // QueueLength by its model.
  bool not_capacity_bound = false;  // More replicas have not helped.
  bool is_idle_total = false;       // A total at or under its activation threshold, to which nothing comes.
  bool activates = false;           // One over it, under its target, with no replica yet.
};

// The value is the app's total, to be shared by its replicas.
bool is_total(const api::MetricSpec& metric);

// The load that the reading tells of, in the measure of its forecasts (observation.h); nothing where
// there is none, or where the metric has none.
std::optional<double> load_of(const api::MetricSpec& metric, const MetricReading& reading);

// Past this age a reading is stale: three missed rounds, or the rate window and 5 s for the scrape,
// whichever is longer.
milliseconds stale_after(const api::MetricSpec& metric, int interval_seconds);

// reading: the one of this metric; null if there is none. memory: the metric's own, brought up to
// now. outliers: names of pods that say nothing of the others, sorted. warm_up_seconds: how long a new
// pod takes; 0: not known.
Signal evaluate(WallTime now, const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
                const MetricReading* reading, const Observation& observation,
                const std::vector<std::string_view>& outliers, double warm_up_seconds,
                api::MetricMemory& memory);

}  // namespace scalableapp::scaling
