#include "operator/scaling/signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace scalableapp::scaling {
namespace {

// Far over any cluster's size, and far from overflow in the sums that follow.
constexpr double kMostReplicas = 1'000'000;
// 0.66 / 0.6 is a hair over 1.1 in binary; such noise must neither leave the tolerance nor cost a
// pod.
constexpr double kRounding = 1e-9;

int ceil_count(double count) {
  return static_cast<int>(
      std::clamp(std::ceil(count - kRounding * std::max(1.0, count)), 0.0, kMostReplicas));
}

// The pod serves, but its sample still covers work of its start.
bool is_initializing(const PodState& pod, WallTime sample_begin, WallTime sample_end) {
  if (!pod.ready_since || !pod.started_at) return false;
  return sample_end < *pod.started_at + kCpuInitializationPeriod && sample_begin < *pod.ready_since;
}

bool is_within_tolerance(double ratio, const api::Behavior& behavior) {
  return ratio >= 1 - behavior.scale_down.tolerance - kRounding &&
         ratio <= 1 + behavior.scale_up.tolerance + kRounding;
}

// The count for `ratio` over `base` replicas, never against the ratio's direction from `current`.
int towards(double ratio, int base, int current) {
  const int count = std::max(1, ceil_count(ratio * base));
  return ratio > 1 ? std::max(count, current) : std::min(count, current);
}

struct Usage {
  double used = 0;
  double requested = 0;
  int pods = 0;
  void add(double cores, double request) {
    used += cores;
    requested += request;
    ++pods;
  }
  double ratio(double target) const { return used / requested / target; }
};

void evaluate_cpu(WallTime now, const api::ScalableAppSpec& spec, const MetricReading& reading,
                  const Observation& observation, Signal& signal) {
  const double target = signal.metric->target;
  const WallTime sample_end = now - reading.age;
  const WallTime sample_begin = sample_end - seconds{signal.metric->window_seconds};
  Usage sampled, unsampled, starting;  // The last two: with the requests they would add.
  for (const PodState& pod : observation.pods) {
    if (pod.terminating || pod.finished) continue;
    if (!pod.serving || is_initializing(pod, sample_begin, sample_end)) {
      starting.add(0, pod.cpu_request_cores);
      continue;
    }
    const auto sample = reading.per_pod.find(pod.name);
    const bool has_sample =
        sample != reading.per_pod.end() && std::isfinite(sample->second) && sample->second >= 0;
    if (!(pod.cpu_request_cores > 0)) {
      signal.missing =
          fmt::format("pod {} has no CPU request: set resources.requests.cpu", pod.name);
      return;
    }
    if (has_sample) {
      sampled.add(sample->second, pod.cpu_request_cores);
    } else {
      unsampled.add(0, pod.cpu_request_cores);
    }
  }
  if (sampled.pods == 0) {
    signal.waiting = unsampled.pods == 0;
    signal.missing = signal.waiting ? "no pod has served for a whole window yet"
                                    : "no sample of any serving pod";
    return;
  }
  const int current = observation.current_replicas;
  signal.value = sampled.used / sampled.requested;
  signal.ratio = sampled.ratio(target);
  signal.proposal = current;
  signal.within_tolerance = is_within_tolerance(signal.ratio, spec.behavior);
  if (signal.within_tolerance) return;

  Usage corrected = sampled;
  const bool up = signal.ratio > 1;
  corrected.used += up ? 0 : unsampled.requested * target;
  corrected.requested += unsampled.requested + (up ? starting.requested : 0);
  corrected.pods += unsampled.pods + (up ? starting.pods : 0);
  const double ratio = corrected.ratio(target);
  if (is_within_tolerance(ratio, spec.behavior) || (ratio > 1) != up) return;
  signal.proposal = towards(ratio, corrected.pods, current);
}

void evaluate_value(const api::ScalableAppSpec& spec, double value, int serving, int current,
                    Signal& signal) {
  const double target = signal.metric->target;
  const bool total = is_total(*signal.metric);
  signal.value = value;
  if (current == 0) {  // Nothing to multiply: HPA's path for scaling from zero.
    signal.ratio = value / target;
    signal.proposal = ceil_count(signal.ratio);
    return;
  }
  signal.ratio = value / target / (total ? current : 1);
  signal.within_tolerance = is_within_tolerance(signal.ratio, spec.behavior);
  if (signal.within_tolerance) {
    signal.proposal = current;
  } else {
    signal.proposal = total ? ceil_count(value / target) : towards(signal.ratio, serving, current);
  }
}

// Why the reading cannot be used; empty when it can.
std::string defect_of(const api::MetricSpec& metric, const MetricReading* reading,
                      milliseconds limit) {
  if (reading == nullptr) return "no reading yet";
  const bool cpu = metric.type == api::MetricType::kCpu;
  if (!reading->idle && (cpu ? reading->per_pod.empty() : !reading->value)) {
    return reading->missing.empty() ? "no value yet" : reading->missing;
  }
  if (reading->age > limit) {
    return fmt::format(
        "stale: {} old, over {}{}{}", format_duration(std::chrono::floor<seconds>(reading->age)),
        format_duration(limit), reading->missing.empty() ? "" : "; ", reading->missing);
  }
  if (reading->idle || cpu) return {};
  if (!std::isfinite(*reading->value)) return fmt::format("the value is {}", *reading->value);
  if (*reading->value < 0) return fmt::format("the value is negative: {}", *reading->value);
  return {};
}

}  // namespace

bool is_total(const api::MetricSpec& metric) {
  return metric.type == api::MetricType::kQueueLength ||
         (metric.type == api::MetricType::kPrometheus &&
          metric.target_type == api::TargetType::kAverageValue);
}

milliseconds stale_after(const api::MetricSpec& metric, int interval_seconds) {
  return seconds{std::max(3 * interval_seconds, metric.window_seconds + 5)};
}

Signal evaluate(WallTime now, const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
                const MetricReading* reading, const Observation& observation) {
  Signal signal;
  signal.metric = &metric;
  if (reading != nullptr) signal.age = reading->age;
  const int current = observation.current_replicas;
  const auto serving =
      static_cast<int>(std::ranges::count_if(observation.pods, [](const auto& pod) {
        return pod.serving && !pod.terminating && !pod.finished;
      }));
  const bool needs_pods =
      metric.type == api::MetricType::kCpu || (!is_total(metric) && current > 0);
  if (needs_pods && serving == 0) {
    signal.waiting = true;
    signal.missing = "no pod serves yet";
    return signal;
  }
  signal.missing = defect_of(metric, reading, stale_after(metric, spec.interval_seconds));
  if (!signal.missing.empty()) return signal;
  if (reading->idle) {
    signal.idle = true;
    signal.proposal = std::max(1, spec.min_replicas);
  } else if (metric.type == api::MetricType::kCpu) {
    evaluate_cpu(now, spec, *reading, observation, signal);
  } else {
    evaluate_value(spec, *reading->value, serving, current, signal);
  }
  return signal;
}

}  // namespace scalableapp::scaling
