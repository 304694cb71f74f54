// Scale to zero and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::missing;
using test::reading;
using test::rules;
using test::Timeline;

api::ScalableAppSpec zero_app(int idle_seconds = 30, api::Behavior behavior = test::unlimited_behavior()) {
  auto spec = app({test::backlog(20)}, std::move(behavior), 0, 50);
  spec.idle_seconds = idle_seconds;
  return spec;
}
std::vector<MetricReading> jobs(double count) { return {reading("backlog", count)}; }
api::Condition scaled_to_zero(const Decision& decision) {
  const auto found = std::ranges::find(decision.conditions, "ScaledToZero", &api::Condition::type);
  return found == decision.conditions.end() ? api::Condition{} : *found;
}

TEST(ScaleToZero, WaitsForIdleSecondsWithOnePod) {
  Timeline timeline(zero_app(), 3);
  for (int second = 0; second < 30; second += 2) {
    const Decision decision = timeline.at(second, jobs(0));
    ASSERT_EQ(decision.replicas, 1) << second;
    ASSERT_EQ(decision.reason, "WaitingForIdle");
    ASSERT_EQ(scaled_to_zero(decision).status, api::ConditionStatus::kFalse);
  }
  EXPECT_EQ(timeline.at(28, jobs(0)).message,
            "held at 1: scale-down to 0 waits for 30s of being idle");
  const Decision decision = timeline.at(30, jobs(0));
  EXPECT_EQ(decision.replicas, 0);
  EXPECT_EQ(scaled_to_zero(decision).status, api::ConditionStatus::kTrue);
  EXPECT_EQ(scaled_to_zero(decision).reason, "Idle");
}

TEST(ScaleToZero, OneJobBeginsTheWaitAnew) {
  Timeline timeline(zero_app(), 1);
  for (int second = 0; second < 28; second += 2) timeline.at(second, jobs(0));
  timeline.at(28, jobs(1));
  for (int second = 30; second < 60; second += 2) ASSERT_EQ(timeline.at(second, jobs(0)).replicas, 1);
  EXPECT_EQ(timeline.at(60, jobs(0)).replicas, 0);
}

TEST(ScaleToZero, OnceIdleItGoesPastTheStabilizationWindow) {
  Timeline timeline(zero_app(30, {rules(0, {}), rules(300, {})}), 6);
  timeline.at(0, jobs(120));
  Decision decision;
  for (int second = 2; second <= 32; second += 2) decision = timeline.at(second, jobs(0));
  EXPECT_EQ(decision.replicas, 0);
  EXPECT_EQ(decision.reason, "Idle");
  EXPECT_EQ(decision.message, "6 -> 0: backlog 0 under 20 per replica needs 0; held to 6 by the 5m "
                              "stabilization window; taken to 0 by being idle for 30s");
}

TEST(ScaleToZero, AMinimumOfOneIsKept) {
  auto spec = zero_app();
  spec.min_replicas = 1;
  Timeline timeline(spec, 3);
  for (int second = 0; second < 300; second += 2) timeline.at(second, jobs(0));
  EXPECT_EQ(timeline.replicas, 1);
  EXPECT_EQ(scaled_to_zero(timeline.at(300, jobs(0))).type, "") << "no such condition with a minimum";
}

TEST(ScaleToZero, AnActivationThresholdIsStillIdle) {
  auto spec = zero_app();
  spec.metrics[0].activation_threshold = 5;
  Timeline timeline(spec, 1);
  for (int second = 0; second <= 30; second += 2) timeline.at(second, jobs(5));
  EXPECT_EQ(timeline.replicas, 0);
  EXPECT_EQ(timeline.at(32, jobs(5)).replicas, 0);
  EXPECT_EQ(timeline.at(34, jobs(6)).replicas, 1);
}

TEST(ScaleToZero, AllMetricsMustBeIdle) {
  auto spec = zero_app();
  spec.metrics.push_back(test::needed());
  Timeline timeline(spec, 1);
  for (int second = 0; second < 300; second += 2) {
    ASSERT_EQ(timeline.at(second, {reading("backlog", 0), reading("needed", 0.5)}).replicas, 1);
  }
}

TEST(ScaleToZero, ALostMetricIsNotIdle) {
  auto spec = zero_app();
  spec.metrics.push_back(test::needed());
  Timeline timeline(spec, 3);
  for (int second = 0; second < 300; second += 2) {
    ASSERT_EQ(timeline.at(second, {reading("backlog", 0), missing("needed")}).replicas, 3);
  }
}

TEST(Activation, TakesOneDecision) {
  auto spec = zero_app(30, {rules(300, {test::pods(1, 600)}), rules(300, {})});
  spec.behavior.scale_up.stabilization_window_seconds = 0;
  Timeline timeline(spec, 0);
  timeline.at(0, jobs(0));
  const Decision decision = timeline.at(2, jobs(1));
  EXPECT_EQ(decision.replicas, 1);
  EXPECT_EQ(scaled_to_zero(decision).status, api::ConditionStatus::kFalse);
}

TEST(Activation, GoesToWhatTheBacklogNeeds) {
  Timeline timeline(zero_app(), 0);
  EXPECT_EQ(timeline.at(0, jobs(101)).replicas, 6);
}

TEST(Activation, NothingActivatesAnAppWithoutMetrics) {
  Timeline timeline(zero_app(), 0);
  for (int second = 0; second < 600; second += 2) {
    const Decision decision = timeline.at(second, std::vector<MetricReading>{missing("backlog")});
    ASSERT_EQ(decision.replicas, 0) << "what is not known starts nothing";
    ASSERT_EQ(decision.reason, "MetricsUnavailable");
  }
}

TEST(Activation, AFallbackDoes) {
  auto spec = zero_app();
  spec.metrics[0].fallback = api::Fallback{60, 2};
  Timeline timeline(spec, 0);
  for (int second = 0; second <= 60; second += 2) {
    timeline.at(second, std::vector<MetricReading>{missing("backlog")});
  }
  EXPECT_EQ(timeline.replicas, 2);
}

TEST(Activation, AnOverrideHoldsOnePodAtLeast) {
  auto spec = zero_app();
  spec.override_replicas = 0;
  Timeline timeline(spec, 0);
  EXPECT_EQ(timeline.at(0, jobs(0)).replicas, 1);
  timeline.spec.override_replicas = 4;
  EXPECT_EQ(timeline.at(2, jobs(0)).replicas, 4);
  for (int second = 4; second < 300; second += 2) timeline.at(second, jobs(0));
  EXPECT_EQ(timeline.replicas, 4);
}

TEST(Activation, DoesNotFlapWhileThePodStarts) {
  Timeline timeline(zero_app(), 0);
  timeline.at(0, jobs(3));
  for (int second = 2; second < 60; second += 2) ASSERT_EQ(timeline.at(second, jobs(3)).replicas, 1);
}

// The holds come before zero, whatever else has kept the count meanwhile.
TEST(ScaleToZero, ARestartHoldsAppsThatAreIdle) {
  for (const int window : {0, 300}) {
    Timeline timeline(zero_app(30, {rules(0, {}), rules(window, {})}), 6);
    timeline.at(0, jobs(120));
    for (int second = 2; second < 30; second += 2) timeline.at(second, jobs(0));
    timeline.observing_since = kNow + seconds{40};
    const int before = timeline.replicas;
    EXPECT_EQ(timeline.at(42, jobs(0)).replicas, before) << "with a window of " << window << " s";
  }
}

TEST(ScaleToZero, ARolloutHoldsAppsThatAreIdle) {
  for (const int window : {0, 300}) {
    Timeline timeline(zero_app(30, {rules(0, {}), rules(window, {})}), 6);
    timeline.at(0, jobs(120));
    timeline.rollout_in_flight = true;
    for (int second = 2; second < 60; second += 2) {
      ASSERT_EQ(timeline.at(second, jobs(0)).replicas, 6) << "with a window of " << window << " s";
    }
  }
}

TEST(ScaleToZero, ABurstHoldsAppsThatAreIdle) {
  auto spec = zero_app(10);
  spec.burst = api::Burst{200, 120};
  Timeline timeline(spec, 2);
  timeline.at(0, jobs(200));
  for (int second = 2; second < 60; second += 2) {
    ASSERT_EQ(timeline.at(second, jobs(0)).replicas, 10) << second;
  }
}

}  // namespace
}  // namespace scalableapp::scaling
