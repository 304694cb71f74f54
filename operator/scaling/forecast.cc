#include "operator/scaling/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

namespace scalableapp::scaling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr seconds kDay{86'400};
constexpr seconds kJudged{7 * kDay};  // Some seasons are right on some days of the week only.
constexpr seconds kLately{3'600};
constexpr seconds kLevelSpan{1'800};
constexpr int kLeastJudged = 8;  // Forecasts without which there is no error.
constexpr double kMaxRatio = 4;
// Errors below it are chance; keeps a perfect past from being all there is.
constexpr double kErrorFloor = 0.01;
constexpr double kMaxError = 10;
constexpr int kMaxSteps = 24;
constexpr int kMostBins = 90;

// Holt's alpha and beta and Gardner's phi, a step.
constexpr double kLevelGain = 0.5;
constexpr double kSlopeGain = 0.3;
constexpr double kDamping = 0.9;
constexpr int kLongGap = 6;

struct Season {
  seconds period;
  int count;
  const char* basis;
};
constexpr int kMostPeriods = 7;
constexpr std::array<Season, 4> kSeasons{{{kDay, 1, "the same time yesterday"},
                                          {kDay, kMostPeriods, "the same time on the last days"},
                                          {7 * kDay, 1, "the same time last week"},
                                          {7 * kDay, 4, "the same time in the last weeks"}}};
constexpr std::size_t kTrend = kSeasons.size();  // Its place in ForecastModel::errors.

// Between two points as the crow flies; next to a missing one, the other's for half a step.
double value_at(const LoadSeries& series, WallTime time) {
  if (series.values.empty()) return kNaN;
  const double at = std::chrono::duration<double>(time - series.begin) / series.step;
  const double size = static_cast<double>(series.values.size());
  if (at < 0 || at > size - 0.5) return kNaN;
  const auto index = static_cast<std::size_t>(at);
  const double share = at - static_cast<double>(index);
  const double left = series.values[index];
  if (share == 0) return left;
  const double right = index + 1 < series.values.size() ? series.values[index + 1] : kNaN;
  if (std::isnan(left)) return share > 0.5 ? right : kNaN;
  if (std::isnan(right)) return share > 0.5 ? kNaN : left;
  return left + share * (right - left);
}

// What the season says about `time`, before it is scaled.
double season_at(const LoadSeries& history, const Season& season, WallTime time) {
  if (season.count == 1) return value_at(history, time - season.period);
  std::array<double, kMostPeriods> values{};  // The first `count` of them, the lowest first.
  std::size_t count = 0;
  for (int i = 1; i <= season.count; ++i) {
    const double value = value_at(history, time - i * season.period);
    if (std::isnan(value)) continue;
    std::size_t place = count++;
    for (; place > 0 && values[place - 1] > value; --place) values[place] = values[place - 1];
    values[place] = value;
  }
  if (count < 2) return kNaN;
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

// How the load of late compares with the season's. A tenth of the mean load on both sides keeps
// the quiet hours' small numbers from scaling the busy ones.
class Ratio {
 public:
  explicit Ratio(double mean_load) : ballast_(mean_load / 10) {}
  void add(double load, double season) {
    if (std::isnan(load) || std::isnan(season)) return;
    load_ += load + ballast_;
    season_ += season + ballast_;
  }
  double value() const {
    if (season_ <= 0) return 1;
    return std::clamp(load_ / season_, 1 / kMaxRatio, kMaxRatio);
  }

 private:
  double ballast_;
  double load_ = 0;
  double season_ = 0;
};

// Errors of one kind of forecast, as a share of the load.
class Judge {
 public:
  void add(double expected, double came, bool lately) {
    if (std::isnan(expected) || std::isnan(came)) return;
    const double error = std::abs(expected - came);
    ++count_;
    error_ += error;
    load_ += came;
    if (!lately) return;
    ++late_count_;
    late_error_ += error;
    late_load_ += came;
  }
  std::optional<double> error() const {
    if (count_ < kLeastJudged) return std::nullopt;
    const double mean = load_ / count_;
    double worst = share(error_ / count_, mean);
    if (late_count_ > 0) {
      // Of the mean load at least: what is far off at night does not matter by day.
      worst = std::max(worst,
                       share(late_error_ / late_count_, std::max(mean, late_load_ / late_count_)));
    }
    return worst;
  }

 private:
  static double share(double error, double load) {
    if (error <= 0) return 0;
    return load > 0 ? std::min(error / load, kMaxError) : kMaxError;
  }
  int count_ = 0;
  double error_ = 0;
  double load_ = 0;
  int late_count_ = 0;
  double late_error_ = 0;
  double late_load_ = 0;
};

double higher(double a, double b) { return std::isnan(a) || b > a ? b : a; }

int steps_in(seconds horizon, seconds step) {
  return static_cast<int>(std::clamp<std::int64_t>((horizon + step - seconds(1)) / step, 1,
                                                   kMaxSteps));
}

double highest_after(const Trend& trend, int steps) {
  return trend.ready() ? std::max(trend.after(1), trend.after(steps)) : kNaN;
}

// The highest of the `steps` values after `index`.
double highest_after(const LoadSeries& series, std::size_t index, int steps) {
  double highest = kNaN;
  for (int i = 1; i <= steps && index + static_cast<std::size_t>(i) < series.values.size(); ++i) {
    highest = higher(highest, series.values[index + static_cast<std::size_t>(i)]);
  }
  return highest;
}

// The trend of recent samples, with its error over the same samples.
struct RecentTrend {
  Trend trend;
  LoadSeries series;
  std::optional<double> error;
};

RecentTrend trend_of(const std::vector<LoadPoint>& recent, WallTime now, seconds horizon) {
  const seconds step = std::clamp(horizon / 5, seconds(10), seconds(30));
  RecentTrend result;
  // Bins that end at `now`, each with the mean of its samples.
  std::array<double, kMostBins> sums{};
  std::array<int, kMostBins> counts{};
  int bins = 0;
  for (const LoadPoint& point : recent) {
    if (point.at > now || std::isnan(point.value)) continue;
    const auto bin = (now - point.at) / step;
    if (bin >= kMostBins) continue;
    sums[static_cast<std::size_t>(bin)] += point.value;
    ++counts[static_cast<std::size_t>(bin)];
    bins = std::max(bins, static_cast<int>(bin) + 1);
  }
  LoadSeries& series = result.series;
  series.step = step;
  series.begin = now - bins * step + milliseconds(step) / 2;
  for (auto bin = static_cast<std::size_t>(bins); bin-- > 0;) {
    series.values.push_back(static_cast<float>(counts[bin] == 0 ? kNaN : sums[bin] / counts[bin]));
  }
  const int steps = steps_in(horizon, step);
  Judge judge;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    result.trend.add(series.values[i]);
    if (i + static_cast<std::size_t>(steps) >= series.values.size()) continue;
    judge.add(highest_after(result.trend, steps), highest_after(series, i, steps), false);
  }
  result.error = judge.error();
  return result;
}

std::string span_text(seconds span) {
  const auto minutes = std::chrono::round<std::chrono::minutes>(span).count();
  return minutes <= 1 ? "the trend of the last minute"
                      : fmt::format("the trend of the last {} minutes", minutes);
}

}  // namespace

void Trend::add(double value) {
  if (std::isnan(value)) {
    if (seen == 0) return;
    if (++missing > kLongGap) {
      *this = {};
      return;
    }
    level += kDamping * slope;
    slope *= kDamping;
    return;
  }
  missing = 0;
  if (seen++ == 0) {
    level = value;
    return;
  }
  const double before = level;
  level = kLevelGain * value + (1 - kLevelGain) * (level + kDamping * slope);
  slope = kSlopeGain * (level - before) + (1 - kSlopeGain) * kDamping * slope;
}

double Trend::after(double steps) const {
  // The sum of kDamping^1 to kDamping^steps.
  const double reach = kDamping * (1 - std::pow(kDamping, steps)) / (1 - kDamping);
  return std::max(0.0, level + slope * reach);
}

ForecastModel learn(const LoadSeries& history, seconds horizon) {
  ForecastModel model;
  const std::size_t size = history.values.size();
  if (size == 0) return model;
  const auto points_in = [&](seconds span) {
    return static_cast<std::size_t>(span / history.step);
  };
  const int steps = steps_in(horizon, history.step);
  const std::size_t judged = size - std::min(size, points_in(kJudged));
  const std::size_t lately = size - std::min(size, points_in(kLately) + std::size_t(steps));
  const std::size_t level_points = std::max<std::size_t>(1, points_in(kLevelSpan));
  const auto time_of = [&](std::size_t i) {
    return history.begin + static_cast<std::int64_t>(i) * history.step;
  };

  double sum = 0;
  std::size_t known = 0;
  for (std::size_t i = judged; i < size; ++i) {
    if (std::isnan(history.values[i])) continue;
    sum += history.values[i];
    ++known;
  }
  model.mean_load = known == 0 ? 0 : sum / static_cast<double>(known);

  std::array<Judge, kSeasons.size() + 1> judges;
  const std::size_t first = judged - std::min(judged, level_points - 1);
  std::vector<double> said(size - first);
  for (std::size_t s = 0; s < kSeasons.size(); ++s) {
    for (std::size_t i = first; i < size; ++i) {
      said[i - first] = season_at(history, kSeasons[s], time_of(i));
    }
    for (std::size_t i = judged; i + 1 < size; ++i) {
      Ratio ratio(model.mean_load);
      for (std::size_t j = i + 1 - std::min(i + 1 - first, level_points); j <= i; ++j) {
        ratio.add(history.values[j], said[j - first]);
      }
      double expected = kNaN;
      for (std::size_t j = i + 1; j < size && j <= i + static_cast<std::size_t>(steps); ++j) {
        expected = higher(expected, said[j - first]);
      }
      judges[s].add(ratio.value() * expected, highest_after(history, i, steps), i >= lately);
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    model.trend.add(history.values[i]);
    if (i < judged || i + 1 == size) continue;
    judges[kTrend].add(highest_after(model.trend, steps), highest_after(history, i, steps),
                       i >= lately);
  }
  model.trend_at = time_of(size - 1);
  for (std::size_t i = 0; i < judges.size(); ++i) model.errors[i] = judges[i].error();
  return model;
}

std::optional<Forecast> forecast(const std::string& metric, const LoadSeries& history,
                                 const ForecastModel& model, const std::vector<LoadPoint>& recent,
                                 WallTime now, seconds horizon) {
  horizon = std::max(horizon, seconds(1));
  const RecentTrend fine = trend_of(recent, now, horizon);
  std::array<std::optional<double>, kSeasons.size() + 1> errors = model.errors;
  const bool use_fine = fine.error && fine.trend.ready();
  if (use_fine) {
    errors[kTrend] = fine.error;
  } else if (!model.trend.ready() || now - model.trend_at > kLevelSpan) {
    errors[kTrend].reset();
  }

  // The load of the last half hour: the history's, and after its end that of the samples.
  std::vector<LoadPoint> level;
  const auto collect = [&](const LoadSeries& series, WallTime after) {
    for (std::size_t i = series.values.size(); i-- > 0;) {
      const WallTime at = series.begin + static_cast<std::int64_t>(i) * series.step;
      if (at <= after || at <= now - kLevelSpan) break;
      if (at <= now) level.push_back({at, series.values[i]});
    }
  };
  collect(history, WallTime::min());
  collect(fine.series, level.empty() ? WallTime::min() : level.front().at);

  std::array<double, kSeasons.size()> ratios{};
  for (std::size_t s = 0; s < kSeasons.size(); ++s) {
    if (!errors[s]) continue;
    Ratio ratio(model.mean_load);
    for (const LoadPoint& point : level) {
      ratio.add(point.value, season_at(history, kSeasons[s], point.at));
    }
    ratios[s] = ratio.value();
  }
  const auto expected_by = [&](std::size_t kind, WallTime time) {
    if (kind < kTrend) return ratios[kind] * season_at(history, kSeasons[kind], time);
    if (use_fine) {  // The last bin's value is that of its middle.
      return fine.trend.after(std::chrono::duration<double>(time - now) / fine.series.step + 0.5);
    }
    return model.trend.after(std::chrono::duration<double>(time - model.trend_at) / history.step);
  };

  std::optional<Forecast> best;
  constexpr int kLooks = 8;
  for (int look = 1; look <= kLooks; ++look) {
    const WallTime time = now + milliseconds(horizon) * look / kLooks;
    double weights = 0, load = 0, error = 0, heaviest = 0;
    std::size_t kind = 0;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (!errors[i]) continue;
      const double value = expected_by(i, time);
      if (std::isnan(value)) continue;
      const double weight = 1 / (*errors[i] * *errors[i] + kErrorFloor * kErrorFloor);
      weights += weight;
      load += weight * value;
      // The error of a weighted mean is at most the weighted mean of the errors.
      error += weight * *errors[i];
      if (weight > heaviest) {
        heaviest = weight;
        kind = i;
      }
    }
    if (weights <= 0 || (best && load / weights < best->expected)) continue;
    best = Forecast{.metric = metric,
                    .at = time,
                    .expected = load / weights,
                    .error = error / weights,
                    .basis = kind < kTrend ? kSeasons[kind].basis
                             : use_fine    ? span_text(static_cast<int>(fine.series.values.size()) *
                                                       fine.series.step)
                                           : "the trend of the last hour"};
  }
  return best;
}

double forecast_weight(double error, double max_error) {
  if (!(max_error > 0)) return 0;
  return std::clamp(1 - error / max_error, 0.0, 1.0);
}

double load_with_forecast(double load, const Forecast& forecast, double max_error) {
  const double weight = forecast_weight(forecast.error, max_error);
  return load + weight * std::max(0.0, forecast.expected - load);
}

}  // namespace scalableapp::scaling
