#include "operator/scaling/prediction.h"

#include <algorithm>
#include <cmath>

#include "operator/scaling/forecast.h"
#include "operator/scaling/text.h"

namespace scalableapp::scaling {

Prediction predict(const api::ScalableAppSpec& spec, const Observation& observation,
                   std::span<const Signal> signals) {
  Prediction prediction;
  if (!spec.prediction) return prediction;
  for (const Forecast& forecast : observation.forecasts) {
    const auto signal = std::ranges::find_if(
        signals, [&](const Signal& s) { return s.metric->name == forecast.metric; });
    if (signal == signals.end()) continue;
    prediction.has_forecast = true;
    prediction.highest_error = std::max(prediction.highest_error, forecast.error);
    if (!signal->proposal || signal->fallback || !(signal->load_per_replica > 0)) continue;
    // Without its model a queue's load is its length, which no forecast is about.
    if (signal->metric->drain_seconds && !signal->by_drain) continue;
    const double believed =
        load_with_forecast(signal->load, forecast, spec.prediction->max_error_percent / 100.0);
    if (!(believed > signal->load)) continue;
    const auto count = [&](double each) {
      return each > 0 ? static_cast<int>(std::min(std::ceil(believed / each - 1e-9), 1e6)) : 0;
    };
    // Between what a replica should and what it can carry the count stays, or each guess would change it.
    const int current = observation.current_replicas;
    int needed = count(signal->load_per_replica);
    if (needed > current && count(signal->most_per_replica) <= current) needed = current;
    if (needed <= prediction.replicas) continue;
    prediction.replicas = needed;
    prediction.detail = text_of("the forecast of ", Significant{forecast.expected, 4}, " for ", forecast.metric, " (now ",
                                Significant{signal->load, 4}, "; ", forecast.basis, "; ",
                                Rounded{100 * forecast.error}, "% error so far)");
  }
  return prediction;
}

}  // namespace scalableapp::scaling
