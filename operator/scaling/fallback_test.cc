// A metric that is lost for long: its fallback, which only adds, and the way back from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::missing;
using test::percent;
using test::reading;
using test::rules;
using test::Timeline;
using testing::HasSubstr;

api::ScalableAppSpec fallback_app(int replicas = 12, int failure_seconds = 60,
                                  api::Behavior behavior = test::unlimited_behavior()) {
  auto spec = app({test::needed()}, std::move(behavior), 1, 100);
  spec.metrics[0].fallback = api::Fallback{failure_seconds, replicas};
  return spec;
}
Decision lose(Timeline& timeline, int from, int to) {
  Decision last;
  for (int second = from; second <= to; second += 2) {
    last = timeline.at(second, std::vector<MetricReading>{missing("needed", "HTTP 503")});
  }
  return last;
}

TEST(Fallback, ComesAfterFailureSeconds) {
  Timeline timeline(fallback_app(), 4);
  timeline.at(0, 4);
  EXPECT_EQ(lose(timeline, 2, 60).replicas, 4);
  const Decision decision = lose(timeline, 62, 62);
  EXPECT_EQ(decision.replicas, 12);
  EXPECT_THAT(decision.message, HasSubstr("needed missing (HTTP 503), its fallback is 12"));
  EXPECT_EQ(decision.metrics[0].missing, "HTTP 503");
  EXPECT_EQ(decision.conditions[2].status, api::ConditionStatus::kFalse) << "MetricsAvailable";
}

TEST(Fallback, NeverLowers) {
  Timeline timeline(fallback_app(3), 20);
  timeline.at(0, 20);
  EXPECT_EQ(lose(timeline, 2, 600).replicas, 20);
}

TEST(Fallback, WithoutOneTheCountHolds) {
  auto spec = fallback_app();
  spec.metrics[0].fallback.reset();
  Timeline timeline(spec, 4);
  timeline.at(0, 4);
  EXPECT_EQ(lose(timeline, 2, 3600).replicas, 4);
}

TEST(Fallback, AShortLossLeavesNoTrace) {
  Timeline timeline(fallback_app(), 4);
  lose(timeline, 0, 40);
  timeline.at(42, 4);
  EXPECT_EQ(lose(timeline, 44, 100).replicas, 4) << "the time counts anew";
}

TEST(Fallback, AStaleValueIsMissingSinceItWasFresh) {
  Timeline timeline(fallback_app(), 4);
  EXPECT_EQ(timeline.at(0, {reading("needed", 4, seconds{70})}).replicas, 12)
      << "a process that has just begun sees how old it is";
}

TEST(Fallback, OtherMetricsMayAskForMore) {
  Timeline timeline(fallback_app(), 4);
  timeline.spec.metrics.push_back(test::backlog());
  Decision decision;
  for (int second = 0; second <= 62; second += 2) {
    decision = timeline.at(second, {missing("needed"), reading("backlog", 600)});
  }
  EXPECT_EQ(decision.replicas, 30);
}

TEST(Fallback, TheMaximumHolds) {
  auto spec = fallback_app(80);
  spec.max_replicas = 10;
  Timeline timeline(spec, 4);
  EXPECT_EQ(lose(timeline, 0, 80).replicas, 10);
}

TEST(Fallback, SurvivesARestartThroughTheHistory) {
  Timeline timeline(fallback_app(), 4);
  timeline.at(0, 4);
  lose(timeline, 2, 40);
  timeline.observing_since = kNow + seconds{42};
  EXPECT_EQ(lose(timeline, 44, 62).replicas, 12) << "the loss began before the restart";
}

// Down at once, but for a recovery; needs no tolerance, so that it ends at what is needed.
const api::Behavior kAtOnce{rules(0, {percent(1000, 15)}),
                            rules(0, {percent(100, 15)}, api::SelectPolicy::kMax, 0)};

TEST(Recovery, IsGradual) {
  Timeline timeline(fallback_app(100, 60, kAtOnce), 10);
  ASSERT_EQ(lose(timeline, 0, 100).replicas, 100);
  const Decision decision = timeline.at(102, 10);
  EXPECT_EQ(decision.replicas, 90);
  EXPECT_EQ(decision.reason, "Recovering");
  EXPECT_THAT(decision.message, HasSubstr("held to 90 by the recovery after a fallback"));
  int second = 104;
  for (; second < 132; second += 2) timeline.at(second, 10);
  EXPECT_GE(timeline.replicas, 80) << "10 % per 15 s";
  for (; second < 400; second += 2) timeline.at(second, 10);
  EXPECT_EQ(timeline.replicas, 10) << "in the end it is there";
}

TEST(Recovery, IsGradualThoughTheAppHasNoPolicies) {
  Timeline timeline(fallback_app(100), 10);
  ASSERT_EQ(lose(timeline, 0, 100).replicas, 100);
  int second = 102;
  for (; second < 132; second += 2) timeline.at(second, 10);
  EXPECT_GE(timeline.replicas, 80) << "10 % per 15 s";
}

TEST(Recovery, IsGradualRightAfterTheFallback) {
  Timeline timeline(fallback_app(100, 60, kAtOnce), 10);
  ASSERT_EQ(lose(timeline, 0, 62).replicas, 100);
  EXPECT_GE(timeline.at(64, 10).replicas, 90) << "though there were 10 pods 15 s ago";
}

TEST(Recovery, KeepsStricterPoliciesOfTheApp) {
  Timeline timeline(fallback_app(100, 60, {rules(0, {}), rules(0, {test::pods(1, 60)})}), 10);
  ASSERT_EQ(lose(timeline, 0, 130).replicas, 100);
  for (int second = 132; second < 180; second += 2) timeline.at(second, 10);
  EXPECT_GE(timeline.replicas, 98);
}

TEST(Recovery, ScaleUpDoesNotWait) {
  Timeline timeline(fallback_app(20), 10);
  ASSERT_EQ(lose(timeline, 0, 62).replicas, 20);
  EXPECT_EQ(timeline.at(64, 50).replicas, 50);
}

TEST(Recovery, SurvivesARestart) {
  Timeline timeline(fallback_app(100), 10);
  lose(timeline, 0, 62);
  const Decision back = timeline.at(64, 100);
  EXPECT_TRUE(back.history.metrics[0].fallback_ended);
  EXPECT_TRUE(back.history_changed_materially) << "else the next process would go down at once";
}

TEST(Recovery, AClockThatWasSetBackDoesNotMakeItLast) {
  Timeline timeline(fallback_app(100, 60, kAtOnce), 10);
  lose(timeline, 7200, 7300);
  timeline.at(7302, 100);
  for (int second = 0; second < 180; second += 2) timeline.at(second, 10);
  EXPECT_EQ(timeline.replicas, 10);
}

}  // namespace
}  // namespace scalableapp::scaling
