#include "operator/simulation/peers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace scalableapp::simulation {
namespace {

constexpr milliseconds kHpaSync{15000};
constexpr milliseconds kHpaDownWindow{300000};
constexpr milliseconds kHpaPolicyPeriod{15000};
constexpr milliseconds kHpaCpuInitialization{300000};
constexpr milliseconds kMetricsServerResolution{15000};
// HPA and metrics-server know nothing of each other: half the resolution apart, the mean.
constexpr milliseconds kHpaFirst{7000};
constexpr milliseconds kAdapterWindow{60000};
constexpr milliseconds kKedaWindow{120000};
constexpr milliseconds kKedaPolling{30000};
constexpr milliseconds kKedaCooldown{300000};
constexpr milliseconds kKpaTick{2000};
constexpr milliseconds kKpaStable{60000};
constexpr std::size_t kKpaStableSeconds = 60;
constexpr std::size_t kKpaPanicSeconds = 6;
constexpr double kKpaPanicThreshold = 2;
constexpr double kKpaMaxUpRate = 1000;
constexpr double kKpaMaxDownRate = 2;
constexpr double kUse = 0.7;  // Of what a pod can do: the target that a load test would give.

int ceil_count(double count) {
  return static_cast<int>(std::ceil(std::min(count, 1e6) - 1e-9 * std::max(1.0, count)));
}
bool is_tolerated(double ratio) { return std::abs(ratio - 1) <= kHpaTolerance + 1e-9; }

}  // namespace

int hpa_by_total(double total, double target_per_pod, int current) {
  if (current > 0 && is_tolerated(total / (target_per_pod * current))) return current;
  return ceil_count(total / target_per_pod);
}

std::optional<int> hpa_by_cpu(std::span<const HpaPod> pods, double target_utilization,
                              int current) {
  double used = 0, requested = 0, missing = 0, starting = 0;
  int sampled_pods = 0, missing_pods = 0, starting_pods = 0;
  for (const HpaPod& pod : pods) {
    if (!(pod.request_cores > 0)) return std::nullopt;
    if (pod.is_initializing) {
      starting += pod.request_cores;
      ++starting_pods;
    } else if (pod.cores) {
      used += *pod.cores;
      requested += pod.request_cores;
      ++sampled_pods;
    } else {
      missing += pod.request_cores;
      ++missing_pods;
    }
  }
  if (sampled_pods == 0) return std::nullopt;
  const double ratio = used / requested / target_utilization;
  const bool up = ratio > 1;
  if (missing_pods == 0 && (starting_pods == 0 || !up)) {
    return is_tolerated(ratio) ? current : ceil_count(ratio * sampled_pods);
  }
  int counted = sampled_pods + missing_pods;
  if (up) {
    requested += missing + starting;
    counted += starting_pods;
  } else {
    used += missing * target_utilization;
    requested += missing;
  }
  const double corrected = used / requested / target_utilization;
  if (is_tolerated(corrected) || (corrected > 1) != up) return current;
  const int count = ceil_count(corrected * counted);
  return (up && count < current) || (!up && count > current) ? current : count;
}

int HpaBehavior::next(milliseconds now, int current,
                      std::span<const std::optional<int>> proposals, int min, int max,
                      bool is_acted_on) {
  std::optional<int> highest;
  bool is_partial = false;
  for (const auto& proposal : proposals) {
    is_partial |= !proposal;
    if (proposal) highest = std::max(highest.value_or(0), *proposal);
  }
  if (!highest || (is_partial && *highest < current)) return current;
  if (recommendations_.empty()) recommendations_.push_back({now, current});
  recommendations_.push_back({now, *highest});
  std::erase_if(recommendations_, [&](const auto& one) { return one.at <= now - kHpaDownWindow; });
  int wanted = *highest;
  if (wanted < current) {
    for (const auto& one : recommendations_) wanted = std::max(wanted, one.replicas);
    wanted = std::min(wanted, current);
  }
  std::erase_if(changes_, [&](const auto& one) { return one.at <= now - kHpaPolicyPeriod; });
  int at_begin = current;
  for (const auto& change : changes_) at_begin -= change.replicas;
  if (wanted > current) {
    wanted = std::min(wanted, std::max({2 * at_begin, at_begin + 4, current}));
  }
  // Down by 100 % in 15 s is no limit.
  wanted = std::clamp(wanted, min, max);
  if (wanted != current && is_acted_on) changes_.push_back({now, wanted - current});
  return wanted;
}

std::optional<int> KedaActivation::poll(milliseconds now, bool is_active, int current, int min) {
  if (is_active) {
    last_active_ = now;
    if (current == 0) return std::max(1, min);
    return std::nullopt;
  }
  if (!last_active_) last_active_ = now;
  if (current > 0 && min == 0 && now - *last_active_ >= kKedaCooldown) return 0;
  return std::nullopt;
}

int KpaDecider::next(milliseconds now, int ready, double stable, double panic, int min, int max) {
  // A new decider is cautious: it may be one that was restarted in a burst.
  if (is_first_ && ready > 1) {
    panic_since_ = now;
    most_in_panic_ = ready;
  }
  is_first_ = false;
  const int base = std::max(1, ready);
  const int highest = ceil_count(kKpaMaxUpRate * base);
  const int lowest = static_cast<int>(std::floor(base / kKpaMaxDownRate));
  const int by_panic = ceil_count(panic / target_);
  const int wanted_stable = std::clamp(ceil_count(stable / target_), lowest, highest);
  const int wanted_panic = std::clamp(by_panic, lowest, highest);
  if (by_panic >= kKpaPanicThreshold * base) {
    panic_since_ = now;
  } else if (panic_since_ && *panic_since_ + kKpaStable < now) {
    panic_since_.reset();
    most_in_panic_ = 0;
  }
  int wanted = wanted_stable;
  if (panic_since_) {
    most_in_panic_ = std::max({most_in_panic_, wanted_stable, wanted_panic});
    wanted = most_in_panic_;
  }
  return std::clamp(wanted, min, max);
}

namespace {

bool has_metric(const api::ScalableAppSpec& spec, api::MetricType type) {
  return std::ranges::any_of(spec.metrics, [&](const auto& metric) { return metric.type == type; });
}

// HPA, and KEDA, which scales through one.
class Hpa final : public Scaler {
 public:
  Hpa(bool is_keda, const api::ScalableAppSpec& spec, const Workload& workload,
      const PrometheusColumns& columns)
      : is_keda_(is_keda),
        spec_(spec),
        workload_(workload),
        columns_(columns),
        window_(is_keda ? kKedaWindow : kAdapterWindow),
        target_rate_(kUse * workload.concurrency / workload.service_seconds) {}

  std::string settings() const override {
    std::vector<std::string> parts;
    for (const api::MetricSpec& metric : spec_.metrics) {
      switch (metric.type) {
        case api::MetricType::kCpu:
          parts.push_back(fmt::format("CPU {:.0f}% of the request by metrics-server (15s)",
                                      metric.target * 100));
          break;
        case api::MetricType::kLatency:
          parts.push_back(fmt::format(
              "{:.4g} requests/s per pod (70% of a pod's true capacity) by {}, {} rate",
              target_rate_, is_keda_ ? "a Prometheus trigger" : "an adapter",
              format_duration(window_)));
          break;
        case api::MetricType::kQueueLength:
          parts.push_back(fmt::format("queue length {:.4g} per pod", metric.target));
          break;
        case api::MetricType::kPrometheus:
          parts.push_back(fmt::format("{} {:.4g}{}", metric.name, metric.target,
                                      metric.target_type == api::TargetType::kAverageValue
                                          ? " per pod" : ""));
          break;
      }
    }
    return fmt::format(
        "{}sync 15s, tolerance 10%, up 100% or 4 pods/15s, down after 300s; {}; scraped every "
        "{:.3g}s",
        is_keda_ ? "KEDA through HPA: polling 30s and cooldown 300s between 0 and 1; " : "HPA: ",
        fmt::join(parts, ", "), workload_.scrape_seconds);
  }
  milliseconds first() const override { return is_keda_ ? milliseconds{7000} : kHpaFirst; }
  milliseconds interval() const override { return kHpaSync; }
  milliseconds longest_window() const override { return window_; }

  void each_second(milliseconds now, Fleet& fleet) override {
    if (now % kMetricsServerResolution != milliseconds{0}) return;
    for (const auto& entry : fleet.pods()) {
      Pod& pod = *entry;
      if (!pod.runs()) continue;
      if (pod.resource_finished >= 0) {
        pod.resource_cores = static_cast<double>(pod.counters.finished - pod.resource_finished) *
                             workload_.cpu_seconds_per_request /
                             in_seconds(kMetricsServerResolution);
      }
      pod.resource_finished = pod.counters.finished;
    }
    resource_at_ = now;
  }

  const Choice& decide(milliseconds now, const Fleet& fleet, const MetricsModel& metrics,
                       bool is_acted_on) override {
    const int current = fleet.desired();
    // HPA leaves an app with 0 replicas alone; without its alpha gate it never goes there.
    const int lowest = std::max(1, spec_.min_replicas);
    choice_.replicas = current;
    bool is_active = spec_.metrics.empty();
    proposals_.clear();
    for (const api::MetricSpec& metric : spec_.metrics) {
      proposals_.push_back(proposal(now, metric, fleet, metrics, is_active));
    }
    if (current > 0) {
      choice_.replicas = behavior_.next(now, current, proposals_, lowest,
                                        std::max(lowest, spec_.max_replicas), is_acted_on);
    }
    // Every other sync stands for KEDA's own loop.
    if (is_keda_ && (now - first()) % kKedaPolling == milliseconds{0}) {
      if (const auto count = activation_.poll(now, is_active, current, spec_.min_replicas)) {
        choice_.replicas = *count;
      }
    }
    explain(current);
    return choice_;
  }

 private:
  std::optional<int> proposal(milliseconds now, const api::MetricSpec& metric, const Fleet& fleet,
                              const MetricsModel& metrics, bool& is_active) {
    const int current = fleet.desired();
    switch (metric.type) {
      case api::MetricType::kCpu:
        is_active = true;  // KEDA: CPU alone cannot scale to zero.
        return by_cpu(now, metric, fleet);
      case api::MetricType::kLatency: {
        const Fleet* const one_fleet[] = {&fleet};
        const double rate = metrics.requests_per_second(now, one_fleet, window_);
        is_active |= rate > 0;
        return hpa_by_total(rate, target_rate_, current);
      }
      case api::MetricType::kQueueLength: {
        const auto length = metrics.queue_length();
        if (!length) return std::nullopt;
        is_active |= *length > metric.activation_threshold;
        return hpa_by_total(*length, metric.target, current);
      }
      case api::MetricType::kPrometheus: {
        const auto value = columns_.at(now, metric.name);
        if (!value) return std::nullopt;
        is_active |= *value > metric.activation_threshold;
        if (metric.target_type == api::TargetType::kAverageValue) {
          return hpa_by_total(*value, metric.target, current);
        }
        const double ratio = *value / metric.target;
        if (is_tolerated(ratio)) return current;
        return ceil_count(ratio * fleet.serving());
      }
    }
    return std::nullopt;
  }

  std::optional<int> by_cpu(milliseconds now, const api::MetricSpec& metric, const Fleet& fleet) {
    pods_.clear();
    for (const auto& entry : fleet.pods()) {
      const Pod& pod = *entry;
      if (pod.phase == Pod::Phase::kOrdered || pod.phase >= Pod::Phase::kDraining) continue;
      HpaPod seen{spec_.cpu_request_cores, pod.resource_cores, false};
      if (now < pod.created + kHpaCpuInitialization) {
        seen.is_initializing = pod.phase != Pod::Phase::kServing ||
                               (seen.cores && resource_at_ < pod.ready + kMetricsServerResolution);
      }
      pods_.push_back(seen);
    }
    return hpa_by_cpu(pods_, metric.target, fleet.desired());
  }

  void explain(int current) {
    choice_.reason = choice_.replicas > current   ? "ScaledUp"
                     : choice_.replicas < current ? "ScaledDown"
                                                  : "Unchanged";
    choice_.message.clear();
    if (choice_.replicas == current) return;
    choice_.message = fmt::format("{} -> {}:", current, choice_.replicas);
    for (std::size_t i = 0; i < proposals_.size(); ++i) {
      choice_.message += fmt::format("{} {} {}", i == 0 ? "" : ",", spec_.metrics[i].name,
                                     proposals_[i] ? fmt::format("needs {}", *proposals_[i])
                                                   : "has no value");
    }
  }

  const bool is_keda_;
  const api::ScalableAppSpec& spec_;
  const Workload& workload_;
  const PrometheusColumns& columns_;
  const milliseconds window_;
  const double target_rate_;
  milliseconds resource_at_{0};
  HpaBehavior behavior_;
  KedaActivation activation_;
  Choice choice_;
  std::vector<std::optional<int>> proposals_;
  std::vector<HpaPod> pods_;
};

class Kpa final : public Scaler {
 public:
  Kpa(const api::ScalableAppSpec& spec, const Workload& workload)
      : spec_(spec),
        is_queue_(has_metric(spec, api::MetricType::kQueueLength)),
        target_(kUse * workload.concurrency),
        decider_(target_) {}

  std::string settings() const override {
    return fmt::format(
        "KPA: tick 2s, {} per pod {:.3g} (70% of {:.3g}), stable window 60s, panic window 6s at "
        "200%, up 1000x and down 2x a tick",
        is_queue_ ? "jobs waiting or in progress" : "concurrency", target_, target_ / kUse);
  }
  milliseconds first() const override { return kKpaTick; }
  milliseconds interval() const override { return kKpaTick; }
  milliseconds longest_window() const override { return kKpaTick; }

  // The queue proxies report their mean concurrency every second.
  void each_second(milliseconds now, Fleet& fleet) override {
    double concurrency = is_queue_ ? static_cast<double>(fleet.waiting()) : 0;
    for (const auto& entry : fleet.pods()) {
      Pod& pod = *entry;
      if (!pod.runs()) continue;
      const double progress = pod.progress_seconds(in_seconds(now));
      concurrency += progress - pod.seen_progress;
      pod.seen_progress = progress;
    }
    recent_[seconds_++ % kKpaStableSeconds] = concurrency;
  }

  const Choice& decide(milliseconds now, const Fleet& fleet, const MetricsModel&, bool) override {
    const int current = fleet.desired();
    choice_.replicas = current;
    choice_.message.clear();
    choice_.reason = "Unchanged";
    if (seconds_ == 0) return choice_;
    const double stable = mean_of(kKpaStableSeconds), panic = mean_of(kKpaPanicSeconds);
    // Without an activator in the model there is nothing to start the first pod by but the queue.
    const int lowest = is_queue_ ? spec_.min_replicas : std::max(1, spec_.min_replicas);
    choice_.replicas = decider_.next(now, fleet.serving(), stable, panic, lowest,
                                     std::max(lowest, spec_.max_replicas));
    choice_.reason = decider_.is_panicking() ? "Panic" : "Stable";
    if (choice_.replicas != current) {
      choice_.message =
          fmt::format("{} -> {}: concurrency {:.3g} over 60s, {:.3g} over 6s{}", current,
                      choice_.replicas, stable, panic,
                      decider_.is_panicking() ? "; panic mode" : "");
    }
    return choice_;
  }

 private:
  double mean_of(std::size_t window) const {
    const std::size_t count = std::min(window, seconds_);
    double sum = 0;
    for (std::size_t i = 1; i <= count; ++i) sum += recent_[(seconds_ - i) % kKpaStableSeconds];
    return sum / static_cast<double>(count);
  }

  const api::ScalableAppSpec& spec_;
  const bool is_queue_;
  const double target_;
  KpaDecider decider_;
  std::array<double, kKpaStableSeconds> recent_{};
  std::size_t seconds_ = 0;
  Choice choice_;
};

}  // namespace

std::unique_ptr<Scaler> make_peer(Policy policy, const api::ScalableAppSpec& spec,
                                  const Workload& workload, const PrometheusColumns& columns) {
  if (policy == Policy::kKpa) return std::make_unique<Kpa>(spec, workload);
  return std::make_unique<Hpa>(policy == Policy::kKeda, spec, workload, columns);
}

}  // namespace scalableapp::simulation
