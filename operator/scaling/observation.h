// What is known about one app at the moment of a decision: its size, its pods, its metric readings.
// Plain values, filled by the caller (controller, simulator, a recorded case); nothing in scaling/
// asks for anything else. Thread-compatible.
#pragma once

#include <algorithm>
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
  bool set_aside = false;  // Taken out of service by the operator itself: its load says nothing.
  std::optional<WallTime> ready_since;
  std::optional<WallTime> unready_since;  // Of a pod that does not serve: when Ready was last so.
  std::optional<WallTime> created;
  std::optional<WallTime> started_at;
  double cpu_request_cores = 0;  // 0: none set.
  bool operator==(const PodState&) const = default;
};

// What one pod did over the window of a Latency metric.
struct PodLoad {
  double requests_per_second = 0;  // Finished.
  double errors_per_second = 0;    // Of those, the ones that failed (5xx).
  double concurrency = 0;          // Mean number in progress: busy seconds per second (Little's law).
  std::optional<double> quantile_seconds;
  bool operator==(const PodLoad&) const = default;
};

// How short the window of arrivals_per_second is beside the metric's own: a third, which scraping every
// other second allows.
inline int arrivals_window_seconds(int window_seconds) {
  return std::max(2, (window_seconds + 2) / 3);
}

// The latest answer for one metric of the spec, told by name. With neither value, per_pod nor idle
// the metric is missing.
struct MetricReading {
  std::string name;
  // In the unit of MetricSpec::target: seconds, jobs in the queue, the query's own. For
  // kAverageValue the total over the app. CPU uses per_pod instead.
  std::optional<double> value;
  std::map<std::string, double> per_pod;  // CPU: cores used, by pod name; averaged over the window.
  std::map<std::string, PodLoad> loads;   // Latency with its built-in query, by pod name.
  // Latency: requests in the app now, waiting or served. QueueLength has them in value.
  std::optional<double> in_flight;
  // Arrivals, 1/s: QueueLength jobs put into the queue; Latency requests over a window as short as
  // scraping allows. Unset: not known.
  std::optional<double> arrivals_per_second;
  std::optional<double> completions_per_second;  // QueueLength: jobs done by all replicas.
  milliseconds age{0};                    // Of the sample, at the time of the decision.
  // Why there is no value, for a person; beside a value: why there is no newer one. That value
  // counts until it is stale (signal.h).
  std::string missing;
  bool idle = false;  // The query succeeded and there was no traffic in its window (Latency).
  bool operator==(const MetricReading&) const = default;
};

// The load that is expected at `at`, in the metric's own measure of load: requests a second for
// Latency, cores for CPU, jobs a second for QueueLength with drainSeconds, else the total for
// QueueLength and AverageValue.
struct Forecast {
  std::string metric;
  WallTime at{};
  double expected = 0;
  double error = 0;  // Mean error of such forecasts in the past, as a share of the load.
  std::string basis;  // For a person: "the same time last week".
  bool operator==(const Forecast&) const = default;
};
// A schedule whose window the decision lies in.
struct ActiveSchedule {
  std::string name;
  std::optional<int> min_replicas;
  std::optional<int> max_replicas;
  bool operator==(const ActiveSchedule&) const = default;
};

struct Observation {
  // What is asked for: the sum of spec.replicas over the live ReplicaSets; pods are never counted,
  // because they lag behind (kubernetes/kubernetes#90461).
  int current_replicas = 0;
  std::vector<PodState> pods;
  std::vector<MetricReading> readings;
  std::vector<Forecast> forecasts;
  std::vector<ActiveSchedule> schedules;
  std::string expected_load;  // The text of api::kExpectLoadAnnotation; empty: none.
  bool rollout_in_flight = false;
  // Since when the API server refuses pods that are wanted (a quota, say).
  std::optional<WallTime> pods_refused_since;
  std::string revision;  // That was last rolled out completely; empty: not known.
  // When this process began to observe the app. Unset: for as long as the history reaches back.
  std::optional<WallTime> observing_since;
  bool operator==(const Observation&) const = default;
};

}  // namespace scalableapp::scaling
