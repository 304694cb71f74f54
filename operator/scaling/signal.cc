#include "operator/scaling/signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "operator/scaling/by_name.h"
#include "operator/scaling/capacity_model.h"
#include "operator/scaling/drain.h"

namespace scalableapp::scaling {
namespace {

// Far over any cluster's size, and far from overflow in the sums that follow.
constexpr double kMostReplicas = 1'000'000;
// 0.66 / 0.6 is a hair over 1.1 in binary; such noise must neither leave the tolerance nor cost a
// pod.
constexpr double kRounding = 1e-9;
// Under one a day.
constexpr double kNoArrivals = 1e-5;
// More requests come than are finished, and pile up.
constexpr double kBacksUp = 1.15;

int ceil_count(double count) {
  return static_cast<int>(
      std::clamp(std::ceil(count - kRounding * std::max(1.0, count)), 0.0, kMostReplicas));
}

// The pod has served before: what it uses is load, and what made it unready may well be that load.
bool is_lapsed(const PodState& pod, WallTime now) {
  return !pod.serving && !pod.pending && !pod.set_aside && pod.started_at && pod.unready_since &&
         now >= *pod.started_at + kCpuInitializationPeriod &&
         *pod.unready_since > *pod.started_at + kInitialReadinessDelay;
}

// The pod starts, or its sample still covers work of its start.
bool is_initializing(const PodState& pod, WallTime now, WallTime sample_begin,
                     WallTime sample_end) {
  if (!pod.serving) return !is_lapsed(pod, now);
  if (!pod.ready_since || !pod.started_at) return false;
  return sample_end < *pod.started_at + kCpuInitializationPeriod && sample_begin < *pod.ready_since;
}

bool is_within_tolerance(double ratio, const api::Behavior& behavior) {
  return ratio >= 1 - behavior.scale_down.tolerance - kRounding &&
         ratio <= 1 + behavior.scale_up.tolerance + kRounding;
}

WallTime sample_time(WallTime now, const MetricReading& reading) { return now - reading.age; }

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
  bool is_unsampled_serving = false;
  ByName samples(reading.per_pod);
  for (const PodState& pod : observation.pods) {
    if (pod.terminating || pod.finished) continue;
    if (!(pod.cpu_request_cores > 0)) {
      signal.missing =
          fmt::format("pod {} has no CPU request: set resources.requests.cpu", pod.name);
      return;
    }
    const double* sample = samples.find(pod.name);
    const bool has_sample = sample != nullptr && std::isfinite(*sample) && *sample >= 0;
    if (pod.pending || pod.set_aside) {
      starting.add(0, pod.cpu_request_cores);
    } else if (!has_sample) {
      unsampled.add(0, pod.cpu_request_cores);
      is_unsampled_serving |= pod.serving;
    } else if (is_initializing(pod, now, sample_begin, sample_end)) {
      starting.add(0, pod.cpu_request_cores);
    } else {
      sampled.add(*sample, pod.cpu_request_cores);
    }
  }
  if (sampled.pods == 0) {
    signal.waiting = !is_unsampled_serving;
    signal.missing = signal.waiting ? "no pod has served for a whole window yet"
                                    : "no sample of any serving pod";
    return;
  }
  const int current = observation.current_replicas;
  signal.load = sampled.used;
  signal.load_per_replica = target * sampled.requested / sampled.pods;
  signal.most_per_replica = signal.load_per_replica * (1 + spec.behavior.scale_up.tolerance);
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

// What the pods did that were ready by `ready_by`, without the outliers. None: no pods.
ReplicaLoad replica_load(WallTime ready_by, const MetricReading& reading,
                         const Observation& observation, const api::MetricSpec& metric,
                         const std::vector<std::string_view>& outliers) {
  ReplicaLoad load;
  double finished = 0, concurrency = 0, weighted = 0, quantile_rate = 0;
  std::vector<double> quantiles;
  quantiles.reserve(observation.pods.size());
  double in_progress = 0;
  for (const auto& [name, pod] : reading.loads) {
    load.total += pod.requests_per_second;
    in_progress += pod.concurrency;
  }
  ByName loads(reading.loads);
  for (const PodState& pod : observation.pods) {
    if (!pod.serving || (pod.ready_since && *pod.ready_since > ready_by)) continue;
    const PodLoad* found = loads.find(pod.name);
    if (found == nullptr || std::ranges::binary_search(outliers, pod.name)) continue;
    const PodLoad& pod_load = *found;
    ++load.pods;
    finished += pod_load.requests_per_second;
    concurrency += pod_load.concurrency;
    if (!pod_load.quantile_seconds) continue;
    quantiles.push_back(*pod_load.quantile_seconds);
    weighted += *pod_load.quantile_seconds * pod_load.requests_per_second;
    quantile_rate += pod_load.requests_per_second;
  }
  if (load.pods == 0) return load;
  load.rate = finished / load.pods;
  load.requests = finished * metric.window_seconds;
  if (finished > 0) load.mean_seconds = concurrency / finished;
  load.quantile_seconds = *reading.value;
  if (!outliers.empty() && quantile_rate > 0) load.quantile_seconds = weighted / quantile_rate;
  load.best_quantile_seconds = load.quantile_seconds;
  if (!quantiles.empty()) {
    const auto quarter = quantiles.begin() + static_cast<std::ptrdiff_t>(quantiles.size() / 4);
    std::ranges::nth_element(quantiles, quarter);
    load.best_quantile_seconds = *quarter;
  }
  const double all_finished = load.total;
  load.total = std::max(load.total, reading.arrivals_per_second.value_or(0));
  const double in_flight = reading.in_flight.value_or(in_progress);
  const auto serving = std::ranges::count_if(observation.pods, &PodState::serving);
  load.in_flight = in_flight / static_cast<double>(std::max<std::ptrdiff_t>(1, serving));
  const double arrivals = reading.arrivals_per_second.value_or(all_finished);
  // So far two windows of one steady load may be apart, by chance and by half a second at their
  // ends.
  const auto differs = [](double a, double b, double noise) {
    return a > kBacksUp * b + noise || b > kBacksUp * a + noise;
  };
  load.backs_up = load.total > kBacksUp * all_finished && in_flight > kBacksUp * in_progress + 2;
  const double rate_noise = 2 * std::sqrt(all_finished / metric.window_seconds);
  load.is_steady = !differs(arrivals, all_finished, rate_noise) &&
                   !differs(in_flight, in_progress, 2 * std::sqrt(in_progress) + 1);
  return load;
}

// False where the pods' loads are not known, so that only the ratio is left.
bool evaluate_capacity(WallTime now, const api::ScalableAppSpec& spec, const MetricReading& reading,
                       const Observation& observation,
                       const std::vector<std::string_view>& outliers, int serving,
                       double warm_up_seconds, api::MetricMemory& memory, Signal& signal) {
  const api::MetricSpec& metric = *signal.metric;
  if (metric.latency_model != api::LatencyModel::kCapacity || reading.loads.empty()) return false;
  const WallTime begin = sample_time(now, reading) - seconds{metric.window_seconds};
  ReplicaLoad load = replica_load(begin, reading, observation, metric, outliers);
  // Where no pod has served for the whole window, those that have begun must do.
  const bool is_settled = load.pods > 0;
  if (!is_settled) load = replica_load(now, reading, observation, metric, {});
  if (load.pods == 0 || !(load.rate > 0)) return false;
  const int current = observation.current_replicas;
  learn(sample_time(now, reading), metric, load, memory);
  const int measured = load.pods + static_cast<int>(outliers.size());
  const Fleet fleet{.current = current,
                    .serving = serving,
                    .all_measured = is_settled && measured >= current,
                    .warm_up_seconds = warm_up_seconds};
  const auto proposal = propose(now, metric, spec.behavior, load, fleet, memory);
  signal.by_capacity = true;
  signal.value = load.quantile_seconds;
  signal.ratio = load.quantile_seconds / metric.target;
  signal.load = load.total;
  signal.load_per_replica = proposal.rate_per_replica;
  signal.most_per_replica = std::isfinite(proposal.most_per_replica)
                                ? proposal.most_per_replica
                                : proposal.rate_per_replica *
                                      (1 + spec.behavior.scale_up.tolerance);
  signal.proposal = proposal.replicas;
  signal.within_tolerance = proposal.within_tolerance;
  signal.not_capacity_bound = memory.not_capacity_bound;
  return true;
}

// For what is shared by the replicas.
void evaluate_total(WallTime now, const api::ScalableAppSpec& spec, const MetricReading& reading,
                    const std::vector<PodState>& pods, int current, api::MetricMemory& memory,
                    Signal& signal) {
  const api::MetricSpec& metric = *signal.metric;
  const double value = *reading.value;
  signal.value = value;
  signal.load = value;
  signal.load_per_replica = metric.target;
  signal.most_per_replica = metric.target * (1 + spec.behavior.scale_up.tolerance);
  // An empty queue to which jobs still come is one whose workers keep up.
  signal.is_idle_total =
      value <= metric.activation_threshold && !(reading.arrivals_per_second.value_or(0) > kNoArrivals);
  if (current == 0) {  // Nothing to multiply: HPA's path for scaling from zero.
    signal.ratio = value / metric.target;
    signal.activates = !signal.is_idle_total && signal.ratio <= 1;
    signal.proposal = signal.is_idle_total ? 0 : std::max(1, ceil_count(signal.ratio));
    return;
  }
  signal.ratio = value / metric.target / current;
  if (metric.drain_seconds) {
    learn_throughput(sample_time(now, reading), reading, seconds{metric.window_seconds}, pods,
                     memory);
    if (const auto drain = replicas_to_drain(metric, reading, current, spec.behavior, memory)) {
      signal.by_drain = true;
      signal.load = *reading.arrivals_per_second;
      signal.load_per_replica = drain->jobs_per_replica;
      signal.most_per_replica = memory.jobs_per_second;
      signal.proposal = drain->replicas;
      signal.within_tolerance = drain->within_tolerance;
      return;
    }
  }
  signal.within_tolerance = is_within_tolerance(signal.ratio, spec.behavior);
  signal.proposal = signal.within_tolerance ? current : ceil_count(value / metric.target);
}

void evaluate_value(const api::ScalableAppSpec& spec, const MetricReading& reading, int serving,
                    int current, Signal& signal) {
  const double target = signal.metric->target;
  signal.value = *reading.value;
  signal.ratio = *signal.value / target;
  if (current == 0) {
    signal.proposal = ceil_count(signal.ratio);
    return;
  }
  signal.within_tolerance = is_within_tolerance(signal.ratio, spec.behavior);
  signal.proposal = signal.within_tolerance ? current : towards(signal.ratio, serving, current);
}

// Keeps since when the metric is missing, and what the fallback makes of that.
void fall_back(WallTime now, const Observation& observation, api::MetricMemory& memory,
               Signal& signal) {
  const auto& fallback = signal.metric->fallback;
  const auto is_lasting = [&] {
    return fallback && memory.missing_since &&
           now >= *memory.missing_since + seconds{fallback->failure_seconds};
  };
  if (signal.proposal || signal.waiting) {
    if (is_lasting()) memory.fallback_ended = now;
    memory.missing_since.reset();
    return;
  }
  if (!memory.missing_since || *memory.missing_since > now) {
    memory.missing_since = now - std::max(signal.age.value_or(milliseconds{0}), milliseconds{0});
  }
  if (!is_lasting()) return;
  signal.fallback = true;
  signal.proposal = std::max(observation.current_replicas, fallback->replicas);
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

std::optional<double> load_of(const api::MetricSpec& metric, const MetricReading& reading) {
  double load = 0;
  switch (metric.type) {
    case api::MetricType::kLatency:
      if (reading.idle) return 0;
      if (reading.loads.empty()) return std::nullopt;
      for (const auto& [name, pod] : reading.loads) load += pod.requests_per_second;
      return std::max(load, reading.arrivals_per_second.value_or(0));
    case api::MetricType::kCpu:
      if (reading.per_pod.empty()) return std::nullopt;
      for (const auto& [name, cores] : reading.per_pod) load += cores;
      return load;
    case api::MetricType::kQueueLength:
      return metric.drain_seconds ? reading.arrivals_per_second : reading.value;
    case api::MetricType::kPrometheus:
      if (metric.target_type == api::TargetType::kAverageValue) return reading.value;
      return std::nullopt;
  }
  return std::nullopt;
}

milliseconds stale_after(const api::MetricSpec& metric, int interval_seconds) {
  return seconds{std::max(3 * interval_seconds, metric.window_seconds + 5)};
}

Signal evaluate(WallTime now, const api::ScalableAppSpec& spec, const api::MetricSpec& metric,
                const MetricReading* reading, const Observation& observation,
                const std::vector<std::string_view>& outliers, double warm_up_seconds,
                api::MetricMemory& memory) {
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
  const bool is_cpu = metric.type == api::MetricType::kCpu;
  const auto has_lapsed = [&] {
    return std::ranges::any_of(observation.pods, [&](const auto& p) { return is_lapsed(p, now); });
  };
  if (needs_pods && serving == 0 && !(is_cpu && has_lapsed())) {
    signal.waiting = true;
    signal.missing = "no pod serves yet";
  } else {
    signal.missing = defect_of(metric, reading, stale_after(metric, spec.interval_seconds));
    if (!signal.missing.empty()) {
      // Nothing to evaluate.
    } else if (reading->idle) {
      signal.idle = true;
      signal.proposal = std::max(1, spec.min_replicas);
    } else if (metric.type == api::MetricType::kCpu) {
      evaluate_cpu(now, spec, *reading, observation, signal);
    } else if (is_total(metric)) {
      evaluate_total(now, spec, *reading, observation.pods, current, memory, signal);
    } else if (metric.type != api::MetricType::kLatency || current == 0 ||
               !evaluate_capacity(now, spec, *reading, observation, outliers, serving,
                                  warm_up_seconds, memory, signal)) {
      evaluate_value(spec, *reading, serving, current, signal);
    }
  }
  fall_back(now, observation, memory, signal);
  return signal;
}

}  // namespace scalableapp::scaling
