#include "operator/simulation/rollout_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace scalableapp::simulation {
namespace {

using api::RolloutStrategy;

// A service with a latency target, 4 to 40 pods, that is analysed every 10 s.
api::ScalableApp app_with(RolloutStrategy strategy) {
  api::ScalableApp app;
  app.metadata.name = "web";
  app.spec.min_replicas = 4;
  app.spec.max_replicas = 40;
  api::MetricSpec latency{.name = "latency", .type = api::MetricType::kLatency, .target = 0.25};
  app.spec.metrics = {latency};
  app.spec.burst = api::Burst{};
  app.spec.behavior.scale_up.policies = {{api::PolicyType::kPercent, 300, 10}};
  app.spec.behavior.scale_down.policies = {{api::PolicyType::kPercent, 100, 15}};
  app.spec.readiness.min_warm_seconds = 1;
  app.spec.rollout.strategy = strategy;
  app.spec.rollout.max_unavailable = {0, false};
  app.spec.rollout.canary.steps = {{.set_weight = 20}, {.analysis = true}, {.set_weight = 50}, {.analysis = true}};
  app.spec.rollout.blue_green.active_service = "web";
  app.spec.rollout.analysis =
      api::Analysis{.metrics = {{.name = "errors", .type = api::AnalysisMetricType::kErrorRate, .max_increase = 1},
                                {.name = "latency", .type = api::AnalysisMetricType::kLatency, .max_increase = 25}}};
  return app;
}

Trace steady(double rate, double length = 600) {
  return {.name = "steady", .seconds = {0, length / 2}, .requests_per_second = {rate, rate}};
}
// Ten times the load in the middle of the rollout, which begins at 60 s.
Trace spike() {
  return {.name = "spike", .seconds = {0, 85, 285}, .requests_per_second = {120, 1200, 120}};
}

RolloutResult run(const api::ScalableApp& app, const Trace& trace, const RolloutCase& rollout) {
  const auto result = simulate_rollout(app, trace, rollout);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result.value_or(RolloutResult{});
}

constexpr RolloutStrategy kWithoutDowntime[] = {RolloutStrategy::kRolling, RolloutStrategy::kCanary, RolloutStrategy::kBlueGreen};

TEST(RolloutRun, AGoodVersionIsPromotedAndEndsWithAllThePods) {
  for (const RolloutStrategy strategy : kWithoutDowntime) {
    const RolloutResult result = run(app_with(strategy), steady(100), {});
    EXPECT_EQ(result.end, RolloutEnd::kPromoted) << result.message;
    EXPECT_EQ(result.worst_shortfall, 0);
    EXPECT_EQ(result.failed, 0);
    const RolloutPoint& last = result.points.back();
    EXPECT_EQ(last.updated_available, last.desired);
    EXPECT_EQ(last.stable_pods, 0);
  }
}

TEST(RolloutRun, AVersionThatFailsIsRolledBackAndTheStableOneIsWhole) {
  for (const RolloutStrategy strategy : kWithoutDowntime) {
    const RolloutResult result = run(app_with(strategy), steady(100), {.updated = {.error_ratio = 0.05}});
    EXPECT_EQ(result.end, RolloutEnd::kRolledBack) << result.message;
    EXPECT_EQ(result.reason, "AnalysisFailed");
    EXPECT_EQ(result.worst_shortfall, 0);
    EXPECT_EQ(result.points.back().stable_available, result.points.back().desired);
    EXPECT_EQ(result.points.back().updated_pods, 0);
  }
}

TEST(RolloutRun, ACanaryThatFailsOrIsSlowIsRolledBackWithinThreeIntervals) {
  for (const Version& bad : {Version{.error_ratio = 0.05}, Version{.service_factor = 2}}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      RolloutCase rollout{.stable = {.error_ratio = 0.001}, .updated = bad};
      rollout.workload.seed = seed;
      const RolloutResult result = run(app_with(RolloutStrategy::kCanary), steady(100), rollout);
      EXPECT_EQ(result.end, RolloutEnd::kRolledBack) << "seed " << seed << ": " << result.message;
      EXPECT_LE(result.intervals, 3) << "seed " << seed << ": " << result.message;
    }
  }
}

TEST(RolloutRun, AVersionThatCrashesIsRolledBackWithoutAnyTraffic) {
  const RolloutResult result = run(app_with(RolloutStrategy::kCanary), steady(100), {.updated = {.crashes = true}});
  EXPECT_EQ(result.end, RolloutEnd::kRolledBack);
  EXPECT_EQ(result.reason, "CrashLoop");
  EXPECT_EQ(result.bad_served, 0);
  EXPECT_EQ(result.failed, 0);
}

TEST(RolloutRun, ASpikeInTheMiddleTakesNoPodAway) {
  for (const RolloutStrategy strategy : kWithoutDowntime) {
    const RolloutResult result = run(app_with(strategy), spike(), {});
    EXPECT_EQ(result.worst_shortfall, 0);
    EXPECT_EQ(result.end, RolloutEnd::kPromoted) << result.message;
    const auto highest = std::ranges::max_element(result.points, {}, &RolloutPoint::desired);
    EXPECT_GE(highest->desired, 8);
  }
}

TEST(RolloutRun, TheSameSeedGivesTheSameRun) {
  const RolloutCase rollout{.updated = {.error_ratio = 0.02}};
  EXPECT_EQ(run(app_with(RolloutStrategy::kCanary), steady(50), rollout),
            run(app_with(RolloutStrategy::kCanary), steady(50), rollout));
}

TEST(RolloutRun, WhatMakesNoSenseIsRefused) {
  api::ScalableApp app = app_with(RolloutStrategy::kRolling);
  EXPECT_THAT(simulate_rollout(app, steady(10), {.begin_seconds = 1e6}).error().message,
              ::testing::HasSubstr("outside of the trace"));
  app.spec.metrics = {{.name = "jobs", .type = api::MetricType::kQueueLength, .target = 5}};
  EXPECT_THAT(simulate_rollout(app, steady(10), {}).error().message, ::testing::HasSubstr("spec.metrics"));
}

}  // namespace
}  // namespace scalableapp::simulation
