#include "operator/plugin/advisor.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "operator/platform/time_zone.h"
#include "operator/scaling/foresight.h"
#include "operator/scaling/schedule.h"

namespace scalableapp::plugin {
namespace {

// As the operator reads Prometheus' history: points of 5 min, news every 10 min.
constexpr seconds kStep{300};
constexpr seconds kRefresh{600};

// Means over kStep of values that are `step` apart; the last, incomplete one is left out.
std::shared_ptr<const scaling::LoadSeries> series_of(const std::vector<double>& values,
                                                     WallTime start, seconds step, int days) {
  auto series = std::make_shared<scaling::LoadSeries>();
  const auto group = static_cast<std::size_t>(kStep / step);
  const std::size_t complete = values.size() / group;
  const auto most = static_cast<std::size_t>(days) * (std::chrono::days{1} / kStep);
  const std::size_t first = complete > most ? complete - most : 0;
  series->begin = start + kStep * first;
  series->step = kStep;
  for (std::size_t i = first; i < complete; ++i) {
    double sum = 0;
    for (std::size_t n = 0; n < group; ++n) sum += values[i * group + n];
    series->values.push_back(static_cast<float>(sum / static_cast<double>(group)));
  }
  return series;
}

class Adviser {
 public:
  Adviser(const api::ScalableAppSpec& spec, const simulation::Workload& workload) : spec_(spec) {
    // The operator has measured it; here it is what the workload says.
    history_.warm_up_seconds = workload.create_seconds + workload.startup_seconds +
                               workload.warmup_seconds + spec.readiness.min_warm_seconds;
  }

  void advise(WallTime now, const simulation::LoadSoFar& load, scaling::Observation& observation) {
    observation.forecasts.clear();
    observation.schedules.clear();
    if (now >= next_refresh_) {
      next_refresh_ = now + kRefresh;
      refresh(load);
    }
    foresight_.add_to(
        observation, spec_, history_, now,
        [this](const std::vector<std::string>& names, WallTime time) {
          return zones_.find(names, time);
        },
        [this](const std::string& metric) -> std::shared_ptr<const scaling::LoadSeries> {
          const auto found = series_.find(metric);
          return found == series_.end() ? nullptr : found->second;
        });
  }

 private:
  void refresh(const simulation::LoadSoFar& load) {
    if (!spec_.prediction) return;
    for (const api::MetricSpec& metric : spec_.metrics) {
      const std::vector<double>* values = nullptr;
      if (metric.type == api::MetricType::kLatency) values = &load.arrivals_per_second;
      if (metric.type == api::MetricType::kCpu) values = &load.cores;
      if (metric.type == api::MetricType::kQueueLength) values = &load.queue_length;
      if (values == nullptr) continue;  // Its query's history is not in the trace's load.
      series_[metric.name] =
          series_of(*values, load.start, load.step, spec_.prediction->history_days);
    }
  }

  api::ScalableAppSpec spec_;
  api::ScalingHistory history_;
  scaling::Foresight foresight_;
  TimeZoneCache zones_;
  WallTime next_refresh_{};
  std::map<std::string, std::shared_ptr<const scaling::LoadSeries>> series_;
};

}  // namespace

simulation::Advisor make_advisor(const api::ScalableAppSpec& spec,
                                 const simulation::Workload& workload) {
  if (spec.schedules.empty() && !spec.prediction) return {};
  return [adviser = std::make_shared<Adviser>(spec, workload)](
             WallTime now, const simulation::LoadSoFar& load, scaling::Observation& observation) {
    adviser->advise(now, load, observation);
  };
}

std::vector<std::string> schedule_problems_of(const api::ScalableAppSpec& spec, WallTime start) {
  TimeZoneCache zones;
  return scaling::schedule_problems(spec.schedules,
                                    zones.find(scaling::time_zone_names(spec.schedules), start));
}

}  // namespace scalableapp::plugin
