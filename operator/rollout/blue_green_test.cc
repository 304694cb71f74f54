#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Cluster rolled_out(int desired, bool auto_promotion, bool with_analysis = false) {
  api::RolloutSpec spec{.strategy = api::RolloutStrategy::kBlueGreen};
  spec.blue_green = {.active_service = "active", .preview_service = "preview", .auto_promotion = auto_promotion};
  if (with_analysis) spec.analysis = api::Analysis{.count = 2, .metrics = {{.name = "errors"}}};
  Cluster cluster(desired, spec);
  EXPECT_TRUE(cluster.roll_out_first());
  cluster.look();
  EXPECT_EQ(cluster.routing.stable_revision, "v1");
  cluster.told.clear();
  cluster.updated = "v2";
  return cluster;
}

TEST(BlueGreen, SwitchesWhenEveryNewReplicaIsAvailableAndKeepsTheOldSetForAWhile) {
  Cluster cluster = rolled_out(4, true);
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 4"));
  EXPECT_EQ(cluster.last.routing, (Routing{"v1", "v2", std::nullopt}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  EXPECT_EQ(cluster.available("v2"), 4);
  EXPECT_THAT(cluster.told, Contains("Switched"));
  EXPECT_EQ(cluster.last.next_check, cluster.now + seconds{30});
  cluster.run(29);
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_NE(cluster.current, "v2");
  cluster.run(3);
  EXPECT_EQ(cluster.replicas("v1"), 0);
  EXPECT_EQ(cluster.current, "v2");
  EXPECT_EQ(cluster.routing, (Routing{"v2", "v2", std::nullopt}));
}

TEST(BlueGreen, WithoutAutoPromotionItWaitsForAPerson) {
  Cluster cluster = rolled_out(4, false);
  cluster.run(100);
  EXPECT_EQ(cluster.routing.stable_revision, "v1");
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kPaused);
  EXPECT_EQ(cluster.state.pause_reason, "AwaitingPromotion");
  EXPECT_THAT(cluster.last.progressing.message, HasSubstr("promote it to switch"));
  cluster.controls.promote_past = 0;
  cluster.look();
  EXPECT_EQ(cluster.routing.stable_revision, "v2");
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
}

TEST(BlueGreen, BothSetsFollowTheWantedCount) {
  Cluster cluster = rolled_out(4, false);
  cluster.run(10);
  cluster.desired_replicas = 9;
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 9);
  EXPECT_EQ(cluster.replicas("v2"), 9);
  cluster.desired_replicas = 3;
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 3);
  EXPECT_EQ(cluster.replicas("v2"), 3);
}

TEST(BlueGreen, AfterTheSwitchTheOldSetFollowsWhileItIsKept) {
  Cluster cluster = rolled_out(4, true);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  cluster.desired_replicas = 9;
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 9);
  EXPECT_EQ(cluster.replicas("v2"), 9);
}

TEST(BlueGreen, TheOldSetStaysUntilTheAnalysisIsSuccessful) {
  Cluster cluster = rolled_out(4, true, true);
  cluster.state.analysis.metrics = {{.name = "errors", .successful = 9}};
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  cluster.run(100);  // What was good before the switch does not count.
  EXPECT_EQ(cluster.replicas("v1"), 4);
  cluster.state.analysis.metrics = {{.name = "errors", .successful = 2}};
  cluster.run(2);
  EXPECT_EQ(cluster.current, "v2");
}

TEST(BlueGreen, AFailureAfterTheSwitchSwitchesBackAtOnce) {
  Cluster cluster = rolled_out(4, true, true);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  cluster.run(3);
  cluster.state.analysis.metrics = {{.name = "errors", .value = "5% of 200 requests", .failed = 1}};
  cluster.look();
  EXPECT_EQ(cluster.routing.stable_revision, "v1");
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("v2: 4 -> 0"));
  EXPECT_THAT(reasons(cluster.last), ElementsAre("RolloutAborted", "Switched"));
  EXPECT_THAT(cluster.state.failure_message, HasSubstr("5% of 200 requests"));
  cluster.run(3);
  EXPECT_EQ(cluster.routing, (Routing{"v1", "v1", std::nullopt}));
  EXPECT_EQ(cluster.last.progressing.reason, "RolledBack");
}

TEST(BlueGreen, TheTrafficGoesBackOnlyToASetThatCanCarryIt) {
  Cluster cluster = rolled_out(4, true);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  cluster.kill("v1", 3);
  cluster.controls.abort = true;
  cluster.look();
  EXPECT_EQ(cluster.routing.stable_revision, "v2");
  EXPECT_THAT(cluster.last.actions, IsEmpty());
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v1"; }));
  EXPECT_EQ(cluster.available("v1"), 4);
}

TEST(BlueGreen, AThirdRevisionAfterTheSwitchTakesTheTrafficBackFirst) {
  Cluster cluster = rolled_out(4, true);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v2"; }));
  cluster.kill("v1", 2);
  cluster.updated = "v3";
  cluster.look();
  EXPECT_EQ(cluster.last.routing, (Routing{"", "v3", std::nullopt}));  // Two pods cannot take over from four.
  EXPECT_EQ(cluster.replicas("v2"), 4);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.stable_revision == "v1"; }));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.current == "v3"; }));
}

TEST(BlueGreen, PausedItDoesNotSwitch) {
  Cluster cluster = rolled_out(4, true);
  cluster.run(2);
  cluster.spec.rollout.paused = true;
  cluster.run(20);
  EXPECT_EQ(cluster.routing.stable_revision, "v1");
  cluster.spec.rollout.paused = false;
  cluster.look();
  EXPECT_EQ(cluster.routing.stable_revision, "v2");
}

}  // namespace
}  // namespace scalableapp::rollout
