#include "operator/scaling/foresight.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "operator/scaling/schedule.h"
#include "operator/scaling/signal.h"

namespace scalableapp::scaling {
namespace {

// As long as forecast() wants the trend of the newest samples to be.
seconds recent_span(seconds horizon) {
  return std::clamp(5 * horizon, seconds{300}, seconds{1'200});
}

}  // namespace

std::vector<std::string> Foresight::add_to(Observation& observation,
                                           const api::ScalableAppSpec& spec,
                                           const api::ScalingHistory& history, WallTime now,
                                           const FindZones& find_zones,
                                           const FindHistory& find_history) {
  const double measured =
      std::min(std::ceil(history.warm_up_seconds), double{kLongestWarmUp.count()});
  const seconds warm_up = measured > 0 ? seconds{std::lround(measured)} : kAssumedWarmUp;

  std::vector<std::string> problems;
  if (!spec.schedules.empty()) {
    const TimeZones zones = find_zones(time_zone_names(spec.schedules), now);
    // A floor that has opened ahead of its window stays open when pods turn out to start faster.
    lead_ = std::max(lead_, warm_up);
    observation.schedules = active_schedules(now, lead_, spec.schedules, zones);
    if (observation.schedules.empty()) lead_ = warm_up;
    problems = schedule_problems(spec.schedules, zones);
  }

  if (!spec.prediction) {
    pasts_.clear();
    return problems;
  }
  // A decision is made every interval only.
  const seconds horizon = warm_up + seconds{spec.interval_seconds};
  static const LoadSeries kNoHistory;
  std::vector<Past> pasts;
  for (const api::MetricSpec& metric : spec.metrics) {
    const auto known = std::ranges::find(pasts_, metric.name, &Past::metric);
    Past past = known != pasts_.end() ? std::move(*known) : Past{.metric = metric.name};

    const auto reading =
        std::ranges::find(observation.readings, metric.name, &MetricReading::name);
    if (reading != observation.readings.end()) {
      const WallTime at = now - reading->age;
      const auto load = load_of(metric, *reading);
      if (!past.recent.empty() && past.recent.back().at > now) past.recent.clear();
      if (load && std::isfinite(*load) && (past.recent.empty() || at > past.recent.back().at)) {
        past.recent.push_back({at, *load});
      }
    }
    std::erase_if(past.recent, [&](const auto& point) {
      return point.at < now - recent_span(horizon);
    });

    auto series = find_history(metric.name);
    // Steps of the history are all that learning sees of a horizon.
    const seconds learned_for =
        series ? (horizon + series->step - seconds{1}) / series->step * series->step : seconds{0};
    if (series != past.history || learned_for != past.learned_for) {
      past.model = series ? learn(*series, learned_for) : ForecastModel{};
      past.history = std::move(series);
      past.learned_for = learned_for;
    }
    if (auto expected = forecast(metric.name, past.history ? *past.history : kNoHistory, past.model,
                                 past.recent, now, horizon)) {
      observation.forecasts.push_back(std::move(*expected));
    }
    pasts.push_back(std::move(past));
  }
  pasts_ = std::move(pasts);
  return problems;
}

}  // namespace scalableapp::scaling
