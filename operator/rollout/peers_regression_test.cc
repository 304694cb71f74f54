// What went wrong with the scaling of others during a rollout, played here. Each test names the report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using testing::IsEmpty;

api::RolloutSpec canary_with(std::vector<api::CanaryStep> steps) {
  api::RolloutSpec spec{.strategy = api::RolloutStrategy::kCanary, .max_surge = {1}, .max_unavailable = {0}};
  spec.progress_deadline_seconds = 60;
  spec.canary.steps = std::move(steps);
  return spec;
}
const std::vector<api::CanaryStep> kFiftyAndPause{{.set_weight = 50}, {.pause = true}};

Cluster in_the_pause(int desired, api::RolloutSpec spec) {
  Cluster cluster(desired, std::move(spec));
  EXPECT_TRUE(cluster.roll_out_first());
  cluster.updated = "v2";
  EXPECT_TRUE(cluster.run_until([&] { return cluster.state.phase == api::RolloutPhase::kPaused; }));
  return cluster;
}

// kubernetes/kubernetes#72775 "hpa would create extra pods during deployment rolling update when there is no load at
// all", #90461: the pods of both revisions were counted and multiplied, up to the maximum. Here the count
// wanted is one of the app, and the surge is never more than the bound on top of it.
TEST(Peers, ARollingUpdateWithoutLoadMakesNoExtraPods) {
  for (const int surge : {1, 3}) {
    Cluster cluster(8, {.max_surge = {surge}, .max_unavailable = {0}});
    ASSERT_TRUE(cluster.roll_out_first());
    cluster.updated = "v2";
    while (cluster.current != "v2") {
      cluster.look();
      ASSERT_LE(cluster.total(), 8 + surge);
    }
    EXPECT_EQ(cluster.total(), 8);
  }
}

// argoproj/argo-rollouts#1415: a scale event of the HPA in the middle of a canary scaled the stable pods to zero.
TEST(Peers, AScaleEventInACanaryLeavesTheStableRevisionItsShare) {
  for (const int desired : {1, 2, 3, 5, 9, 20, 100}) {
    Cluster cluster = in_the_pause(10, canary_with(kFiftyAndPause));
    cluster.desired_replicas = desired;
    for (int i = 0; i < 30; ++i) {
      cluster.look();
      ASSERT_GE(cluster.replicas("v1"), 1) << desired;
      ASSERT_GE(cluster.available(), std::min(10, desired)) << desired;
    }
    EXPECT_EQ(cluster.total(), std::max(2, desired));
  }
}

// argoproj/argo-rollouts#1292: an abort while no rollout was in progress scaled the stable ReplicaSet to zero.
TEST(Peers, AnAbortWithoutARolloutIsNothing) {
  Cluster cluster(4, canary_with(kFiftyAndPause));
  ASSERT_TRUE(cluster.roll_out_first());
  cluster.controls.abort = true;
  for (int i = 0; i < 10; ++i) {
    cluster.look();
    EXPECT_THAT(cluster.last.actions, IsEmpty());
    EXPECT_EQ(cluster.state.phase, api::RolloutPhase::kHealthy);
  }
}

// Argo Rollouts' documentation of an aborted basic canary: "stable pods will need to be scaled back up manually";
// argoproj/argo-rollouts#941: canary replicas run for ever after an abort.
TEST(Peers, AnAbortedCanaryGivesTheStableRevisionItsFullCountBackAndKeepsNoPod) {
  Cluster cluster = in_the_pause(10, canary_with(kFiftyAndPause));
  ASSERT_EQ(cluster.replicas("v1"), 5);
  cluster.controls.abort = true;
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 10);
  for (int i = 0; i < 10; ++i) {
    cluster.look();
    EXPECT_GE(cluster.available(), 10);  // The canary serves until the stable pods do.
  }
  EXPECT_EQ(cluster.replicas("v1"), 10);
  EXPECT_EQ(cluster.replicas("v2"), 0);
}

// argoproj/argo-rollouts#4973: each scale-up scaled the ReplicaSet of the aborted rollout up again, and the selector of
// the canary Service flapped.
TEST(Peers, AScaleUpAfterAnAbortDoesNotReviveTheCanary) {
  for (const auto strategy : {api::RolloutStrategy::kRolling, api::RolloutStrategy::kCanary,
                              api::RolloutStrategy::kBlueGreen, api::RolloutStrategy::kRecreate}) {
    for (const bool with_route : {false, true}) {
      api::RolloutSpec spec = canary_with(kFiftyAndPause);
      spec.strategy = strategy;
      if (with_route) spec.canary.http_route = "route";
      Cluster cluster(6, spec);
      ASSERT_TRUE(cluster.roll_out_first());
      cluster.updated = "v2";
      cluster.run(4);
      cluster.controls.abort = true;
      cluster.run(20);
      ASSERT_EQ(cluster.replicas("v2"), 0);
      const Routing at_rest = cluster.last.routing;
      for (const int desired : {8, 20, 4, 30, 0, 10}) {
        cluster.desired_replicas = desired;
        for (int i = 0; i < 5; ++i) {
          cluster.look();
          EXPECT_EQ(cluster.replicas("v2"), 0);
          EXPECT_EQ(cluster.last.routing, at_rest);
        }
        EXPECT_EQ(cluster.replicas("v1"), desired);
      }
    }
  }
}

// fluxcd/flagger#1600 "Thundering herd fails primary during finalising", #1209, #381: what was promoted had the HPA's
// minimum of replicas, not those that the load needed.
TEST(Peers, WhatIsPromotedHasTheReplicasOfNowNotTheMinimum) {
  for (const auto strategy : {api::RolloutStrategy::kCanary, api::RolloutStrategy::kBlueGreen}) {
    for (const bool with_route : {false, true}) {
      api::RolloutSpec spec = canary_with({{.set_weight = 20}, {.set_weight = 50}});
      spec.strategy = strategy;
      if (with_route) spec.canary.http_route = "route";
      Cluster cluster(20, spec);
      cluster.spec.min_replicas = 2;
      ASSERT_TRUE(cluster.roll_out_first());
      cluster.updated = "v2";
      cluster.run(8);
      cluster.desired_replicas = 30;  // The load grows meanwhile.
      bool was_there = false;
      while (cluster.current != "v2") {
        cluster.look();
        was_there |= cluster.available() >= 30;
        ASSERT_GE(cluster.available(), was_there ? 30 : 20);
      }
      EXPECT_EQ(cluster.available("v2"), 30);
    }
  }
}

// argoproj/argo-rollouts#2857, #3849: beside a canary the HPA took the stable revision to its maximum, at 4 % load, and
// never back. Here the stable revision's count is what the total leaves it, and follows it down.
TEST(Peers, TheStableRevisionHasWhatTheTotalLeavesItAlsoOnTheWayDown) {
  Cluster cluster = in_the_pause(10, canary_with({{.set_weight = 20}, {.pause = true}}));
  for (const auto& [desired, canary] : {std::pair(20, 4), std::pair(10, 2), std::pair(5, 1), std::pair(12, 2)}) {
    cluster.desired_replicas = desired;
    cluster.run(20);
    EXPECT_EQ(cluster.replicas("v2"), canary);
    EXPECT_EQ(cluster.replicas("v1"), desired - canary);
  }
}

}  // namespace
}  // namespace scalableapp::rollout
