#include "operator/simulation/advisor.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scalableapp::simulation {
namespace {

// As the operator asks Prometheus for it (metrics/load_history.h).
constexpr seconds kHistoryStep{300};
constexpr seconds kHistoryRefresh{600};

class RunForesight {
 public:
  RunForesight(api::ScalableAppSpec spec, scaling::Foresight::FindZones find_zones)
      : spec_(std::move(spec)), find_zones_(std::move(find_zones)) {}

  void advise(WallTime now, const LoadSoFar& load, const api::ScalingHistory& history,
              scaling::Observation& observation) {
    if (spec_.prediction && now >= refresh_at_) {
      refresh_at_ = now + kHistoryRefresh;
      for (const api::MetricSpec& metric : spec_.metrics) remember(metric, load);
    }
    foresight_.add_to(observation, spec_, history, now, find_zones_,
                      [this](const std::string& metric) {
                        const auto found = histories_.find(metric);
                        return found == histories_.end() ? nullptr : found->second;
                      });
  }

 private:
  static const std::vector<double>* values_of(const api::MetricSpec& metric,
                                              const LoadSoFar& load) {
    switch (metric.type) {
      case api::MetricType::kLatency:
        return &load.arrivals_per_second;
      case api::MetricType::kCpu:
        return &load.cores;
      case api::MetricType::kQueueLength:
        return metric.drain_seconds ? &load.arrivals_per_second : &load.queue_length;
      case api::MetricType::kPrometheus:
        return nullptr;
    }
    return nullptr;
  }

  void remember(const api::MetricSpec& metric, const LoadSoFar& load) {
    const std::vector<double>* values = values_of(metric, load);
    if (values == nullptr) return;
    const auto of_step = static_cast<std::size_t>(kHistoryStep / load.step);
    const std::size_t steps = values->size() / of_step;
    const auto most = static_cast<std::size_t>(
        std::chrono::days(std::max(1, spec_.prediction->history_days)) / kHistoryStep);
    const std::size_t first = steps > most ? steps - most : 0;
    auto series = std::make_shared<scaling::LoadSeries>();
    series->begin = load.start + static_cast<int>(first) * kHistoryStep;
    series->step = kHistoryStep;
    for (std::size_t i = first; i < steps; ++i) {
      double sum = 0;
      for (std::size_t j = i * of_step; j < (i + 1) * of_step; ++j) sum += (*values)[j];
      series->values.push_back(static_cast<float>(sum / static_cast<double>(of_step)));
    }
    histories_[metric.name] = std::move(series);
  }

  const api::ScalableAppSpec spec_;
  const scaling::Foresight::FindZones find_zones_;
  scaling::Foresight foresight_;
  std::map<std::string, std::shared_ptr<const scaling::LoadSeries>> histories_;
  WallTime refresh_at_{};
};

}  // namespace

Advisor make_advisor(const api::ScalableAppSpec& spec, scaling::Foresight::FindZones find_zones) {
  if (!spec.prediction && spec.schedules.empty()) return {};
  const auto foresight = std::make_shared<RunForesight>(spec, std::move(find_zones));
  return [foresight](WallTime now, const LoadSoFar& load, const api::ScalingHistory& history,
                     scaling::Observation& observation) {
    foresight->advise(now, load, history, observation);
  };
}

}  // namespace scalableapp::simulation
