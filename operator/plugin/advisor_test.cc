#include "operator/plugin/advisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

simulation::Trace steady(double rate, double hours) {
  return {.name = "steady", .seconds = {0, hours * 1800}, .requests_per_second = {rate, rate}};
}

simulation::PolicyResult run(const api::ScalableApp& app, const simulation::Trace& trace) {
  simulation::Options options;
  options.advisor = make_advisor(app.spec, {});
  return simulation::simulate(app, trace, {}, simulation::Policy::kScalableApp, options).value();
}

TEST(Advisor, ThereIsNoneForAnAppThatForeseesNothing) {
  EXPECT_FALSE(make_advisor(web().spec, {}));
}

TEST(Advisor, AScheduleRaisesTheFloorOfASimulatedAppInItsTimeZone) {
  auto app = web();
  // The simulator's day begins at midnight UTC, which is one o'clock in Berlin's winter.
  app.spec.schedules = {{.name = "night",
                         .cron = "30 1 * * *",
                         .time_zone = "Europe/Berlin",
                         .duration_seconds = 600,
                         .min_replicas = 7}};
  const auto result = run(app, steady(10, 1));
  EXPECT_EQ(result.max_replicas, 7);
  for (const auto& point : result.points) {
    if (point.seconds < 1700 || point.seconds > 2600) {
      EXPECT_LT(point.replicas_desired, 7) << point.seconds;
    }
    if (point.seconds > 1810 && point.seconds < 2380) {
      EXPECT_EQ(point.replicas_desired, 7) << point.seconds;
    }
  }
}

TEST(Advisor, AForecastOnlyEverAddsCapacityAndIsTheSameEachTime) {
  auto app = web();
  simulation::Trace ramp{.name = "ramp"};
  for (int at = 0; at < 3600; at += 10) {
    ramp.seconds.push_back(at);
    ramp.requests_per_second.push_back(20 + at * 0.1);
  }
  const auto without = run(app, ramp);
  app.spec.prediction = api::Prediction{};
  const auto with = run(app, ramp);
  EXPECT_EQ(with, run(app, ramp));
  EXPECT_GT(with.replica_seconds, without.replica_seconds);
  EXPECT_LE(with.slo_violation_seconds, without.slo_violation_seconds);
}

TEST(Advisor, NamesWhatIsWrongWithASchedule) {
  auto app = web();
  app.spec.schedules = {
      {.name = "a", .cron = "0 1 * * *", .time_zone = "Europe/Bonn", .duration_seconds = 60}};
  EXPECT_THAT(schedule_problems_of(app.spec, simulation::Options().start),
              testing::ElementsAre(testing::HasSubstr("spec.schedules[0].timeZone")));
}

}  // namespace
}  // namespace scalableapp::plugin
