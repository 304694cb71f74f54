// What is known about one app at the moment of a decision: its size, its pods, its metric readings.
// Plain values, filled by the caller (controller, simulator, a recorded case); nothing in scaling/
// asks for anything else. Thread-compatible.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/time.h"

namespace scalableapp::scaling {

struct PodState {
  std::string name;
  bool serving = false;  // Ready (so warm, where the gate is used) and not terminating.
  bool containers_ready = false;
  bool terminating = false;
  bool finished = false;  // Phase Succeeded or Failed.
  bool pending = false;   // Phase Pending.
  std::optional<WallTime> ready_since;
  std::optional<WallTime> started_at;
  double cpu_request_cores = 0;  // 0: none set.
  bool operator==(const PodState&) const = default;
};

// The latest answer for one metric of the spec, told by name. With neither value, per_pod nor idle
// the metric is missing.
struct MetricReading {
  std::string name;
  // In the unit of MetricSpec::target: seconds, jobs in the queue, the query's own. For
  // kAverageValue the total over the app. CPU uses per_pod instead.
  std::optional<double> value;
  std::map<std::string, double> per_pod;  // CPU: cores used, by pod name; averaged over the window.
  milliseconds age{0};                    // Of the sample, at the time of the decision.
  // Why there is no value, for a person; beside a value: why there is no newer one. That value
  // counts until it is stale (signal.h).
  std::string missing;
  bool idle = false;  // The query succeeded and there was no traffic in its window (Latency).
  bool operator==(const MetricReading&) const = default;
};

struct Observation {
  // What is asked for: the sum of spec.replicas over the live ReplicaSets; pods are never counted,
  // because they lag behind (kubernetes/kubernetes#90461).
  int current_replicas = 0;
  std::vector<PodState> pods;
  std::vector<MetricReading> readings;
  bool rollout_in_flight = false;
  // When this process began to observe the app. Unset: for as long as the history reaches back.
  std::optional<WallTime> observing_since;
  bool operator==(const Observation&) const = default;
};

}  // namespace scalableapp::scaling
