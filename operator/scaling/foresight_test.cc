#include "operator/scaling/foresight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace scalableapp::scaling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

WallTime at(std::string_view text) { return parse_rfc3339(text).value(); }
const WallTime kNow = at("2026-01-31T17:58:30Z");

TimeZones no_zones(const std::vector<std::string>& names, WallTime) {
  TimeZones zones;
  for (const auto& name : names) {
    if (name != "UTC") zones.emplace(name, fail(ErrorCode::kNotFound, "no zone " + name));
  }
  return zones;
}
std::shared_ptr<const LoadSeries> no_history(const std::string&) { return nullptr; }

api::ScalableAppSpec queue_app() {
  api::ScalableAppSpec spec;
  spec.metrics = {{.name = "jobs", .type = api::MetricType::kQueueLength, .target = 10}};
  spec.prediction.emplace();
  return spec;
}
Observation observe(double value, milliseconds age = seconds{0}) {
  return {.readings = {{.name = "jobs", .value = value, .age = age}}};
}

TEST(Foresight, FloorsBeginByTheMeasuredWarmUpEarly) {
  Foresight foresight;
  api::ScalableAppSpec spec;
  spec.schedules = {{"dinner", "0 18 * * *", "UTC", 3600, 10, std::nullopt},
                    {"away", "0 0 * * *", "Mars/Base", 3600, 10, std::nullopt}};
  Observation observation;
  EXPECT_THAT(foresight.add_to(observation, spec, {}, kNow, no_zones, no_history),
              ElementsAre("spec.schedules[1].timeZone: no zone Mars/Base"));
  EXPECT_THAT(observation.schedules, IsEmpty()) << "90 s before, with 60 s assumed";
  foresight.add_to(observation, spec, {.warm_up_seconds = 89.2}, kNow, no_zones, no_history);
  EXPECT_THAT(observation.schedules,
              ElementsAre(ActiveSchedule{"dinner", 10, std::nullopt}));
}

TEST(Foresight, AFloorThatHasOpenedStaysOpenWhenPodsTurnOutToStartFaster) {
  Foresight foresight;
  api::ScalableAppSpec spec;
  spec.schedules = {{"dinner", "0 18 * * *", "UTC", 3600, 10, std::nullopt}};
  const auto floors = [&](seconds after, double warm_up_seconds) {
    Observation observation;
    foresight.add_to(observation, spec, {.warm_up_seconds = warm_up_seconds}, kNow + after, no_zones,
                     no_history);
    return observation.schedules.size();
  };
  EXPECT_EQ(floors(seconds{29}, 0), 0U) << "61 s before, with 60 s assumed";
  EXPECT_EQ(floors(seconds{30}, 0), 1U);
  EXPECT_EQ(floors(seconds{40}, 8), 1U) << "8 s were measured when the first pods were ready";
  EXPECT_EQ(floors(seconds{3'690}, 8), 0U);
  EXPECT_EQ(floors(std::chrono::days{1} + seconds{40}, 8), 0U) << "the next day it is known";
  EXPECT_EQ(floors(std::chrono::days{1} + seconds{82}, 8), 1U);
}

TEST(Foresight, AHistoryGivesAForecastByTheWarmUp) {
  auto series = std::make_shared<LoadSeries>();
  series->begin = kNow - std::chrono::days{15};
  for (int i = 0; i <= 15 * 288; ++i) {
    const double day = (i - 15 * 288) / 288.0 * 2 * std::numbers::pi;
    series->values.push_back(static_cast<float>(100 + 90 * std::sin(day)));
  }
  Foresight foresight;
  auto observation = observe(100);
  foresight.add_to(observation, queue_app(), {.warm_up_seconds = 300}, kNow, no_zones,
                   [&](const std::string& metric) {
                     EXPECT_EQ(metric, "jobs");
                     return series;
                   });
  ASSERT_EQ(observation.forecasts.size(), 1U);
  EXPECT_EQ(observation.forecasts[0].metric, "jobs");
  EXPECT_NEAR(observation.forecasts[0].expected, 102, 0.5);
  EXPECT_EQ(observation.forecasts[0].at, kNow + seconds{302});
}

TEST(Foresight, WithoutAHistoryTheSamplesOfTheLastMinutesDo) {
  Foresight foresight;
  WallTime now = kNow;
  Observation observation;
  for (int i = 0; i <= 150; ++i, now += seconds{2}) {
    observation = observe(100 + i, seconds{1});
    foresight.add_to(observation, queue_app(), {.warm_up_seconds = 30}, now, no_zones, no_history);
    if (i < 50) {
      EXPECT_THAT(observation.forecasts, IsEmpty()) << i;
    }
    // Between two samples an app is looked at with the same one.
    auto again = observe(100 + i, seconds{2});
    foresight.add_to(again, queue_app(), {.warm_up_seconds = 30}, now + seconds{1}, no_zones,
                     no_history);
  }
  ASSERT_EQ(observation.forecasts.size(), 1U);
  EXPECT_GT(observation.forecasts[0].expected, 252);
  EXPECT_LT(observation.forecasts[0].expected, 270);
  EXPECT_THAT(observation.forecasts[0].basis, HasSubstr("trend"));
}

TEST(Foresight, WithoutPredictionThereIsNoForecast) {
  Foresight foresight;
  auto spec = queue_app();
  spec.prediction.reset();
  auto observation = observe(100);
  foresight.add_to(observation, spec, {}, kNow, no_zones, [](const std::string&) {
    ADD_FAILURE() << "nobody needs a history";
    return nullptr;
  });
  EXPECT_THAT(observation.forecasts, IsEmpty());
}

}  // namespace
}  // namespace scalableapp::scaling
