// One metric -> the replica count it asks for, by HPA v2's documented algorithm
// (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details"). Pure.
//
//   CPU            ratio = cores used / cores requested / target, over the serving pods that have a
//                  sample; proposal = ceil(ratio * number of those pods)
//   kValue         ratio = value / target; proposal = ceil(ratio * serving pods)
//   kAverageValue  ratio = total / (target * current); proposal = ceil(total / target)
//
// Within [1 - scaleDown.tolerance, 1 + scaleUp.tolerance] the proposal is the current count. For
// CPU, pods without a sample count as 100 % of the target on the way down and 0 on the way up, pods
// that do not serve yet as 0 on the way up; a ratio that flips by that proposes the current count.
// No proposal goes against its ratio's direction, and only a total proposes 0: with no pod left
// there would be no ratio to come back by.
//
// A value that is absent, NaN, infinite, negative or too old is missing, never 0.
#pragma once

#include <optional>
#include <string>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// For so long after its start a pod's CPU sample counts only if its whole window lies after the pod
// became ready: start-up work is no load (HPA's default cpu-initialization-period).
inline constexpr seconds kCpuInitializationPeriod{300};

struct Signal {
  const api::MetricSpec* metric = nullptr;  // Never null; must outlive the signal.
  std::optional<int> proposal;              // Unset: missing.
  std::optional<double> value;  // In the target's unit (CPU: utilization of the request).
  double ratio = 0;             // Of value to target; only with a value.
  bool within_tolerance = false;
  bool idle = false;     // No traffic: proposes the minimum, at least 1.
  bool waiting = false;  // Missing only because no pod serves yet.
  std::optional<milliseconds> age;
  std::string missing;  // Why there is no proposal.
};

// The value is the app's total, to be shared by its replicas.
bool is_total(const api::MetricSpec& metric);

// Past this age a reading is stale: three missed rounds, or the rate window and 5 s for the scrape,
// whichever is longer.
milliseconds stale_after(const api::MetricSpec& metric, int interval_seconds);

// reading: the one of this metric; null if there is none.
Signal evaluate(WallTime now, const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
                const MetricReading* reading, const Observation& observation);

}  // namespace scalableapp::scaling
