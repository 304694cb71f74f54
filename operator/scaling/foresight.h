// What the calendar and the past say about an app's near future: which of its schedules are open,
// and how much load its metrics will have by the time a pod started now would be warm. Keeps the
// app's newest samples and what was learned from its history; schedule.h and forecast.h do the
// thinking. Pure, so that a simulation foresees what the operator would. One of these an app;
// thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/time_zone.h"
#include "operator/scaling/forecast.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

class Foresight {
 public:
  // Looks the names of zones up.
  using FindZones = std::function<TimeZones(const std::vector<std::string>& names, WallTime now)>;
  // The history of the metric of that name; null while there is none.
  using FindHistory =
      std::function<std::shared_ptr<const LoadSeries>(const std::string& metric)>;

  // How long a pod is taken to need where that was not measured yet.
  static constexpr seconds kAssumedWarmUp{60};
  static constexpr seconds kLongestWarmUp{900};

  // Fills in observation.schedules and, with spec.prediction, observation.forecasts. Returns what
  // is wrong with the schedules, a sentence each.
  std::vector<std::string> add_to(Observation& observation,
                                  const api::ScalableAppSpec& spec,
                                  const api::ScalingHistory& history, WallTime now,
                                  const FindZones& find_zones, const FindHistory& find_history);

 private:
  struct Past {
    std::string metric;
    std::vector<LoadPoint> recent;  // By time.
    // Kept alive, so that no other history has its address.
    std::shared_ptr<const LoadSeries> history;
    seconds learned_for{0};
    ForecastModel model;
  };
  std::vector<Past> pasts_;  // In the order of spec.metrics.
  seconds lead_{0};          // How long before their windows the floors open.
};

}  // namespace scalableapp::scaling
