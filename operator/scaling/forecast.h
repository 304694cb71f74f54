// How much load there will be by the time a pod started now would be warm. Says also how far off
// such forecasts have been, measured on the series itself, so that no state has to be kept; the
// decision lets a forecast fade out by that error and uses it only to add capacity. Pure.
//
//   ForecastModel model = learn(history, horizon);                  // Once for each new history.
//   forecast("latency", history, model, recent, now, horizon);      // At each decision.
//
// Several simple forecasts are made and combined, each weighted by the inverse of its squared error
// (Bates and Granger, 1969, "The Combination of Forecasts"):
// - the load at the same time a day ago and a week ago, and the median of several days and of
//   several weeks at that time, so that what happened once does not come again with its full
//   weight; each scaled by how the last half hour compares with what it says about that half hour;
// - a damped linear trend (Holt, 1957, "Forecasting seasonals and trends by exponentially weighted
//   moving averages"; Gardner and McKenzie, 1985, "Forecasting Trends in Time Series") of the
//   history, or of recent samples where they are given.
// Days are 24 hours: after a change of the clocks the first day is off by an hour, and its error
// says so.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/time.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// Load at regular times: values[i] at begin + i * step, NaN where it is not known.
struct LoadSeries {
  WallTime begin{};
  seconds step{300};
  std::vector<float> values;
};
struct LoadPoint {
  WallTime at{};
  double value = 0;
};

// A damped trend's state; moved on by regular values.
struct Trend {
  void add(double value);               // NaN: nothing known of this step.
  double after(double steps) const;     // The load so many steps after the last; never below 0.
  bool ready() const { return seen >= 4; }

  double level = 0;
  double slope = 0;  // A step.
  int seen = 0;
  int missing = 0;  // In a row.
};

// What a history says about the forecasts made from it at one horizon.
struct ForecastModel {
  // The mean error as a share of the mean load over the last week, or that of the last hour where
  // it is higher. Nothing: that kind of forecast cannot be made, or not be judged.
  std::array<std::optional<double>, 5> errors;
  double mean_load = 0;  // Of the last week.
  Trend trend;
  WallTime trend_at{};  // The time of its last value.
};

// Every forecast that could have been made in the last week of `history`, against what came.
// A horizon below the step counts as one step. Costs some 0.2 ms for 15 days of 5 minutes.
ForecastModel learn(const LoadSeries& history, seconds horizon);

// The highest load expected in (now, now + horizon]. `history` and its `model` may be empty: then
// the trend of the recent samples is all there is. `recent` are the newest samples by time, finer
// than the history; they should reach back three horizons or more, and be none at all otherwise.
// Nothing: not enough is known. `history` may end some minutes ago. Costs some microseconds.
std::optional<Forecast> forecast(const std::string& metric, const LoadSeries& history,
                                 const ForecastModel& model, const std::vector<LoadPoint>& recent,
                                 WallTime now, seconds horizon);

// The say of a forecast with such an error: 1 without, 0 at `max_error` and above.
double forecast_weight(double error, double max_error);

// The load to scale for: `load`, and more where the forecast expects more, by its weight.
double load_with_forecast(double load, const Forecast& forecast, double max_error);

}  // namespace scalableapp::scaling
