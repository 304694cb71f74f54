#include "operator/scaling/forecast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <string>

namespace scalableapp::scaling {
namespace {

constexpr WallTime kNow{seconds{1'800'000'000}};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr seconds kStep{300};
constexpr seconds kMinute{60};
constexpr seconds kHour{3600};
constexpr seconds kDay{86'400};

// `load` says the load at so many seconds before (negative) or after kNow.
using Load = std::function<double(double)>;

// The history up to `end`, and not beyond it.
LoadSeries history_of(const Load& load, seconds span, WallTime end = kNow) {
  LoadSeries series{end - span, kStep, {}};
  for (WallTime time = series.begin; time <= end; time += kStep) {
    series.values.push_back(
        static_cast<float>(load(std::chrono::duration<double>(time - kNow).count())));
  }
  return series;
}
std::vector<LoadPoint> recent_of(const Load& load, seconds span, WallTime now = kNow) {
  std::vector<LoadPoint> points;
  for (WallTime time = now - span; time <= now; time += seconds(2)) {
    points.push_back({time, load(std::chrono::duration<double>(time - kNow).count())});
  }
  return points;
}

// A wave with its low at kNow plus `shift`.
double wave(double at, double period, double shift = 0) {
  return 0.5 - 0.5 * std::cos((at - shift) / period * 2 * std::numbers::pi);
}
double day_wave(double at, double shift = 0) { return wave(at, 86'400, shift); }

// Reproducible noise that is a function of time.
Load with_noise(Load load, std::uint64_t seed,
                const std::function<double(std::mt19937_64&)>& draw) {
  return [=](double at) {
    std::mt19937_64 random(seed ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(at)) *
                                      0x9e3779b97f4a7c15U);
    return std::max(0.0, load(at) * draw(random));
  };
}

std::optional<Forecast> forecast_from(const LoadSeries& history,
                                      const std::vector<LoadPoint>& recent, seconds horizon,
                                      WallTime now = kNow) {
  return forecast("requests", history, learn(history, horizon), recent, now, horizon);
}

TEST(Forecast, ASineOverTheDayIsForecastAtEachHourAndHorizon) {
  const Load load = [](double at) { return 20 + 400 * day_wave(at); };
  for (const seconds horizon : {seconds(10), seconds(90), seconds(300), seconds(900)}) {
    for (int hour = 0; hour < 24; ++hour) {
      const WallTime now = kNow + hour * kHour;
      const double from = hour * 3600;
      const auto got = forecast_from(history_of(load, 15 * kDay, now - kMinute),
                                     recent_of(load, 5 * kMinute, now), horizon, now);
      ASSERT_TRUE(got);
      const double wanted = std::max(load(from), load(from + double(horizon.count())));
      EXPECT_NEAR(got->expected, wanted, 0.02 * 400) << horizon.count() << " s at hour " << hour;
      EXPECT_LT(got->error, 0.05);
      EXPECT_EQ(got->metric, "requests");
      EXPECT_GT(got->at, now);
      EXPECT_LE(got->at, now + horizon);
    }
  }
}

TEST(Forecast, ADailyStepIsKnownBeforeItComes) {
  const Load load = [](double at) {
    return std::fmod(at + 100 * 86'400.0 - 240, 86'400) < 4 * 3600 ? 300.0 : 100.0;
  };
  const auto got =
      forecast_from(history_of(load, 15 * kDay), recent_of(load, 5 * kMinute), seconds(300));
  ASSERT_TRUE(got);
  EXPECT_GT(got->expected, 250);
  EXPECT_GT(forecast_weight(got->error, 0.5), 0.8);
  EXPECT_EQ(got->basis, "the same time yesterday");
}

TEST(Forecast, TheHighestLoadUntilThenCountsAndNotOnlyTheLast) {
  // A peak of ten minutes every day that has passed again by the horizon.
  const Load load = [](double at) {
    const double since = std::fmod(at + 100 * 86'400.0, 86'400);
    return since >= 300 && since < 900 ? 200.0 : 100.0;
  };
  const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(1800));
  ASSERT_TRUE(got);
  EXPECT_NEAR(got->expected, 200, 10);
  EXPECT_LE(got->at, kNow + seconds(900));
}

TEST(Forecast, AMondayIsForecastFromTheLastMonday) {
  // Now is Monday 08:00; on weekends nothing happens.
  const Load load = [](double at) {
    const double hours = at / 3600 + 8 + 100 * 7 * 24;
    const double day = std::fmod(std::floor(hours / 24), 7);
    const double hour = std::fmod(hours, 24);
    return day >= 5 ? 10.0 : 10 + 200 * std::max(0.0, std::sin((hour - 8) / 10 * std::numbers::pi));
  };
  const auto got =
      forecast_from(history_of(load, 15 * kDay), recent_of(load, 5 * kMinute), seconds(900));
  ASSERT_TRUE(got);
  EXPECT_NEAR(got->expected, load(900), 4) << "yesterday says " << load(900 - 86'400);
  EXPECT_LT(got->error, 0.1);
  EXPECT_TRUE(got->basis == "the same time last week" ||
              got->basis == "the same time in the last weeks")
      << got->basis;
}

TEST(Forecast, ABusierDayThanYesterdayIsScaledUp) {
  const Load load = [](double at) {
    return (at > -12 * 3600 ? 1.5 : 1.0) * (50 + 400 * day_wave(at, 6 * 3600));
  };
  const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(600));
  ASSERT_TRUE(got);
  const double wanted = std::max(load(0), load(600));
  EXPECT_NEAR(got->expected, wanted, 0.05 * wanted);
}

TEST(Forecast, AGrowingTrendIsFollowedWithAndWithoutSeasons) {
  const Load load = [](double at) { return 500 + at * 0.02; };  // 72 an hour.
  for (const seconds span : {3 * kHour, 6 * kHour}) {
    const auto got = forecast_from(history_of(load, span), {}, seconds(900));
    ASSERT_TRUE(got);
    EXPECT_NEAR(got->expected, load(900), 8);
    EXPECT_GT(got->expected, load(0) + 5);
    EXPECT_EQ(got->basis, "the trend of the last hour");
  }
}

TEST(Forecast, WithoutAHistoryTheTrendOfTheLastMinutesIsUsed) {
  const Load load = [](double at) { return 200 + std::max(0.0, at + 240) * 0.5; };
  const auto got = forecast_from({}, recent_of(load, 5 * kMinute), seconds(60));
  ASSERT_TRUE(got);
  EXPECT_GT(got->expected, load(0) + 10);
  EXPECT_LT(got->expected, load(60) * 1.03);
  EXPECT_LT(got->error, 0.1);
  EXPECT_EQ(got->basis, "the trend of the last 5 minutes");
}

TEST(Forecast, WithoutEnoughOfEitherThereIsNone) {
  const Load load = [](double) { return 100.0; };
  EXPECT_FALSE(forecast_from({}, {}, seconds(60)));
  EXPECT_FALSE(forecast_from({}, recent_of(load, seconds(60)), seconds(60)));
  EXPECT_FALSE(forecast_from(history_of(load, seconds(1800)), {}, seconds(60)));
  EXPECT_TRUE(forecast_from(history_of(load, 2 * kHour), {}, seconds(60)));
}

TEST(Forecast, AHistoryThatEndedLongAgoGivesNoTrend) {
  const Load load = [](double) { return 100.0; };
  EXPECT_TRUE(forecast_from(history_of(load, 6 * kHour, kNow - 10 * kMinute), {}, kMinute));
  EXPECT_FALSE(forecast_from(history_of(load, 6 * kHour, kNow - kHour), {}, kMinute));
}

TEST(Forecast, WhiteNoiseHasNoSay) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Load load = with_noise([](double) { return 100.0; }, seed, [](auto& random) {
      return std::exponential_distribution<double>(1)(random);
    });
    const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(120));
    ASSERT_TRUE(got);
    EXPECT_GT(got->error, 0.5) << "seed " << seed;
    EXPECT_EQ(forecast_weight(got->error, 0.5), 0) << "seed " << seed;
  }
}

TEST(Forecast, SomeNoiseOnADayCostsSomeOfItsSay) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Load calm = [](double at) { return 100 + 400 * day_wave(at, 15 * 3600); };
    const Load load = with_noise(calm, seed, [](auto& random) {
      return std::normal_distribution<double>(1, 0.1)(random);
    });
    const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(300));
    ASSERT_TRUE(got);
    EXPECT_NEAR(got->expected, calm(300), 0.15 * calm(300)) << "seed " << seed;
    const double weight = forecast_weight(got->error, 0.5);
    EXPECT_GT(weight, 0.5) << "seed " << seed;
    EXPECT_LT(weight, 0.9) << "seed " << seed;
  }
}

TEST(Forecast, AOneOffSpikeYesterdayDoesNotComeAgainWithItsFullWeight) {
  const Load load = [](double at) {
    const double spike = at > -86'400 - 60 && at < -86'400 + 1800 ? 1000 : 0;
    return 100 + 50 * day_wave(at) + spike;
  };
  const auto got =
      forecast_from(history_of(load, 15 * kDay), recent_of(load, 5 * kMinute), seconds(300));
  ASSERT_TRUE(got);
  EXPECT_LT(got->expected, 100 + 1000 / 4.0);
  EXPECT_LT(load_with_forecast(load(0), *got, 0.5), 200);
}

TEST(Forecast, WhatHappensEveryDayDoesComeAgain) {
  const Load load = [](double at) {
    const double since = std::fmod(at + 100 * 86'400.0, 86'400);
    return 100 + (since > 60 && since < 1800 ? 1000.0 : 0.0);
  };
  const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(300));
  ASSERT_TRUE(got);
  EXPECT_GT(load_with_forecast(100, *got, 0.5), 900);
}

TEST(Forecast, GapsAreLeftOut) {
  const Load load = [](double at) { return 100 + 400 * day_wave(at, 9 * 3600); };
  LoadSeries history = history_of(load, 15 * kDay);
  std::mt19937_64 random(7);
  for (float& value : history.values) {
    if (random() % 10 < 3) value = std::numeric_limits<float>::quiet_NaN();
  }
  // And all of yesterday.
  const std::size_t size = history.values.size();
  for (std::size_t i = size - 2 * 288; i < size - 288 + 24; ++i) {
    history.values[i] = static_cast<float>(kNan);
  }
  const auto got = forecast_from(history, {}, seconds(300));
  ASSERT_TRUE(got);
  const double wanted = std::max(load(0), load(300));
  EXPECT_NEAR(got->expected, wanted, 0.05 * wanted) << "seed 7";
  history.values.assign(size, static_cast<float>(kNan));
  EXPECT_FALSE(forecast_from(history, {}, seconds(300)));
}

TEST(Forecast, ConstantsStayWhatTheyAre) {
  for (const double level : {0.0, 1e-6, 5.0, 1e9}) {
    const Load load = [level](double) { return level; };
    const auto got =
        forecast_from(history_of(load, 15 * kDay), recent_of(load, 5 * kMinute), seconds(60));
    ASSERT_TRUE(got);
    EXPECT_NEAR(got->expected, level, level * 1e-6);
    EXPECT_NEAR(got->error, 0, 1e-6);
  }
}

TEST(Forecast, ASurgeThatNothingForetoldLowersTheSayAndTheTrendTakesOver) {
  const Load load = [](double at) { return at > -1800 ? 500.0 : 100.0; };
  const auto got = forecast_from(history_of(load, 15 * kDay), {}, seconds(300));
  ASSERT_TRUE(got);
  EXPECT_LT(forecast_weight(got->error, 0.5), 0.5);
  EXPECT_NEAR(got->expected, 500, 50);
  EXPECT_EQ(got->basis, "the trend of the last hour");
}

TEST(Forecast, IsNeverBelowZeroNorInfinite) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const Load load = [&](double) {
      switch (random() % 5) {
        case 0:
          return 0.0;
        case 1:
          return 1e12;
        case 2:
          return kNan;
        default:
          return static_cast<double>(random() % 100);
      }
    };
    const auto got = forecast_from(history_of(load, (1 + seed % 15) * kDay),
                                   recent_of(load, seed % 2 * 5 * kMinute), seconds(seed * 7));
    if (!got) continue;
    EXPECT_TRUE(std::isfinite(got->expected) && got->expected >= 0) << "seed " << seed;
    EXPECT_TRUE(std::isfinite(got->error) && got->error >= 0) << "seed " << seed;
  }
}

// Lunch and dinner, weekends at half, 5 % noise: what is missing for the next `horizon` if one
// scales for the load now, and if one believes the forecast; and what is too much then.
TEST(Forecast, OverAWeekOfTwoPeaksItSavesMostOfWhatIsMissingAndAddsLittle) {
  const std::uint64_t seed = 20270115;
  const Load calm = [](double at) {
    const double hours = at / 3600 + 100 * 7 * 24;
    const double hour = std::fmod(hours, 24);
    const double day = std::fmod(std::floor(hours / 24), 7);
    const auto peak = [&](double middle, double width) {
      return std::exp(-(hour - middle) * (hour - middle) / (2 * width * width));
    };
    return (day >= 5 ? 0.5 : 1.0) * (50 + 500 * peak(12.5, 0.7) + 700 * peak(19, 1.0));
  };
  const Load load = with_noise(calm, seed, [](auto& random) {
    return std::normal_distribution<double>(1, 0.05)(random);
  });
  const LoadSeries all = history_of(load, 23 * kDay, kNow + 8 * kDay);
  for (const seconds horizon : {seconds(300), seconds(900)}) {
    const auto steps = horizon / kStep;
    double came = 0, missing_without = 0, missing = 0, too_much = 0;
    for (WallTime now = kNow; now < kNow + 7 * kDay; now += 3 * kStep) {
      const auto here = all.values.begin() + (now - all.begin) / kStep;
      const LoadSeries history{now - 15 * kDay, kStep, {here - 15 * kDay / kStep, here + 1}};
      const double present = *here;
      const double highest = *std::max_element(here + 1, here + 1 + steps);
      const auto got = forecast_from(history, {}, horizon, now);
      ASSERT_TRUE(got);
      const double planned = load_with_forecast(present, *got, 0.5);
      came += highest;
      missing_without += std::max(0.0, highest - present);
      missing += std::max(0.0, highest - planned);
      too_much += std::max(0.0, planned - std::max(highest, present));
    }
    std::printf("seed %llu horizon %lld s: missing %.3f -> %.3f, too much %.3f of the load\n",
                static_cast<unsigned long long>(seed), static_cast<long long>(horizon.count()),
                missing_without / came, missing / came, too_much / came);
    EXPECT_LT(missing, 0.6 * missing_without) << "seed " << seed;
    EXPECT_LT(too_much, 0.05 * came) << "seed " << seed;
  }
}

TEST(ForecastWeight, FallsFromOneToZeroAtTheHighestError) {
  EXPECT_EQ(forecast_weight(0, 0.5), 1);
  EXPECT_EQ(forecast_weight(0.25, 0.5), 0.5);
  EXPECT_EQ(forecast_weight(0.5, 0.5), 0);
  EXPECT_EQ(forecast_weight(3, 0.5), 0);
  EXPECT_EQ(forecast_weight(0, 0), 0);
  const Forecast more{.expected = 200, .error = 0.125};
  EXPECT_EQ(load_with_forecast(100, more, 0.5), 175);
  EXPECT_EQ(load_with_forecast(300, more, 0.5), 300) << "never takes capacity away";
}

}  // namespace
}  // namespace scalableapp::scaling
