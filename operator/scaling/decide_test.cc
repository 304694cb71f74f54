// The whole pipeline: several metrics, the HPA documentation's sections on behavior, and what the
// documentation leaves open: restarts, rollouts, overrides. One row, or one test, is one rule.
#include "operator/scaling/decide.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "operator/scaling/explain.h"
#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using api::ConditionStatus;
using test::app;
using test::kNow;
using test::percent;
using test::pods;
using test::reading;
using test::rules;
using test::Timeline;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// --- several metrics
// ------------------------------------------------------------------------------

struct MetricsRow {
  const char* name;
  std::vector<std::optional<double>> needed;  // What each metric asks for; nullopt: no answer.
  int current;
  int want;
  const char* reason;
};
void PrintTo(const MetricsRow& row, std::ostream* out) { *out << row.name; }

const MetricsRow kMetricsRows[] = {
    {"The largest proposal wins", {3, 9, 5}, 4, 9, "MetricAboveTarget"},
    {"The largest proposal wins on the way down", {3, 5}, 9, 5, "MetricBelowTarget"},
    {"One metric at its target holds the others", {3, 9}, 9, 9, "NoChangeNeeded"},
    {"All within their tolerance stay", {10.5, 9.5}, 10, 10, "WithinTolerance"},
    {"A missing metric does not stop a scale up", {std::nullopt, 9}, 4, 9, "MetricAboveTarget"},
    {"A missing metric stops a scale down", {std::nullopt, 3}, 4, 4, "PartialMetrics"},
    {"A missing metric leaves the rest within tolerance",
     {std::nullopt, 4},
     4,
     4,
     "WithinTolerance"},
    {"A metric that is not a number stops a scale down", {test::kNan, 3}, 4, 4, "PartialMetrics"},
    {"A metric without bounds stops a scale down", {HUGE_VAL, 3}, 4, 4, "PartialMetrics"},
    {"A negative metric stops a scale down", {-2, 3}, 4, 4, "PartialMetrics"},
    {"With every metric missing the count holds",
     {std::nullopt, std::nullopt},
     4,
     4,
     "MetricsUnavailable"},
    {"Without metrics the count holds", {}, 4, 4, "NoMetrics"},
    {"The maximum holds", {50}, 4, 20, "AtMaxReplicas"},
    {"The minimum holds", {0}, 4, 2, "AtMinReplicas"},
    {"Over the maximum comes down though metrics are missing",
     {std::nullopt},
     30,
     20,
     "AtMaxReplicas"},
    {"Under the minimum comes up though metrics are missing",
     {std::nullopt},
     1,
     2,
     "AtMinReplicas"},
    {"A new app begins with the minimum", {std::nullopt}, 0, 2, "AtMinReplicas"},
    {"A new app with a backlog begins with what it needs", {7}, 0, 7, "MetricAboveTarget"},
};

class SeveralMetrics : public testing::TestWithParam<MetricsRow> {};
INSTANTIATE_TEST_SUITE_P(Hpa, SeveralMetrics, testing::ValuesIn(kMetricsRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(SeveralMetrics, DecideAsDocumented) {
  const MetricsRow& row = GetParam();
  auto spec = app({}, test::unlimited_behavior(), 2, 20);
  std::vector<MetricReading> readings;
  for (std::size_t i = 0; i < row.needed.size(); ++i) {
    const std::string name = fmt::format("m{}", i);
    spec.metrics.push_back(test::needed(name));
    readings.push_back(row.needed[i] ? reading(name, *row.needed[i]) : test::missing(name));
  }
  const Decision decision = decide(kNow, spec, test::observe(row.current, readings), {});
  EXPECT_EQ(decision.replicas, row.want);
  EXPECT_EQ(decision.reason, row.reason);
}

// --- behavior over time
// ---------------------------------------------------------------------------

struct Moment {
  int second;
  double needed;
  int want;
};
struct BehaviorRow {
  const char* name;
  api::Behavior behavior;
  int start;
  std::vector<Moment> moments;  // Decisions every 15 s between them, with what was needed before.
};
void PrintTo(const BehaviorRow& row, std::ostream* out) { *out << row.name; }

api::Behavior with_down(api::ScalingRules down) {
  return {test::hpa_behavior().scale_up, std::move(down)};
}

const BehaviorRow kBehaviorRows[] = {
    {"By default a spike doubles every 15 s",
     test::hpa_behavior(),
     2,
     {{0, 900, 6}, {15, 900, 12}, {30, 900, 24}, {45, 900, 48}, {60, 900, 96}, {75, 900, 192}}},
    {"By default a scale down waits for 300 s and then goes at once",
     test::hpa_behavior(),
     50,
     {{0, 50, 50}, {15, 5, 50}, {285, 5, 50}, {300, 5, 5}}},
    {"The scale down goes to the highest recommendation of the last 300 s",
     test::hpa_behavior(),
     50,
     {{0, 50, 50}, {15, 20, 50}, {150, 5, 50}, {300, 5, 20}, {420, 5, 20}, {435, 5, 5}}},
    {"A dip is ridden out",
     test::hpa_behavior(),
     50,
     {{0, 50, 50}, {15, 5, 50}, {180, 50, 50}, {315, 50, 50}}},
    {"A window of 60 s for scale down",
     with_down(rules(60, {percent(100, 15)})),
     50,
     {{0, 50, 50}, {15, 5, 50}, {45, 5, 50}, {60, 5, 5}}},
    {"Ten percent a minute",
     with_down(rules(0, {percent(10, 60)})),
     80,
     {{0, 80, 80}, {15, 10, 72}, {60, 10, 72}, {75, 10, 64}, {135, 10, 57}}},
    {"Ten percent a minute but five pods at least are the smaller change with Min",
     with_down(rules(0, {percent(10, 60), pods(5, 60)}, api::SelectPolicy::kMin)),
     80,
     {{0, 80, 80}, {15, 10, 75}, {75, 10, 70}}},
    {"Scale down is disabled",
     with_down(rules(0, {percent(100, 15)}, api::SelectPolicy::kDisabled)),
     50,
     {{0, 5, 50}, {3600, 5, 50}}},
    {"A scale up window waits for the lowest recommendation",
     {rules(60, {pods(100, 15)}), rules(0, {})},
     4,
     {{0, 4, 4}, {15, 10, 4}, {45, 8, 4}, {60, 12, 8}, {90, 12, 8}, {105, 12, 12}}},
    {"Pods a minute go up in steps",
     {rules(0, {pods(4, 60)}), rules(0, {})},
     1,
     {{0, 20, 5}, {45, 20, 5}, {60, 20, 9}, {120, 20, 13}}},
};

class BehaviorTable : public testing::TestWithParam<BehaviorRow> {};
INSTANTIATE_TEST_SUITE_P(Hpa, BehaviorTable, testing::ValuesIn(kBehaviorRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(BehaviorTable, PlaysOutAsDocumented) {
  const BehaviorRow& row = GetParam();
  Timeline timeline(app({test::needed()}, row.behavior), row.start);
  timeline.spec.interval_seconds = 15;
  int second = 0;
  double needed = row.moments[0].needed;
  for (const Moment& moment : row.moments) {
    for (; second < moment.second; second += 15) timeline.at(second, needed);
    needed = moment.needed;
    const Decision decision = timeline.at(second, needed);
    second += 15;
    EXPECT_EQ(decision.replicas, moment.want)
        << "at " << moment.second << " s: " << decision.message;
  }
}

// --- what limits, in which order
// ------------------------------------------------------------------

TEST(Decide, EachStepThatChangesTheNumberIsListed) {
  Timeline timeline(app({test::needed()}, {rules(0, {percent(50, 15)}), rules(30, {})}, 1, 15), 12);
  const Decision decision = timeline.at(0, 21);
  EXPECT_EQ(decision.from, 12);
  EXPECT_EQ(decision.replicas, 15);
  EXPECT_THAT(decision.clamps, ElementsAre("scaleUpPolicy", "maxReplicas"));
  EXPECT_THAT(decision.steps, ElementsAre(Step{"metrics", 12, 21, "1 of 1 metrics have a value"},
                                          Step{"scaleUpPolicy", 21, 18, "scaleUp policy 50%/15s"},
                                          Step{"maxReplicas", 18, 15, "the maximum of 15"}));
  EXPECT_EQ(decision.reason, "AtMaxReplicas");
}

TEST(Decide, AChangeIsRememberedForThePolicies) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 2);
  const Decision decision = timeline.at(0, 100);
  EXPECT_THAT(decision.history.scale_events, ElementsAre(api::ScaleEvent{4, kNow}));
  EXPECT_TRUE(decision.history_changed_materially);
}

TEST(Decide, TheSameRecommendationGoingOnIsNotMaterial) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 5);
  EXPECT_TRUE(timeline.at(0, 5).history_changed_materially) << "the first one is";
  EXPECT_FALSE(timeline.at(2, 5).history_changed_materially);
  EXPECT_TRUE(timeline.at(4, 3).history_changed_materially);
  EXPECT_FALSE(timeline.at(6, 3).history_changed_materially);
}

TEST(Decide, ARolloutInFlightHoldsScaleDownButNotUp) {
  Timeline timeline(app({test::needed()}), 6);
  timeline.rollout_in_flight = true;
  Decision decision = timeline.at(0, 3);
  EXPECT_EQ(decision.replicas, 6);
  EXPECT_EQ(decision.reason, "RolloutHold");
  EXPECT_THAT(decision.clamps, ElementsAre("rolloutHold"));
  EXPECT_EQ(timeline.at(2, 9).replicas, 9);
  timeline.rollout_in_flight = false;
  EXPECT_EQ(timeline.at(4, 3).replicas, 3);
}

TEST(Decide, TheMaximumHoldsEvenInARollout) {
  Timeline timeline(app({test::needed()}, test::unlimited_behavior(), 1, 5), 8);
  timeline.rollout_in_flight = true;
  EXPECT_EQ(timeline.at(0, 3).replicas, 5);
}

TEST(Decide, AnOverrideEndsThePipeline) {
  auto spec = app({test::needed()}, test::hpa_behavior(), 3, 10);
  spec.override_replicas = 7;
  Timeline timeline(spec, 4);
  timeline.rollout_in_flight = true;
  Decision decision = timeline.at(0, 2);
  EXPECT_EQ(decision.replicas, 7);
  EXPECT_EQ(decision.reason, "ManualOverride");
  timeline.spec.override_replicas = 1;
  EXPECT_EQ(timeline.at(2, 100).replicas, 1) << "under the minimum, as wished, at once";
  timeline.spec.override_replicas = 99;
  EXPECT_EQ(timeline.at(4, 2).replicas, 10) << "the maximum holds";
  timeline.spec.override_replicas = 0;
  EXPECT_EQ(timeline.at(6, 2).replicas, 1);
  decision = timeline.at(8, std::vector<MetricReading>{test::missing("needed")});
  EXPECT_EQ(decision.reason, "ManualOverride");
  EXPECT_THAT(decision.clamps, ElementsAre("override"));
}

TEST(Decide, AnOverrideThatEndsIsLeftThroughTheWindow) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 10);
  timeline.spec.override_replicas = 10;
  timeline.at(0, 3);
  timeline.spec.override_replicas.reset();
  EXPECT_EQ(timeline.at(2, 3).reason, "Stabilizing");
}

TEST(Decide, AnOverrideHoldsUntilItsTime) {
  Timeline timeline(app({test::needed()}), 4);
  timeline.spec.override_replicas = 7;
  timeline.spec.override_until = test::kNow + seconds{10};
  EXPECT_EQ(timeline.at(0, 2).message, "4 -> 7: spec.replicas.override until 2027-01-15T08:00:10Z");
  Decision decision = timeline.at(8, 2);
  EXPECT_EQ(decision.message, "held at 7 by spec.replicas.override until 2027-01-15T08:00:10Z");
  EXPECT_EQ(decision.conditions[0].message, "spec.replicas.override holds the count until 2027-01-15T08:00:10Z");
  decision = timeline.at(10, 2);
  EXPECT_EQ(decision.replicas, 2) << "from then on the metrics have their say";
  EXPECT_EQ(decision.reason, "MetricBelowTarget");
  EXPECT_THAT(decision.clamps, IsEmpty());
  EXPECT_EQ(decision.conditions[0].reason, "ValidMetricFound");
  EXPECT_EQ(decision.conditions[0].message,
            "1 of 1 metrics have a value; spec.replicas.override has held until 2027-01-15T08:00:10Z");
}

TEST(Decide, AnOverrideWhoseTimeHasPassedHasNoSay) {
  auto spec = app({test::needed()}, test::hpa_behavior());
  Timeline plain(spec, 4);
  spec.override_replicas = 7;
  spec.override_until = test::kNow;
  spec.burst = plain.spec.burst = api::Burst{};
  Timeline over(spec, 4);
  for (int second = 0; second < 60; second += 2) {
    const int needed = second < 10 ? 4 : second < 20 ? 12 : 3;
    const Decision want = plain.at(second, needed);
    const Decision got = over.at(second, needed);
    ASSERT_EQ(got.steps, want.steps) << second;
    ASSERT_EQ(got.message, want.message) << second;
    ASSERT_EQ(got.in_burst, want.in_burst) << second;
  }
}

TEST(Decide, AnOverrideThatEndsByItselfIsLeftThroughTheWindow) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 10);
  timeline.spec.override_replicas = 10;
  timeline.spec.override_until = test::kNow + seconds{2};
  timeline.at(0, 3);
  EXPECT_EQ(timeline.at(2, 3).reason, "Stabilizing");
}

TEST(Decide, NoTrafficGoesToTheMinimum) {
  Timeline timeline(app({test::latency()}, test::unlimited_behavior(), 2, 10), 6);
  const Decision decision = timeline.at(0, {test::idle("latency")});
  EXPECT_EQ(decision.replicas, 2);
  EXPECT_EQ(decision.reason, "MetricBelowTarget");
  EXPECT_EQ(decision.metrics[0].current, "idle");
  EXPECT_EQ(decision.conditions[2].status, ConditionStatus::kTrue) << "no traffic is an answer";
}

TEST(Decide, WithoutAServingPodRatiosHold) {
  const auto spec = app({test::latency(), test::cpu()}, test::unlimited_behavior(), 2, 10);
  const Decision decision = decide(kNow, spec, test::observe(0, {test::idle("latency")}, 4), {});
  EXPECT_EQ(decision.replicas, 4);
  EXPECT_EQ(decision.reason, "WaitingForPods");
  EXPECT_EQ(decision.conditions[2].reason, "WaitingForPods");
  const Decision under = decide(kNow, spec, test::observe(0, {}, 1), {});
  EXPECT_EQ(under.replicas, 2) << "but the minimum is the minimum";
}

TEST(Decide, WithoutAServingPodABacklogAddsAndNeverRemoves) {
  const auto spec = app({test::latency(), test::backlog()});
  const auto backlog = [&](double jobs) {
    return decide(kNow, spec, test::observe(0, {reading("backlog", jobs)}, 4), {});
  };
  EXPECT_EQ(backlog(200).replicas, 10);
  EXPECT_EQ(backlog(20).replicas, 4);
  EXPECT_EQ(backlog(20).reason, "WaitingForPods");
}

TEST(Decide, DryRunAndPauseDecideWithoutRemembering) {
  for (const bool paused : {true, false}) {
    Timeline timeline(app({test::needed()}, test::hpa_behavior()), 4);
    (paused ? timeline.spec.paused : timeline.spec.dry_run) = true;
    for (int second = 0; second < 60; second += 2) {
      const Decision decision = timeline.at(second, 100);
      ASSERT_EQ(decision.replicas, 8) << "the same answer as long as nobody acts";
      ASSERT_THAT(decision.history.scale_events, IsEmpty());
      ASSERT_EQ(decision.history_changed_materially, second == 0);
      ASSERT_EQ(decision.conditions[0].reason, paused ? "Paused" : "DryRun");
    }
  }
}

// --- restarts
// -------------------------------------------------------------------------------------

TEST(Restart, NothingIsScaledDownInTheFirstMoments) {
  Timeline timeline(app({test::needed()}), 9);
  timeline.observing_since = kNow;
  const Decision decision = timeline.at(0, 3);
  EXPECT_EQ(decision.replicas, 9);
  EXPECT_EQ(decision.reason, "Restarted");
  EXPECT_EQ(timeline.at(9, 3).replicas, 9) << "10 s at least, though the window is 0";
  EXPECT_EQ(timeline.at(10, 3).replicas, 3);
}

TEST(Restart, ScaleUpDoesNotWait) {
  Timeline timeline(app({test::needed()}), 3);
  timeline.observing_since = kNow;
  EXPECT_EQ(timeline.at(0, 9).replicas, 9);
}

TEST(Restart, ATimeWithoutDecisionsCountsAsTheLastRecommendation) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 9);
  timeline.at(0, 9);
  timeline.observing_since = kNow + std::chrono::hours{2};
  for (int second = 7200; second < 7500; second += 2) {
    ASSERT_EQ(timeline.at(second, 3).replicas, 9) << "9 was asked for until the operator went away";
  }
  EXPECT_EQ(timeline.at(7500, 3).replicas, 3);
}

TEST(Restart, AWindowThatTheHistoryCoversIsNotWaitedForAgain) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 9);
  timeline.at(0, 9);
  int second = 2;
  for (; second < 280; second += 2) ASSERT_EQ(timeline.at(second, 3).replicas, 9);
  timeline.observing_since = kNow + seconds{285};
  for (second = 286; second < 345; second += 2)
    ASSERT_EQ(timeline.at(second, 3).replicas, 9) << second;
  EXPECT_EQ(timeline.at(346, 3).replicas, 3) << "60 s after the restart, not 300";
}

TEST(Restart, WithoutAHistoryTheCurrentCountIsTheFirstRecommendation) {
  Timeline timeline(app({test::needed()}, test::hpa_behavior()), 9);
  timeline.observing_since = kNow;
  int second = 0;
  for (; second < 300; second += 2) ASSERT_EQ(timeline.at(second, 3).replicas, 9);
  EXPECT_EQ(timeline.at(300, 3).replicas, 3);
}

TEST(Restart, ThePoliciesRemember) {
  Timeline timeline(app({test::needed()}, {rules(0, {pods(2, 60)}), rules(0, {})}), 3);
  EXPECT_EQ(timeline.at(0, 20).replicas, 5);
  timeline.observing_since = kNow + seconds{4};
  EXPECT_EQ(timeline.at(5, 20).replicas, 5);
  EXPECT_EQ(timeline.at(60, 20).replicas, 7);
}

// --- missing metrics over time
// --------------------------------------------------------------------

TEST(MissingMetrics, RecoveryWaitsForAWholeWindow) {
  Timeline timeline(app({test::needed()}, {rules(0, {}), rules(30, {})}), 9);
  for (int s = 0; s < 60; s += 2) timeline.at(s, 9);
  for (int s = 60; s < 120; s += 2) {
    const Decision decision = timeline.at(s, std::vector<MetricReading>{test::missing("needed")});
    ASSERT_EQ(decision.replicas, 9);
    ASSERT_EQ(decision.reason, "MetricsUnavailable");
  }
  for (int s = 120; s < 148; s += 2) ASSERT_EQ(timeline.at(s, 3).replicas, 9) << s;
  EXPECT_EQ(timeline.at(148, 3).replicas, 3);
}

TEST(MissingMetrics, AreNamedInTheConditions) {
  const auto spec = app({test::latency(), test::backlog()});
  const Decision decision = decide(
      kNow, spec,
      test::observe(3, {test::missing("latency", "HTTP 503"), reading("backlog", test::kNan)}), {});
  ASSERT_GE(decision.conditions.size(), 3U);
  const api::Condition& active = decision.conditions[0];
  EXPECT_EQ(active.type, "ScalingActive");
  EXPECT_EQ(active.status, ConditionStatus::kFalse);
  EXPECT_EQ(active.reason, "MetricsUnavailable");
  EXPECT_EQ(active.message, "backlog (the value is nan); latency (HTTP 503)");
  EXPECT_EQ(decision.conditions[2].type, "MetricsAvailable");
  EXPECT_EQ(decision.conditions[2].message, active.message);
}

// --- latency that is not for want of replicas
// ---------------------------------------------------------------------------------------

TEST(LatencyNotCapacityBound, IsAConditionThatComesAndGoes) {
  auto spec = app({test::latency()}, test::unlimited_behavior(), 1, 100);
  api::ScalingHistory history;
  int replicas = 6, most = 6;
  int second = 0;
  const auto live = [&](double seconds_each, int for_seconds) {
    Decision decision;
    for (const int end = second + for_seconds; second < end; second += 2) {
      MetricReading latency = reading("latency", 2 * seconds_each);
      for (int i = 0; i < replicas; ++i) {
        const double rate = 200.0 / replicas;
        latency.loads[fmt::format("pod-{}", i)] = {.requests_per_second = rate,
                                                   .concurrency = rate * seconds_each,
                                                   .quantile_seconds = 2 * seconds_each};
      }
      latency.in_flight = 200 * seconds_each;
      decision = decide(kNow + seconds{second}, spec, test::observe(replicas, {latency}), history);
      history = decision.history;
      replicas = decision.replicas;
      most = std::max(most, replicas);
    }
    const auto found = std::ranges::find(decision.conditions, "LatencyNotCapacityBound", &api::Condition::type);
    return found == decision.conditions.end() ? api::Condition{} : *found;
  };
  EXPECT_EQ(live(0.05, 300).status, ConditionStatus::kFalse);
  const int usual = replicas;
  most = replicas;
  const api::Condition condition = live(0.6, 300);
  EXPECT_EQ(condition.status, ConditionStatus::kTrue);
  EXPECT_EQ(condition.reason, "ReplicasDoNotHelp");
  EXPECT_THAT(condition.message, HasSubstr("latency stays over its target of 200ms"));
  EXPECT_LE(most, 2 * usual + 2);
  EXPECT_EQ(live(0.05, 60).status, ConditionStatus::kFalse);
}

TEST(LatencyNotCapacityBound, IsNoConditionOfAppsWithoutTheBuiltInLatency) {
  auto own = test::latency();
  own.query = "histogram_quantile(...)";
  for (const auto& metric : {own, test::cpu(), test::backlog()}) {
    const Decision decision = decide(kNow, app({metric}), test::observe(3, {}), {});
    EXPECT_EQ(decision.conditions.size(), 3U) << metric.name;
  }
}

// --- report
// ---------------------------------------------------------------------------------------

TEST(Report, ConditionsOfAQuietApp) {
  Timeline timeline(app({test::needed()}), 3);
  const Decision decision = timeline.at(0, 3);
  ASSERT_EQ(decision.conditions.size(), 3U);
  EXPECT_EQ(decision.conditions[0].status, ConditionStatus::kTrue);
  EXPECT_EQ(decision.conditions[0].reason, "ValidMetricFound");
  EXPECT_EQ(decision.conditions[1].type, "ScalingLimited");
  EXPECT_EQ(decision.conditions[1].status, ConditionStatus::kFalse);
  EXPECT_EQ(decision.conditions[1].reason, "DesiredWithinRange");
  EXPECT_EQ(decision.conditions[2].status, ConditionStatus::kTrue);
}

TEST(Report, ALimitIsAConditionWithItsFigures) {
  Timeline timeline(app({test::needed()}, {rules(0, {percent(50, 15)}), rules(0, {})}), 12);
  const Decision decision = timeline.at(0, 21);
  EXPECT_EQ(decision.conditions[1].status, ConditionStatus::kTrue);
  EXPECT_EQ(decision.conditions[1].reason, "LimitedByPolicy");
  EXPECT_EQ(decision.conditions[1].message, "18 instead of 21 by scaleUp policy 50%/15s");
}

TEST(Report, MetricsKeepTheOrderOfTheSpec) {
  const auto spec = app({test::latency(), test::cpu(), test::backlog()});
  Observation observation =
      test::observe(2, {reading("backlog", 120, milliseconds{2900}), reading("latency", 0.34)});
  MetricReading cpu{.name = "cpu"};
  cpu.per_pod = {{"pod-0", 0.072}, {"pod-1", 0.072}};
  observation.readings.push_back(cpu);
  const Decision decision = decide(kNow, spec, observation, {});
  ASSERT_EQ(decision.metrics.size(), 3U);
  EXPECT_EQ(decision.metrics[0],
            (api::MetricStatus{"latency", "Latency", "340ms", "200ms", 4, 1, ""}));
  EXPECT_EQ(decision.metrics[1], (api::MetricStatus{"cpu", "CPU", "72%", "60%", 3, 0, ""}));
  EXPECT_EQ(decision.metrics[2],
            (api::MetricStatus{"backlog", "QueueLength", "120", "20", 6, 2, ""}));
}

TEST(Revision, OfAnotherVersionHasItsTimesMeasuredAnew) {
  const auto spec = app({test::latency()});
  Observation observation = test::observe(3, {reading("latency", 0.1)});
  observation.revision = "one";
  api::ScalingHistory history = decide(kNow, spec, observation, {}).history;
  history.metrics[0].service_seconds = 0.04;
  history.metrics[0].quantile_seconds = 0.08;
  history.metrics[0].servers = 4;
  history = decide(kNow, spec, observation, history).history;
  EXPECT_EQ(history.metrics[0].service_seconds, 0.04);
  observation.revision = "two";
  history = decide(kNow, spec, observation, history).history;
  EXPECT_EQ(history.metrics[0].service_seconds, 0);
  EXPECT_EQ(history.metrics[0].servers, 4) << "until it is seen to be otherwise";
  EXPECT_EQ(history.revision, "two");
}

}  // namespace
}  // namespace scalableapp::scaling
