#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/strategies.h"
#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

api::CanaryStep weight(int percent) { return {.set_weight = percent}; }
api::CanaryStep pause_until_promoted() { return {.pause = true}; }
api::CanaryStep pause_for(int seconds) { return {.pause = true, .pause_seconds = seconds}; }
api::CanaryStep analysis() { return {.analysis = true}; }

api::RolloutSpec by_replicas(std::vector<api::CanaryStep> steps) {
  api::RolloutSpec spec{.strategy = api::RolloutStrategy::kCanary, .max_surge = {1}, .max_unavailable = {0}};
  spec.canary.steps = std::move(steps);
  return spec;
}
api::RolloutSpec by_route(std::vector<api::CanaryStep> steps) {
  api::RolloutSpec spec = by_replicas(std::move(steps));
  spec.canary.stable_service = "stable";
  spec.canary.canary_service = "canary";
  spec.canary.http_route = "route";
  return spec;
}

Cluster rolled_out(int desired, api::RolloutSpec spec) {
  Cluster cluster(desired, std::move(spec));
  EXPECT_TRUE(cluster.roll_out_first());
  cluster.told.clear();
  cluster.updated = "v2";
  return cluster;
}

TEST(CanaryCount, IsTheNearestCountThatLeavesBothSidesSome) {
  struct Case {
    int desired, weight, want;
  };
  for (const Case& one : {Case{10, 30, 3}, {10, 25, 3}, {10, 24, 2}, {10, 1, 1}, {10, 99, 9}, {10, 100, 10}, {10, 0, 0},
                          {1, 50, 1}, {2, 99, 1}, {3, 50, 2}, {0, 50, 0}, {1000, 33, 330}}) {
    EXPECT_EQ(canary_count(one.desired, one.weight), one.want) << one.desired << " at " << one.weight << "%";
  }
  EXPECT_EQ(routed_canary_count(10, 1), 1);
  EXPECT_EQ(routed_canary_count(10, 50), 5);
  EXPECT_EQ(routed_canary_count(9, 50), 5);
  EXPECT_EQ(routed_canary_count(10, 0), 0);
}

TEST(Canary, ByReplicasTheShareIsReachedWithinTheSurgeAndThePauseBegins) {
  Cluster cluster = rolled_out(10, by_replicas({weight(20), pause_until_promoted(), weight(50)}));
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 1"));
  EXPECT_THAT(cluster.told, ElementsAre("RolloutStarted"));
  while (cluster.state.phase != RolloutPhase::kPaused) {
    cluster.look();
    ASSERT_LE(cluster.total(), 11);
    ASSERT_GE(cluster.available(), 10);
  }
  EXPECT_EQ(cluster.replicas("v2"), 2);
  EXPECT_EQ(cluster.replicas("v1"), 8);
  EXPECT_EQ(cluster.state.step, 1);
  EXPECT_EQ(cluster.state.pause_reason, "CanaryPauseStep");
  EXPECT_EQ(cluster.last.progressing.status, api::ConditionStatus::kUnknown);
  EXPECT_EQ(cluster.last.progressing.reason, "RolloutPaused");
  EXPECT_THAT(cluster.last.progressing.message,
              HasSubstr("step 2 of 3: weight 20%, 2 of 2 canary replicas available; paused by its step: promote it"));
  EXPECT_THAT(cluster.told, ElementsAre("RolloutStarted", "StepCompleted", "RolloutPaused"));
  cluster.run(1000);
  EXPECT_EQ(cluster.state.step, 1);

  cluster.controls.promote_past = 1;
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
  EXPECT_EQ(cluster.replicas("v2"), 10);
  EXPECT_EQ(cluster.replicas("v1"), 0);
  EXPECT_THAT(cluster.told, Contains("Promoted"));
  EXPECT_EQ(cluster.told.back(), "RolloutCompleted");
}

TEST(Canary, APauseWithADurationEndsByTimeAndAsksToBeCalledThen) {
  Cluster cluster = rolled_out(4, by_replicas({weight(25), pause_for(30)}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  EXPECT_EQ(cluster.last.next_check, cluster.now + seconds{30});
  EXPECT_THAT(cluster.state.message, HasSubstr("paused by its step until 1970-"));
  cluster.run(29);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kPaused);
  cluster.look();
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kProgressing);
  EXPECT_EQ(cluster.state.step, 2);
}

TEST(Canary, BeforeTheFirstWeightThereAreNoCanaryPods) {
  Cluster cluster = rolled_out(4, by_replicas({pause_until_promoted(), weight(50)}));
  cluster.run(20);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kPaused);
}

TEST(Canary, OfOneReplicaTheCanaryIsASecondOne) {
  Cluster cluster = rolled_out(1, by_replicas({weight(10), pause_until_promoted()}));
  cluster.spec.rollout.max_surge = {0};
  cluster.spec.rollout.max_unavailable = {1};
  cluster.run(20);
  EXPECT_EQ(cluster.replicas("v1"), 1);
  EXPECT_EQ(cluster.available("v2"), 1);
}

TEST(Canary, AFirstDeploymentHasNoSteps) {
  Cluster cluster(4, by_replicas({weight(25), pause_until_promoted()}));
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 4"));
  cluster.run(10);
  EXPECT_EQ(cluster.current, "v1");
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kHealthy);
}

TEST(Canary, AnAnalysisStepEndsWithItsOwnGoodMeasurements) {
  api::RolloutSpec spec = by_replicas({weight(25), analysis(), analysis(), pause_until_promoted()});
  spec.analysis = api::Analysis{.count = 2, .metrics = {{.name = "errors"}}};
  Cluster cluster = rolled_out(4, spec);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.step == 1; }));
  cluster.run(50);
  EXPECT_EQ(cluster.state.step, 1);
  cluster.state.analysis.metrics = {{.name = "errors", .successful = 2}};
  cluster.look();
  EXPECT_EQ(cluster.state.step, 2);  // And no further: that is another step's.
  EXPECT_EQ(cluster.state.analysis.metrics[0].successful, 0);
  cluster.state.analysis.metrics[0].successful = 2;
  cluster.look();
  EXPECT_EQ(cluster.state.step, 3);
}

TEST(Canary, PromotedPastAStepWithoutAVerdictTheNextOneIsAskedAfresh) {
  api::RolloutSpec spec = by_replicas({weight(25), pause_for(1), weight(50), pause_for(1), weight(75)});
  spec.analysis = api::Analysis{.count = 2, .metrics = {{.name = "errors"}}};
  Cluster cluster = rolled_out(4, spec);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.step == 1; }));
  cluster.state.analysis.metrics = {{.name = "errors", .inconclusive = 1}};
  cluster.run(50);
  EXPECT_EQ(cluster.state.step, 1);
  EXPECT_EQ(cluster.state.pause_reason, "InconclusiveAnalysis");
  cluster.controls.promote_past = 1;
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.step == 4; }));
  cluster.state.analysis.metrics[0].inconclusive = 1;
  cluster.run(50);
  EXPECT_EQ(cluster.state.step, 4);
}

TEST(Canary, AThirdRevisionBeginsAtTheFirstStepAndTheGivenUpOneMakesRoom) {
  Cluster cluster = rolled_out(10, by_replicas({weight(70), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.updated = "v3";
  cluster.spec.rollout.canary.steps[0] = weight(30);
  cluster.look();
  EXPECT_EQ(cluster.state.step, 0);
  while (cluster.state.phase != RolloutPhase::kPaused) {
    cluster.look();
    ASSERT_GE(cluster.available(), 10);
    ASSERT_LE(cluster.total(), 11);
  }
  EXPECT_EQ(cluster.replicas("v1"), 7);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  EXPECT_EQ(cluster.replicas("v3"), 3);
}

TEST(Canary, BackToTheStableTemplateMidwayGoesStraightBack) {
  Cluster cluster = rolled_out(10, by_replicas({weight(50), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.updated = "v1";
  cluster.look();
  EXPECT_EQ(cluster.replicas("v1"), 10);  // At once, beyond the surge.
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kProgressing);
  cluster.run(10);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kHealthy);
}

TEST(Canary, WhileSpecPausesItTheShareIsKeptWithTheCountAndNothingIsExchanged) {
  Cluster cluster = rolled_out(10, by_replicas({weight(20), weight(80)}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.step == 1; }));
  cluster.spec.rollout.paused = true;
  const int before = cluster.replicas("v2");
  cluster.run(10);
  EXPECT_EQ(cluster.replicas("v2"), before);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kPaused);
  EXPECT_EQ(cluster.state.pause_reason, "SpecPaused");
  EXPECT_THAT(cluster.state.message, HasSubstr("spec.rollout.paused"));
  cluster.spec.rollout.paused = false;
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
}

TEST(Canary, ABurstGoesToBothSharesOrWithHoldStopsTheSteps) {
  Cluster cluster = rolled_out(10, by_replicas({weight(20), pause_for(5), weight(50)}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.in_burst = true;
  cluster.desired_replicas = 20;
  cluster.spec.rollout.during_burst = api::DuringBurst::kHold;
  cluster.run(20);
  EXPECT_EQ(cluster.replicas("v2"), 4);
  EXPECT_EQ(cluster.replicas("v1"), 16);
  EXPECT_EQ(cluster.state.step, 1);
  EXPECT_THAT(cluster.state.message, HasSubstr("until the burst is over"));
  cluster.in_burst = false;
  cluster.run(1);
  EXPECT_EQ(cluster.state.step, 2);
}

TEST(RoutedCanary, TheStableRevisionStaysWholeAndTheWeightFollowsThePods) {
  Cluster cluster = rolled_out(10, by_route({weight(20), pause_until_promoted(), weight(60), pause_until_promoted()}));
  cluster.look();
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 2"));
  EXPECT_EQ(cluster.last.routing, (Routing{"v1", "v2", 0}));
  cluster.run(1);
  EXPECT_EQ(cluster.routing.weight, 0);  // No pod serves yet.
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  EXPECT_EQ(cluster.routing, (Routing{"v1", "v2", 20}));
  EXPECT_EQ(cluster.replicas("v1"), 10);

  cluster.controls.promote_past = 1;
  cluster.run(2);
  EXPECT_EQ(cluster.replicas("v2"), 6);
  EXPECT_EQ(cluster.routing.weight, 20);  // The last weight that there are enough for.
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  EXPECT_EQ(cluster.routing.weight, 60);

  cluster.controls.promote_past = 3;
  ASSERT_TRUE(cluster.run_until([&] { return cluster.routing.weight == 100; }));
  EXPECT_EQ(cluster.replicas("v1"), 10);  // The HTTPRoute has just been written.
  EXPECT_EQ(cluster.replicas("v2"), 10);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
  EXPECT_EQ(cluster.routing, (Routing{"v2", "v2", 0}));
  EXPECT_EQ(cluster.replicas("v1"), 0);
}

TEST(RoutedCanary, ALostPodDoesNotMoveTheTrafficAndManyDo) {
  Cluster cluster = rolled_out(10, by_route({weight(20), pause_for(1), weight(60), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.step == 3; }));
  cluster.kill("v2", 1);
  cluster.look();
  EXPECT_EQ(cluster.routing.weight, 60);
  cluster.kill("v2", 1);
  cluster.look();
  EXPECT_EQ(cluster.available("v2"), 4);
  EXPECT_EQ(cluster.routing.weight, 60);
  cluster.kill("v2", 2);
  cluster.look();
  EXPECT_EQ(cluster.available("v2"), 3);
  EXPECT_EQ(cluster.routing.weight, 20);
  cluster.run(5);
  EXPECT_EQ(cluster.routing.weight, 60);
}

TEST(RoutedCanary, AScaleUpMovesNoTraffic) {
  Cluster cluster = rolled_out(10, by_route({weight(50), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.desired_replicas = 20;
  for (int i = 0; i < 10; ++i) {
    cluster.look();
    EXPECT_EQ(cluster.routing.weight, 50);
  }
  EXPECT_EQ(cluster.replicas("v1"), 20);
  EXPECT_EQ(cluster.replicas("v2"), 10);
}

TEST(RoutedCanary, AnAbortSendsTheTrafficBackBeforeAnyPodGoes) {
  Cluster cluster = rolled_out(10, by_route({weight(50), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.controls.abort = true;
  cluster.look();
  EXPECT_EQ(cluster.last.routing, (Routing{"v1", "v2", 0}));
  EXPECT_THAT(cluster.last.actions, IsEmpty());
  EXPECT_EQ(cluster.last.next_check, cluster.now + seconds{cluster.spec.drain_seconds});
  cluster.run(cluster.spec.drain_seconds + 3);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  EXPECT_EQ(cluster.routing, (Routing{"v1", "v1", 0}));
}

TEST(RoutedCanary, TheServiceOfAGivenUpCanaryIsLeftAloneUntilNothingIsSentThere) {
  Cluster cluster = rolled_out(10, by_route({weight(50), pause_until_promoted()}));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  cluster.updated = "v3";
  cluster.look();
  EXPECT_EQ(cluster.last.routing, (Routing{"v1", "", 0}));
  EXPECT_EQ(cluster.replicas("v2"), 5);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.phase == RolloutPhase::kPaused; }));
  EXPECT_EQ(cluster.routing, (Routing{"v1", "v3", 50}));
  cluster.run(10);
  EXPECT_EQ(cluster.replicas("v2"), 0);
}

TEST(Canary, ServicesWithoutARouteSelectTheirRevisions) {
  api::RolloutSpec spec = by_route({weight(50), pause_until_promoted()});
  spec.canary.http_route.clear();
  Cluster cluster = rolled_out(4, spec);
  cluster.run(20);
  EXPECT_EQ(cluster.last.routing, (Routing{"v1", "v2", std::nullopt}));
  EXPECT_EQ(cluster.replicas("v1"), 2);
  cluster.controls.promote_fully = true;
  ASSERT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
  EXPECT_EQ(cluster.last.routing, (Routing{"v2", "v2", std::nullopt}));
  EXPECT_THAT(cluster.told, Contains("Promoted"));
  EXPECT_THAT(cluster.told, Not(Contains("RolloutAborted")));
}

}  // namespace
}  // namespace scalableapp::rollout
