#include "operator/scaling/signal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace scalableapp::scaling {
namespace {

using api::MetricType;

std::string with_unit(const api::MetricSpec& metric, double value) {
  switch (metric.type) {
    case MetricType::kLatency:
      return value < 10 ? fmt::format("{:.0f}ms", value * 1000) : fmt::format("{:.1f}s", value);
    case MetricType::kCpu: return fmt::format("{:.0f}%", value * 100);
    default: return fmt::format("{:.6g}", value);
  }
}

const char* type_name(MetricType type) {
  switch (type) {
    case MetricType::kLatency: return "Latency";
    case MetricType::kCpu: return "CPU";
    case MetricType::kQueueLength: return "QueueLength";
    case MetricType::kPrometheus: return "Prometheus";
  }
  return "";
}

// A double that is sure to fit: targets can be tiny and values huge.
int ceil_to_int(double value) {
  // What rounding errors of a ratio may add without a replica more: 1e-9 of it.
  const double up = std::ceil(value - value * 1e-9);
  return up >= 1e9 ? 1'000'000'000 : std::max(0, static_cast<int>(up));
}

bool within(double ratio, const api::Behavior& behavior) {
  return ratio >= 1.0 - behavior.scale_down.tolerance - 1e-12 && ratio <= 1.0 + behavior.scale_up.tolerance + 1e-12;
}

Signal missing(Signal signal, std::string why) {
  signal.missing = true;
  signal.status.missing = std::move(why);
  signal.status.current.clear();
  return signal;
}

Signal hold(Signal signal, int current) {
  signal.within_tolerance = true;
  signal.proposed = current;
  return signal;
}

// A ratio applied to `count` pods; a result against the ratio's own direction is no result.
Signal apply_ratio(Signal signal, double ratio, int count, int current, const api::Behavior& behavior) {
  signal.ratio = ratio;
  if (within(ratio, behavior)) return hold(std::move(signal), current);
  const int proposed = ceil_to_int(ratio * count);
  const bool against = (ratio < 1 && proposed > current) || (ratio > 1 && proposed < current);
  if (against) return hold(std::move(signal), current);
  signal.proposed = proposed;
  return signal;
}

Signal cpu(Signal signal, const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
           const MetricReading& reading, const Observation& observation) {
  double used = 0, requested = 0, missing_request = 0, waiting_request = 0;
  int sampled = 0, without_sample = 0, not_serving = 0;
  for (const PodState& pod : observation.pods) {
    if (pod.terminating || pod.finished) continue;
    if (pod.cpu_request_cores <= 0) {
      return missing(std::move(signal), "set resources.requests.cpu on every container: a utilization is a share of it");
    }
    if (!pod.serving) {
      ++not_serving;
      waiting_request += pod.cpu_request_cores;
      continue;
    }
    const auto sample = reading.per_pod.find(pod.name);
    if (sample == reading.per_pod.end() || !std::isfinite(sample->second)) {
      ++without_sample;
      missing_request += pod.cpu_request_cores;
      continue;
    }
    ++sampled;
    used += sample->second;
    requested += pod.cpu_request_cores;
  }
  if (sampled == 0) return missing(std::move(signal), "no serving pod has a sample yet");

  const int current = observation.current_replicas;
  const double utilization = used / requested;
  double ratio = utilization / metric.target;
  signal.status.current = with_unit(metric, utilization);
  int count = sampled;
  if (ratio > 1 ? (without_sample > 0 || not_serving > 0) : without_sample > 0) {
    const bool up = ratio > 1;
    const double assumed_used = used + (up ? 0 : metric.target * missing_request);
    const double assumed_requested = requested + missing_request + (up ? waiting_request : 0);
    const double corrected = assumed_used / assumed_requested / metric.target;
    if ((corrected > 1) != up) {
      signal.ratio = corrected;
      return hold(std::move(signal), current);
    }
    ratio = corrected;
    count = sampled + without_sample + (up ? not_serving : 0);
  }
  return apply_ratio(std::move(signal), ratio, count, current, spec.behavior);
}

}  // namespace

milliseconds freshness_limit(const api::ScalableAppSpec& spec, const api::MetricSpec& metric) {
  return std::max(seconds{3 * spec.interval_seconds}, seconds{metric.window_seconds + 5});
}

Signal evaluate(const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
                const MetricReading& reading, const Observation& observation) {
  Signal signal;
  signal.status = {.name = metric.name, .type = type_name(metric.type), .target = with_unit(metric, metric.target)};
  const int current = observation.current_replicas;
  const bool has_value = reading.value.has_value() || !reading.per_pod.empty();
  if (reading.idle) {
    signal.ratio = 0;
    signal.proposed = spec.min_replicas;
    signal.status.current = "idle";
    signal.status.proposed_replicas = signal.proposed;
    return signal;
  }
  if (!has_value) return missing(std::move(signal), reading.missing.empty() ? "no value" : reading.missing);
  signal.status.age_seconds = static_cast<int>(std::chrono::duration_cast<seconds>(reading.age).count());
  if (reading.age > freshness_limit(spec, metric)) {
    return missing(std::move(signal),
                   fmt::format("the last value is {} old{}{}", format_duration(std::chrono::duration_cast<seconds>(reading.age)),
                               reading.missing.empty() ? "" : ": ", reading.missing));
  }
  if (reading.value && !std::isfinite(*reading.value)) return missing(std::move(signal), "the value is no finite number");
  if (reading.value && *reading.value < 0) return missing(std::move(signal), "the value is negative");

  if (metric.type == MetricType::kCpu && !reading.per_pod.empty()) {
    signal = cpu(std::move(signal), spec, metric, reading, observation);
  } else {
    const double value = reading.value.value_or(0);
    signal.status.current = with_unit(metric, value);
    if (metric.target_type == api::TargetType::kAverageValue) {
      const double ratio = current > 0 ? value / (metric.target * current) : std::numeric_limits<double>::infinity();
      signal.ratio = ratio;
      if (current > 0 && within(ratio, spec.behavior)) {
        signal = hold(std::move(signal), current);
      } else {
        signal.proposed = ceil_to_int(value / metric.target);
      }
    } else {
      const auto serving = static_cast<int>(std::ranges::count_if(
          observation.pods, [](const PodState& pod) { return pod.serving && !pod.terminating; }));
      signal = apply_ratio(std::move(signal), value / metric.target, serving, current, spec.behavior);
    }
  }
  if (!signal.missing) signal.status.proposed_replicas = signal.proposed;
  return signal;
}

}  // namespace scalableapp::scaling
