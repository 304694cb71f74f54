// What the calendar and the past add to a decision: schedules, forecasts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::pods;
using test::reading;
using test::rules;
using testing::ElementsAre;
using testing::HasSubstr;

api::Condition condition(const Decision& decision, std::string_view type) {
  const auto found = std::ranges::find(decision.conditions, type, &api::Condition::type);
  return found == decision.conditions.end() ? api::Condition{} : *found;
}

// --- schedules

Decision with_schedules(double needed, std::vector<ActiveSchedule> schedules, int current = 6,
                        api::ScalableAppSpec spec = app({test::needed()}, test::unlimited_behavior(), 2, 20)) {
  Observation observation = test::observe(current, {reading("needed", needed)});
  observation.schedules = std::move(schedules);
  return decide(kNow, spec, observation, {});
}
const ActiveSchedule kDinner{"dinner", 10, std::nullopt};
const ActiveSchedule kNight{"night", std::nullopt, 4};

TEST(Schedules, AFloorRaises) {
  const Decision decision = with_schedules(3, {kDinner});
  EXPECT_EQ(decision.replicas, 10);
  EXPECT_EQ(decision.reason, "Scheduled");
  EXPECT_THAT(decision.clamps, ElementsAre("scheduledMin"));
  EXPECT_EQ(decision.message, "6 -> 10: needed 3 under 1 per replica needs 3; raised to 10 by the minimum "
                              "of 10 of schedule dinner");
  EXPECT_EQ(with_schedules(15, {kDinner}).replicas, 15) << "more is fine";
}

TEST(Schedules, ACeilingLowers) {
  const Decision decision = with_schedules(15, {kNight});
  EXPECT_EQ(decision.replicas, 4);
  EXPECT_THAT(decision.clamps, ElementsAre("scheduledMax"));
  EXPECT_EQ(condition(decision, "ScalingLimited").status, api::ConditionStatus::kTrue);
  EXPECT_EQ(with_schedules(3, {kNight}).replicas, 3) << "fewer is fine";
}

TEST(Schedules, TheHighestFloorAndTheLowestCeilingHold) {
  EXPECT_EQ(with_schedules(3, {kDinner, {"sale", 12, std::nullopt}}).replicas, 12);
  EXPECT_EQ(with_schedules(15, {kNight, {"holiday", std::nullopt, 3}}).replicas, 3);
}

TEST(Schedules, AFloorOverACeilingWins) {
  for (const double needed : {3.0, 15.0}) {
    EXPECT_EQ(with_schedules(needed, {kNight, kDinner}).replicas, 10) << needed;
  }
}

TEST(Schedules, StayWithinTheSpec) {
  EXPECT_EQ(with_schedules(3, {{"sale", 50, std::nullopt}}).replicas, 20) << "the maximum";
  EXPECT_EQ(with_schedules(15, {{"off", std::nullopt, 1}}).replicas, 2) << "the minimum";
  EXPECT_EQ(with_schedules(3, {{"low", 1, std::nullopt}}).replicas, 3) << "a floor below the minimum";
  EXPECT_EQ(with_schedules(30, {{"high", std::nullopt, 40}}).replicas, 20) << "a ceiling over the maximum";
}

TEST(Schedules, AFloorBeatsPoliciesAndWindows) {
  const auto spec = app({test::needed()}, {rules(300, {pods(1, 60)}), rules(300, {pods(1, 60)})}, 2, 20);
  EXPECT_EQ(with_schedules(3, {kDinner}, 6, spec).replicas, 10);
  EXPECT_EQ(with_schedules(15, {kNight}, 15, spec).replicas, 4);
}

TEST(Schedules, AFloorHoldsThoughMetricsAreMissing) {
  Observation observation = test::observe(6, {test::missing("needed")});
  observation.schedules = {kDinner};
  EXPECT_EQ(decide(kNow, app({test::needed()}, test::unlimited_behavior(), 2, 20), observation, {}).replicas, 10);
}

TEST(Schedules, AFloorStartsAnAppThatIsAtZeroAndKeepsIt) {
  auto spec = app({test::backlog()}, test::unlimited_behavior(), 0, 20);
  spec.idle_seconds = 0;
  Observation observation = test::observe(0, {reading("backlog", 0)});
  observation.schedules = {kDinner};
  EXPECT_EQ(decide(kNow, spec, observation, {}).replicas, 10);
  observation = test::observe(10, {reading("backlog", 0)});
  observation.schedules = {kDinner};
  EXPECT_EQ(decide(kNow, spec, observation, {}).replicas, 10);
}

TEST(Schedules, AnOverrideIsStronger) {
  auto spec = app({test::needed()}, test::unlimited_behavior(), 2, 20);
  spec.override_replicas = 3;
  EXPECT_EQ(with_schedules(15, {kDinner, kNight}, 6, spec).replicas, 3);
}

TEST(Schedules, WhatEndsIsLeftByTheUsualRules) {
  test::Timeline timeline(app({test::needed()}, {rules(0, {}), rules(60, {pods(1, 15)})}, 2, 20), 10);
  EXPECT_EQ(timeline.at(0, 10).replicas, 10);
  EXPECT_EQ(timeline.at(2, 3).replicas, 10) << "first the window";
  int before = 10;
  for (int second = 4; second < 200; second += 2) {
    const int now = timeline.at(second, 3).replicas;
    ASSERT_GE(now, before - 1);
    before = now;
  }
  EXPECT_EQ(before, 3);
}

// --- forecasts

Decision with_forecast(double needed, double expected, double error, bool enabled = true, int current = 6,
                       std::string metric = "needed") {
  auto spec = app({test::needed()}, test::unlimited_behavior(), 2, 50);
  if (enabled) spec.prediction = api::Prediction{.history_days = 15, .max_error_percent = 50};
  Observation observation = test::observe(current, {reading("needed", needed)});
  observation.forecasts = {{.metric = std::move(metric),
                            .at = kNow + seconds{60},
                            .expected = expected,
                            .error = error,
                            .basis = "the same time last week"}};
  return decide(kNow, spec, observation, {});
}

TEST(Forecasts, RaiseTheCountToWhatIsExpected) {
  const Decision decision = with_forecast(6, 18, 0);
  EXPECT_EQ(decision.replicas, 18);
  EXPECT_EQ(decision.reason, "Forecast");
  EXPECT_THAT(decision.clamps, ElementsAre("forecast"));
  EXPECT_EQ(decision.message,
            "6 -> 18: needed 6 near 1 per replica; raised to 18 by the forecast of 18 for needed (now 6; the "
            "same time last week; 0% error so far)");
}

TEST(Forecasts, OnlyEverAdd) {
  for (const double needed : {1.0, 6.0, 20.0}) {
    const int without = with_forecast(needed, 0, 0, false).replicas;
    for (const double expected : {0.0, 3.0, needed, 40.0}) {
      for (const double error : {0.0, 0.2, 1.0}) {
        EXPECT_GE(with_forecast(needed, expected, error).replicas, without);
      }
    }
  }
}

TEST(Forecasts, FadeWithTheirError) {
  EXPECT_EQ(with_forecast(6, 18, 0.25).replicas, 12) << "half of it, at half the error that is allowed";
  EXPECT_EQ(with_forecast(6, 18, 0.5).replicas, 6);
  EXPECT_EQ(with_forecast(6, 18, 5).replicas, 6);
  int before = 18;
  for (double error = 0; error < 0.6; error += 0.05) {
    const int replicas = with_forecast(6, 18, error).replicas;
    EXPECT_LE(replicas, before);
    before = replicas;
  }
}

TEST(Forecasts, ACountThatIsNeededSoonIsNotGivenUp) {
  const Decision decision = with_forecast(3, 6, 0);
  EXPECT_EQ(decision.replicas, 6);
  EXPECT_THAT(decision.message, HasSubstr("held at 6: scale-down to 3 stops at the forecast of 6 for needed"));
}

TEST(Forecasts, HaveNoSayUnlessAskedFor) { EXPECT_EQ(with_forecast(6, 18, 0, false).replicas, 6); }

TEST(Forecasts, OfAnUnknownMetricHaveNoSay) {
  EXPECT_EQ(with_forecast(6, 18, 0, true, 6, "other").replicas, 6);
}

TEST(Forecasts, ThatAreNotNumbersHaveNoSay) {
  EXPECT_EQ(with_forecast(6, test::kNan, 0).replicas, 6);
  EXPECT_EQ(with_forecast(6, 18, test::kNan).replicas, 6);
  EXPECT_LE(with_forecast(6, HUGE_VAL, 0).replicas, 50);
}

TEST(Forecasts, StayWithinTheMaximum) { EXPECT_EQ(with_forecast(6, 500, 0).replicas, 50); }

TEST(Forecasts, TheConditionSaysHowGoodTheyAre) {
  api::Condition active = condition(with_forecast(6, 18, 0.12), "PredictionActive");
  EXPECT_EQ(active.status, api::ConditionStatus::kTrue);
  EXPECT_EQ(active.reason, "ForecastsHold");
  EXPECT_EQ(active.message, "forecasts were off by 12%");
  active = condition(with_forecast(6, 18, 0.8), "PredictionActive");
  EXPECT_EQ(active.status, api::ConditionStatus::kFalse);
  EXPECT_EQ(active.reason, "ErrorTooHigh");
  EXPECT_EQ(active.message, "forecasts were off by 80%, at 50% they have no say");
  active = condition(with_forecast(6, 18, 0, true, 6, "other"), "PredictionActive");
  EXPECT_EQ(active.reason, "NoForecast");
  EXPECT_EQ(condition(with_forecast(6, 18, 0, false), "PredictionActive").type, "");
}

TEST(Forecasts, OfALatencyGoByWhatAReplicaCanCarry) {
  auto spec = app({test::latency()}, test::unlimited_behavior(), 1, 100);
  spec.prediction.emplace();
  const auto observe = [](double expected) {
    MetricReading latency = reading("latency", 0.12);
    for (int i = 0; i < 6; ++i) {
      latency.loads[fmt::format("pod-{}", i)] = {.requests_per_second = 20, .concurrency = 1, .quantile_seconds = 0.12};
    }
    Observation observation = test::observe(6, {latency});
    observation.forecasts = {{.metric = "latency", .at = kNow, .expected = expected, .basis = "the trend"}};
    return observation;
  };
  api::ScalingHistory history;
  Decision decision;
  for (int second = 0; second < 60; second += 2) {
    decision = decide(kNow + seconds{second}, spec, observe(0), history);
    history = decision.history;
  }
  const int usual = decision.replicas;
  EXPECT_GE(decide(kNow + seconds{62}, spec, observe(10 * 120), history).replicas, 5 * usual);
}

}  // namespace
}  // namespace scalableapp::scaling
