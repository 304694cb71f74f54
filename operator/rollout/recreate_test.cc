#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Cluster rolled_out(int desired) {
  Cluster cluster(desired, {.strategy = api::RolloutStrategy::kRecreate, .progress_deadline_seconds = 60});
  EXPECT_TRUE(cluster.roll_out_first());
  cluster.updated = "v2";
  return cluster;
}

TEST(Recreate, NothingNewIsMadeWhileAnOldPodIsThere) {
  Cluster cluster = rolled_out(3);
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("v1: 3 -> 0"));
  EXPECT_THAT(cluster.last.progressing.message, HasSubstr("the app is down until the last replica"));
  cluster.look();  // They terminate.
  EXPECT_THAT(cluster.last.actions, IsEmpty());
  EXPECT_TRUE(cluster.last.in_flight);
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 3"));
  cluster.run(5);
  EXPECT_EQ(cluster.current, "v2");
}

TEST(Recreate, AFailureGoesTheSameWayBack) {
  Cluster cluster = rolled_out(3);
  cluster.bad = {"v2"};
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.failure_reason == "CrashLoop"; }));
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("v2: 3 -> 0"));
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 0);  // Its pods are there still.
  cluster.run(5);
  EXPECT_EQ(cluster.available("v1"), 3);
  EXPECT_EQ(cluster.last.progressing.reason, "RolledBack");
}

TEST(Recreate, AnAbortBeforeAnythingWentKeepsThePods) {
  Cluster cluster = rolled_out(3);
  cluster.controls.abort = true;
  cluster.run(5);
  EXPECT_EQ(cluster.available("v1"), 3);
  EXPECT_EQ(cluster.replicas("v2"), 0);
}

TEST(Recreate, APausedRolloutTakesNothingDownAndOneThatIsDownComesUp) {
  Cluster cluster = rolled_out(3);
  cluster.spec.rollout.paused = true;
  cluster.run(5);
  EXPECT_EQ(cluster.available("v1"), 3);
  cluster.spec.rollout.paused = false;
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 0);
  cluster.run(1);
  cluster.spec.rollout.paused = true;
  cluster.run(5);
  EXPECT_EQ(cluster.available("v2"), 3);
}

}  // namespace
}  // namespace scalableapp::rollout
