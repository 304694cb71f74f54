// Burst mode: up in one step past the policies, and no way down until it is calm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::pods;
using test::rules;
using test::Timeline;
using testing::HasSubstr;
using testing::IsEmpty;

// One pod a minute up, after a window of 30 s; down at once.
api::ScalableAppSpec slow_app(std::optional<api::Burst> burst) {
  auto spec = app({test::needed()}, {rules(30, {pods(1, 60)}), rules(0, {})}, 1, 100);
  spec.burst = burst;
  return spec;
}
constexpr api::Burst kBurst{.threshold_percent = 200, .window_seconds = 60};

TEST(Burst, IsOffByDefault) {
  EXPECT_FALSE(api::ScalableAppSpec{}.burst);
  Timeline timeline(slow_app({}), 4);
  const Decision decision = timeline.at(0, 40);
  EXPECT_EQ(decision.replicas, 4);
  EXPECT_FALSE(decision.in_burst);
}

TEST(Burst, GoesUpInOneStepPastPoliciesAndWindow) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(0, 4);
  const Decision decision = timeline.at(2, 40);
  EXPECT_EQ(decision.replicas, 40);
  EXPECT_TRUE(decision.in_burst);
  EXPECT_EQ(decision.reason, "Burst");
  EXPECT_THAT(decision.clamps, IsEmpty());
  EXPECT_EQ(decision.message, "4 -> 40: burst: needed 40 over 1 per replica needs 40");
}

TEST(Burst, BeginsAtItsThreshold) {
  Timeline below(slow_app(kBurst), 10);
  EXPECT_FALSE(below.at(0, 19).in_burst);
  Timeline at(slow_app(kBurst), 10);
  EXPECT_TRUE(at.at(0, 20).in_burst);
}

TEST(Burst, GoesOnUpWithoutPoliciesWhileItLasts) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(0, 40);
  EXPECT_EQ(timeline.at(10, 47).replicas, 47) << "less than the threshold, but the burst is on";
}

TEST(Burst, ThereIsNoScaleDownUntilItIsCalm) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(0, 40);
  for (int second = 2; second < 60; second += 2) {
    const Decision decision = timeline.at(second, 4);
    ASSERT_EQ(decision.replicas, 40) << second;
    ASSERT_EQ(decision.reason, "Burst");
    ASSERT_EQ(decision.message, "held at 40: scale-down to 4 waits for a burst to be 1m ago");
  }
  const Decision after = timeline.at(60, 4);
  EXPECT_EQ(after.replicas, 4);
  EXPECT_FALSE(after.in_burst);
}

TEST(Burst, AnotherOneBeginsTheWaitAnew) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(0, 20);
  timeline.at(50, 40);
  EXPECT_EQ(timeline.at(70, 4).replicas, 40);
  EXPECT_EQ(timeline.at(110, 4).replicas, 4);
}

TEST(Burst, SurvivesARestartThroughTheHistory) {
  Timeline timeline(slow_app(kBurst), 4);
  const Decision decision = timeline.at(0, 40);
  EXPECT_TRUE(decision.history_changed_materially);
  timeline.observing_since = kNow + seconds{5};
  // The hold of a restart is over after 10 s, the burst is not.
  for (int second = 16; second < 60; second += 2) {
    ASSERT_EQ(timeline.at(second, 4).reason, "Burst") << second;
  }
  EXPECT_EQ(timeline.at(60, 4).replicas, 4);
}

TEST(Burst, StaysWithinTheMaximumAndADisabledScaleUp) {
  Timeline timeline(slow_app(kBurst), 4);
  EXPECT_EQ(timeline.at(0, 500).replicas, 100);
  Timeline disabled(slow_app(kBurst), 4);
  disabled.spec.behavior.scale_up.select_policy = api::SelectPolicy::kDisabled;
  EXPECT_EQ(disabled.at(0, 40).replicas, 4);
}

TEST(Burst, ABurstThatIsSwitchedOffIsOver) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(0, 40);
  timeline.spec.burst.reset();
  EXPECT_EQ(timeline.at(2, 4).replicas, 4);
}

TEST(Burst, AClockThatWasSetBackDoesNotMakeItLast) {
  Timeline timeline(slow_app(kBurst), 4);
  timeline.at(7200, 40);
  EXPECT_EQ(timeline.at(0, 4).replicas, 40);
  EXPECT_EQ(timeline.at(62, 4).replicas, 4);
}

TEST(Burst, TheFirstPodOfAnAppAtZeroIsNone) {
  auto spec = slow_app(kBurst);
  spec.min_replicas = 0;
  Timeline timeline(spec, 0);
  EXPECT_FALSE(timeline.at(0, 1).in_burst) << "no more than an app that is not at zero has";
}

}  // namespace
}  // namespace scalableapp::scaling
