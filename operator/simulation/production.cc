#include "operator/simulation/production.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "operator/scaling/decide.h"
#include "operator/scaling/explain.h"

namespace scalableapp::simulation {
namespace {

class Production final : public Scaler {
 public:
  Production(const api::ScalableAppSpec& spec, const Workload& workload,
             const PrometheusColumns& columns, const Options& options)
      : spec_(spec),
        workload_(workload),
        columns_(columns),
        options_(options),
        begin_(options.start - kPreRoll) {
    spec_.paused = false;  // In a simulation every decision is carried out.
    observation_.readings.resize(spec_.metrics.size());
    load_.start = begin_;
  }

  std::string settings() const override {
    std::vector<std::string> parts;
    for (const api::MetricSpec& metric : spec_.metrics) {
      parts.push_back(fmt::format("{} {}", metric.name,
                                  scaling::format_value(metric.type, metric.target)));
    }
    return fmt::format("ScalableApp: decides every {}s; {}; scraped every {:.3g}s; down after {}s",
                       spec_.interval_seconds, fmt::join(parts, ", "), workload_.scrape_seconds,
                       spec_.behavior.scale_down.stabilization_window_seconds);
  }
  milliseconds first() const override { return interval(); }
  milliseconds interval() const override { return seconds{std::max(1, spec_.interval_seconds)}; }
  milliseconds longest_window() const override {
    int longest = 10;
    for (const api::MetricSpec& metric : spec_.metrics) {
      longest = std::max(longest, metric.window_seconds);
    }
    return seconds{longest};
  }

  void each_second(milliseconds now, Fleet& fleet) override {
    if (!options_.advisor || now.count() == 0 || now % load_.step != milliseconds{0}) return;
    std::int64_t finished = 0;
    for (const auto* pods : {&fleet.pods(), &fleet.departed()}) {
      for (const auto& entry : *pods) {
        Pod& pod = *entry;
        finished += pod.counters.finished - pod.noted_finished;
        pod.noted_finished = pod.counters.finished;
      }
    }
    const double step = in_seconds(load_.step);
    load_.arrivals_per_second.push_back(static_cast<double>(fleet.arrived() - arrived_) / step);
    arrived_ = fleet.arrived();
    load_.cores.push_back(static_cast<double>(finished) * workload_.cpu_seconds_per_request / step);
    load_.queue_length.push_back(
        static_cast<double>(fleet.waiting() + (fleet.is_queue() ? 0 : fleet.in_progress())));
  }

  const Choice& decide(milliseconds now, const Fleet& fleet, const MetricsModel& metrics,
                       bool is_acted_on) override {
    spec_.dry_run = !is_acted_on;
    observation_.current_replicas = fleet.desired();
    observation_.pods.clear();
    observe_pods(fleet, begin_, spec_.cpu_request_cores, observation_.pods);
    const Fleet* const fleets[] = {&fleet};
    for (std::size_t i = 0; i < spec_.metrics.size(); ++i) {
      const api::MetricSpec& metric = spec_.metrics[i];
      scaling::MetricReading& reading = observation_.readings[i];
      metrics.read(now, metric, fleets, reading);
      if (metric.type != api::MetricType::kPrometheus) continue;
      reading.value = columns_.at(now, metric.name);
      if (!reading.value) {
        reading.missing = fmt::format("the trace has no column {}", metric.name);
      }
    }
    const WallTime wall = begin_ + now;
    if (options_.advisor) {
      observation_.forecasts.clear();
      observation_.schedules.clear();
      options_.advisor(wall, load_, history_, observation_);
    }
    scaling::Decision decision = scaling::decide(wall, spec_, observation_, history_);
    history_ = std::move(decision.history);
    choice_.replicas = decision.replicas;
    choice_.reason = std::move(decision.reason);
    choice_.message = std::move(decision.message);
    return choice_;
  }

 private:
  api::ScalableAppSpec spec_;
  const Workload& workload_;
  const PrometheusColumns& columns_;
  const Options& options_;
  const WallTime begin_;
  scaling::Observation observation_;
  api::ScalingHistory history_;
  LoadSoFar load_;
  std::int64_t arrived_ = 0;
  Choice choice_;
};

}  // namespace

void observe_pods(const Fleet& fleet, WallTime begin, double cpu_request_cores, std::vector<scaling::PodState>& pods) {
  for (const auto& entry : fleet.pods()) {
    const Pod& pod = *entry;
    if (pod.phase == Pod::Phase::kOrdered || pod.phase == Pod::Phase::kGone) continue;
    scaling::PodState& state = pods.emplace_back();
    state.name = pod.name;
    state.serving = pod.phase == Pod::Phase::kServing;
    state.containers_ready = pod.runs();
    state.terminating = pod.phase == Pod::Phase::kDraining;
    if (state.serving) state.ready_since = begin + pod.ready;
    state.created = begin + pod.created;
    state.started_at = state.created;
    state.cpu_request_cores = cpu_request_cores;
  }
}

std::unique_ptr<Scaler> make_production(const api::ScalableAppSpec& spec, const Workload& workload,
                                        const PrometheusColumns& columns, const Options& options) {
  return std::make_unique<Production>(spec, workload, columns, options);
}

}  // namespace scalableapp::simulation
