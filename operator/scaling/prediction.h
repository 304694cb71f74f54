// What the forecasts of an Observation may add to the count: the expected load, believed the less the
// more such forecasts erred. Pure.
#pragma once

#include <span>
#include <string>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"
#include "operator/scaling/signal.h"

namespace scalableapp::scaling {

struct Prediction {
  int replicas = 0;     // 0: nothing to add.
  std::string detail;   // For a person.
  double highest_error = 0;
  bool has_forecast = false;
};
Prediction predict(const api::ScalableAppSpec& spec, const Observation& observation,
                   std::span<const Signal> signals);

}  // namespace scalableapp::scaling
