// decide(): how many replicas an app should have, and why. Pure and deterministic: the same
// arguments give the same bytes. Does no IO, reads no clock, does not act.
//
// The pipeline, in this order; each step that changes the number is listed in Decision::steps, and
// its name in Decision::clamps:
//   metrics         every metric proposes a count, the highest wins (signal.h, combine.h)
//   forecast        up to what the load expected by the time a pod would be warm needs (warm_up.h)
//   expectedLoad    up to what somebody expects to be needed (expected_load.h)
//   missingMetrics  with any metric missing the result is not under the current count
//   override        spec.replicas.override within [1, max] ends the pipeline, until overrideUntil
//   stabilization   down only to the highest recommendation of the scaleDown window, up only to the
//                   lowest of the scaleUp window (stabilize.h)
//   restartHold     a process that has just begun to observe the app does not scale down
//   burst           no scale-down until the last burst is spec.burst.windowSeconds ago; on the way up
//                   a burst skips stabilization and policies
//   recovery        after a fallback down by at most 10 % per 15 s
//   scaleUpPolicy, scaleDownPolicy   at most so many per period (limits.h)
//   rolloutHold     no scale-down while a rollout is in flight
//   idle, scaleToZero                with min 0: to zero only after spec.scaleToZero.idleSeconds, and
//                   then at once
//   minReplicas, maxReplicas, scheduledMin, scheduledMax   always hold, whatever came before
//
// What no count can mend, a degrade level may (brownout.h): it is kept in Decision::history.
//
// Decision::reason is one of:
//   MetricAboveTarget   up to what the metrics need
//   Burst               the same, in a burst
//   MetricBelowTarget   down to what the metrics need
//   WithinTolerance     every metric is near its target
//   NoChangeNeeded      the metrics need the current count
//   NoMetrics           spec.metrics is empty
//   MetricsUnavailable  no metric has a value
//   WaitingForPods      no pod serves yet, so nothing can be measured
// or, if a step changed the number, the last one's:
//   Forecast, ExpectedLoad, PartialMetrics (or WaitingForPods), ManualOverride, Stabilizing, Restarted,
//   Burst, Recovering, LimitedByPolicy, RolloutHold, WaitingForIdle, Idle, AtMinReplicas,
//   AtMaxReplicas, Scheduled
//
// Where this is stricter than HPA v2: the history outlives a restart, and a restarted operator does
// not scale down before it has seen enough; while metrics are missing the current count is recorded
// as the recommendation, so that a returning metric waits for a whole window before it scales down;
// nothing is scaled down in a rollout; a fallback only adds. Where it differs: an app at 0 whose minimum
// is not comes back (HPA pauses); idleSeconds takes the place of the window for the step to zero; a count outside
// [min, max] goes to what the metrics need within them, not just to the bound.
#pragma once

#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

struct Step {
  std::string name;
  int before = 0;
  int after = 0;
  std::string detail;  // For a person: "the 30s stabilization window".
  bool operator==(const Step&) const = default;
};

// A pod that is much slower or fails much more often than the others.
struct Outlier {
  std::string pod;
  std::string why;     // For a person: "p99 1.2s while the others have 90ms".
  bool eject = false;  // To be taken out of service: spec.outliers.action and the share allow it.
  bool operator==(const Outlier&) const = default;
};

struct Decision {
  int from = 0;      // Observation::current_replicas.
  int replicas = 0;  // In [min, max]; in [1, max] with an override.
  std::string reason;
  std::string message;  // One sentence; see explain.h.
  std::vector<Step> steps;
  std::vector<api::MetricStatus> metrics;  // In the order of spec.metrics.
  std::vector<std::string> clamps;
  std::vector<Outlier> outliers;  // By pod name.
  // ScalingActive, ScalingLimited, MetricsAvailable; with a built-in Latency LatencyNotCapacityBound
  // and PodOutliers, with prediction PredictionActive, with min 0 ScaledToZero, with brownout Brownout,
  // with an expected load ExpectedLoad. Times and generation
  // are left to the caller.
  std::vector<api::Condition> conditions;
  // To be passed to the next decide(). With paused or dry_run it holds no event of this decision,
  // because nobody acts on it.
  api::ScalingHistory history;
  // A restart would lose something with the history as it was before: worth a write of status.
  // False while the same recommendation merely goes on.
  bool history_changed_materially = false;
  bool in_burst = false;
  bool operator==(const Decision&) const = default;
};

// A process never scales down in its first moments: for the scaleDown stabilization window, but at
// least kMinRestartHold (its metrics must have settled) and at most kMaxRestartHold (the rest of
// the window is in the history).
inline constexpr seconds kMinRestartHold{10};
inline constexpr seconds kMaxRestartHold{60};

// Expects a spec without problems: 0 <= min <= max, targets > 0, metric names unique.
Decision decide(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                const api::ScalingHistory& history);

}  // namespace scalableapp::scaling
