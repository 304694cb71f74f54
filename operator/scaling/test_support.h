// Apps, pods and readings for the tests of scaling/, and Timeline, which plays decisions one after
// the other as a controller does: it keeps the history and acts on every decision.
#pragma once

#include <fmt/format.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "operator/scaling/decide.h"

namespace scalableapp::scaling::test {

inline constexpr WallTime kNow{seconds{1'800'000'000}};
inline constexpr WallTime kLongAgo{seconds{1'700'000'000}};
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline api::MetricSpec metric(std::string name, api::MetricType type, double target,
                              api::TargetType target_type = api::TargetType::kValue) {
  api::MetricSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.target = target;
  spec.target_type = target_type;
  return spec;
}
inline api::MetricSpec cpu(double target = 0.6) {
  return metric("cpu", api::MetricType::kCpu, target);
}
inline api::MetricSpec latency(double target = 0.2) {
  return metric("latency", api::MetricType::kLatency, target);
}
inline api::MetricSpec backlog(double target = 20) {
  return metric("backlog", api::MetricType::kQueueLength, target, api::TargetType::kAverageValue);
}
// Its reading is the number of replicas that it asks for.
inline api::MetricSpec needed(std::string name = "needed") {
  return metric(std::move(name), api::MetricType::kPrometheus, 1, api::TargetType::kAverageValue);
}

inline api::ScalingRules rules(int window, std::vector<api::ScalingPolicy> policies,
                               api::SelectPolicy select = api::SelectPolicy::kMax,
                               double tolerance = 0.1) {
  return {window, select, std::move(policies), tolerance};
}
inline api::ScalingPolicy percent(int value, int period) {
  return {api::PolicyType::kPercent, value, period};
}
inline api::ScalingPolicy pods(int value, int period) {
  return {api::PolicyType::kPods, value, period};
}
// HPA v2's documented defaults.
inline api::Behavior hpa_behavior() {
  return {rules(0, {percent(100, 15), pods(4, 15)}), rules(300, {percent(100, 15)})};
}
// Nothing between what the metrics ask for and [min, max].
inline api::Behavior unlimited_behavior() { return {rules(0, {}), rules(0, {})}; }

inline api::ScalableAppSpec app(std::vector<api::MetricSpec> metrics,
                                api::Behavior behavior = unlimited_behavior(), int min = 1,
                                int max = 1000) {
  api::ScalableAppSpec spec;
  spec.min_replicas = min;
  spec.max_replicas = max;
  spec.metrics = std::move(metrics);
  spec.behavior = std::move(behavior);
  return spec;
}

inline PodState serving_pod(int index, double request = 0.1) {
  PodState pod;
  pod.name = fmt::format("pod-{}", index);
  pod.serving = pod.containers_ready = true;
  pod.ready_since = pod.started_at = kLongAgo;
  pod.cpu_request_cores = request;
  return pod;
}
inline PodState starting_pod(int index) {
  PodState pod = serving_pod(index);
  pod.serving = pod.containers_ready = false;
  pod.pending = true;
  pod.ready_since.reset();
  return pod;
}

inline MetricReading reading(std::string name, double value, milliseconds age = seconds{1}) {
  MetricReading result;
  result.name = std::move(name);
  result.value = value;
  result.age = age;
  return result;
}
inline MetricReading missing(std::string name, std::string why = "Prometheus: connection refused") {
  MetricReading result;
  result.name = std::move(name);
  result.missing = std::move(why);
  return result;
}
inline MetricReading idle(std::string name) {
  MetricReading result;
  result.name = std::move(name);
  result.age = seconds{1};
  result.idle = true;
  return result;
}

// `serving` pods, then `starting` ones; the app asks for all of them unless told otherwise.
inline Observation observe(int serving, std::vector<MetricReading> readings, int starting = 0) {
  Observation observation;
  observation.current_replicas = serving + starting;
  for (int i = 0; i < serving; ++i) observation.pods.push_back(serving_pod(i));
  for (int i = 0; i < starting; ++i) observation.pods.push_back(starting_pod(serving + i));
  observation.readings = std::move(readings);
  observation.observing_since = kLongAgo;
  return observation;
}

class Timeline {
 public:
  Timeline(api::ScalableAppSpec app_spec, int start) : spec(std::move(app_spec)), replicas(start) {}

  // Decides with these readings `second` seconds after kNow, and acts.
  Decision at(int second, std::vector<MetricReading> readings) {
    Observation observation = observe(replicas, std::move(readings));
    observation.observing_since = observing_since;
    observation.rollout_in_flight = rollout_in_flight;
    Decision decision = decide(kNow + seconds{second}, spec, observation, history);
    history = decision.history;
    if (!spec.paused && !spec.dry_run) replicas = decision.replicas;
    return decision;
  }
  Decision at(int second, double count) { return at(second, {reading("needed", count)}); }

  api::ScalableAppSpec spec;
  int replicas;
  api::ScalingHistory history;
  WallTime observing_since = kLongAgo;
  bool rollout_in_flight = false;
};

// "A sentence, with 10 % in it." -> ASentenceWith10InIt, as gtest wants the names of rows.
inline std::string row_name(std::string_view sentence) {
  std::string name;
  bool upper = true;
  for (const char c : sentence) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9')) {
      name += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      upper = false;
    } else {
      upper = true;
    }
  }
  return name;
}

}  // namespace scalableapp::scaling::test
