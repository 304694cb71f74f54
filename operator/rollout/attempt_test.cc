#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/attempt.h"
#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

api::RolloutSpec one_by_one() { return {.max_surge = {1}, .max_unavailable = {0}, .progress_deadline_seconds = 60}; }
Cluster rolled_out(int desired, api::RolloutSpec spec = one_by_one()) {
  Cluster cluster(desired, std::move(spec));
  EXPECT_TRUE(cluster.roll_out_first());
  cluster.told.clear();
  cluster.updated = "v2";
  return cluster;
}
api::RolloutSpec with_analysis() {
  api::RolloutSpec spec{.max_surge = {1}, .max_unavailable = {0}};
  spec.analysis = api::Analysis{.count = 2, .metrics = {{.name = "errors"}}};
  return spec;
}

TEST(Attempt, ACrashLoopEndsItAndTheStableRevisionComesBack) {
  Cluster cluster = rolled_out(4);
  cluster.bad = {"v2"};
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.state.failure_reason.empty(); }));
  EXPECT_EQ(cluster.state.failure_reason, "CrashLoop");
  EXPECT_THAT(cluster.state.failure_message, HasSubstr("pod web-v2-"));
  EXPECT_THAT(cluster.state.failure_message, HasSubstr("CrashLoopBackOff: back-off 10s"));
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kDegraded);
  EXPECT_EQ(cluster.last.progressing.status, api::ConditionStatus::kFalse);
  EXPECT_EQ(cluster.last.progressing.reason, "RollingBack");
  EXPECT_TRUE(cluster.last.notes[0].is_warning);
  cluster.run(5);
  EXPECT_EQ(cluster.last.progressing.reason, "RolledBack");
  EXPECT_THAT(cluster.last.progressing.message, HasSubstr("revision v2 failed (CrashLoop)"));
  EXPECT_THAT(cluster.told, ElementsAre("RolloutStarted", "RolloutAborted", "RolledBack"));
  EXPECT_FALSE(cluster.last.in_flight);
  EXPECT_FALSE(cluster.last.is_complete);
  EXPECT_EQ(cluster.current, "v1");
}

TEST(Attempt, APodThatIsRestartedOftenAndDoesNotServeCrashLoopsToo) {
  World world{.revisions = {revision("new", 1, 0, 1), revision("old", 4, 4)}};
  world.revisions[0].pods[0].restart_count = 2;
  EXPECT_EQ(world.plan_now().state.failure_reason, "");
  world.revisions[0].pods[0].restart_count = 3;
  EXPECT_EQ(world.plan_now().state.failure_reason, "CrashLoop");
  world.revisions[0].pods[0].serving = true;
  world.revisions[0].pods[0].ready_since = kNow;
  EXPECT_EQ(world.plan_now().state.failure_reason, "");
}

TEST(Attempt, TheDeadlineEndsItInThePodsWords) {
  Cluster cluster = rolled_out(4);
  cluster.slow = {"v2"};
  cluster.run(60);
  EXPECT_EQ(cluster.state.failure_reason, "");
  cluster.find("v2")->pods[0].trouble = "ImagePullBackOff: no such image";
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.state.failure_reason.empty(); }, 3));
  EXPECT_EQ(cluster.state.failure_reason, "ProgressDeadlineExceeded");
  EXPECT_THAT(cluster.state.failure_message, HasSubstr("ImagePullBackOff: no such image"));
  cluster.run(3);
  EXPECT_EQ(cluster.replicas("v2"), 0);
}

TEST(Attempt, AReplicaSetThatIsRefusedForTheDeadlineEndsIt) {
  Cluster cluster = rolled_out(4);
  cluster.is_refused = true;
  cluster.run(60);
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.state.failure_reason, "");
  EXPECT_THAT(texts(cluster.last.actions), ElementsAre("create 1"));
  EXPECT_EQ(cluster.last.next_check, cluster.now + seconds{1});
  cluster.look();
  EXPECT_EQ(cluster.state.failure_reason, "ReplicaSetRefused");
  EXPECT_THAT(cluster.last.actions, IsEmpty());
}

TEST(Attempt, AFailedAnalysisEndsItWithItsOwnWords) {
  Cluster cluster = rolled_out(4, with_analysis());
  cluster.run(3);
  cluster.state.analysis.metrics = {{.name = "errors", .value = "5.1% of 213 requests", .failed = 1}};
  cluster.look();
  EXPECT_EQ(cluster.state.failure_reason, "AnalysisFailed");
  EXPECT_THAT(cluster.state.failure_message, HasSubstr("5.1% of 213 requests"));
}

TEST(Attempt, ARollingUpdateWithAnAnalysisIsInFlightUntilThatIsSuccessful) {
  Cluster cluster = rolled_out(4, with_analysis());
  cluster.run(100);
  EXPECT_EQ(cluster.replicas("v2"), 4);
  EXPECT_EQ(cluster.replicas("v1"), 0);
  EXPECT_EQ(cluster.current, "v1");
  EXPECT_TRUE(cluster.last.in_flight);
  Cluster failed = cluster;
  cluster.state.analysis.metrics = {{.name = "errors", .successful = 2}};
  cluster.run(1);
  EXPECT_EQ(cluster.current, "v2");

  failed.state.analysis.metrics = {{.name = "errors", .failed = 1}};
  failed.look();
  EXPECT_EQ(failed.replicas("v1"), 4);  // At once, beyond the surge.
  EXPECT_EQ(failed.replicas("v2"), 4);
  failed.run(5);
  EXPECT_EQ(failed.replicas("v2"), 0);
}

TEST(Attempt, AnAnalysisThatCannotTellPausesUntilPromoted) {
  Cluster cluster = rolled_out(4, with_analysis());
  cluster.run(5);
  cluster.state.analysis.metrics = {{.name = "errors", .value = "no data", .inconclusive = 1}};
  cluster.look();
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kPaused);
  EXPECT_EQ(cluster.state.pause_reason, "InconclusiveAnalysis");
  EXPECT_THAT(cluster.last.progressing.message, HasSubstr("no data"));
  const int before = cluster.replicas("v2");
  cluster.run(20);
  EXPECT_EQ(cluster.replicas("v2"), before);
  cluster.controls.promote_past = 0;
  const bool is_done = cluster.run_until([&] {
    cluster.state.analysis.metrics = {{.name = "errors", .inconclusive = 1}};
    return cluster.current == "v2";
  });
  EXPECT_TRUE(is_done);
}

TEST(Attempt, PromotedFullyTheAnalysisIsNotAskedAnyMore) {
  Cluster cluster = rolled_out(4, with_analysis());
  cluster.controls.promote_fully = true;
  cluster.run(3);
  cluster.state.analysis.metrics = {{.name = "errors", .failed = 9}};
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
  cluster.updated = "v3";
  cluster.bad = {"v3"};  // But crash loops are.
  EXPECT_TRUE(cluster.run_until([&] { return cluster.state.failure_reason == "CrashLoop"; }));
}

TEST(Attempt, AnAbortHoldsAsLongAsItIsAskedForAndThenItBeginsAnew) {
  Cluster cluster = rolled_out(4);
  cluster.run(4);
  cluster.controls.abort = true;
  cluster.run(10);
  EXPECT_EQ(cluster.state.failure_reason, "Aborted");
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  cluster.controls.abort = false;
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
}

TEST(Attempt, ARetryOfAnEarlierFailureBeginsAnewOnce) {
  Cluster cluster = rolled_out(4);
  cluster.bad = {"v2"};
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.state.failure_reason.empty(); }));
  cluster.controls.retry_of = *cluster.state.failed_at - seconds{1};
  cluster.run(5);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  cluster.controls.retry_of = cluster.now;
  cluster.look();
  EXPECT_EQ(cluster.state.failure_reason, "");
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kProgressing);
  EXPECT_EQ(cluster.last.notes[0].message, "revision v2 takes the place of revision v1, once more");
  cluster.run(50);
  EXPECT_EQ(cluster.state.failure_reason, "CrashLoop");
  EXPECT_EQ(cluster.replicas("v2"), 0);
}

TEST(Attempt, PodsFromBeforeARetryAreGivenTheWholeDeadline) {
  Cluster cluster = rolled_out(4);
  cluster.spec.rollout.automatic_rollback = false;
  cluster.bad = {"v2"};
  cluster.run(100);
  EXPECT_EQ(cluster.state.failure_reason, "CrashLoop");
  cluster.controls.retry_of = cluster.now;
  cluster.run(59);
  EXPECT_EQ(cluster.state.failure_reason, "");
  cluster.run(2);
  EXPECT_EQ(cluster.state.failure_reason, "ProgressDeadlineExceeded");
}

TEST(Attempt, WithoutRollbackItStaysWhereItIsAndGoesOnWhenTheCausePasses) {
  Cluster cluster = rolled_out(4);
  cluster.spec.rollout.automatic_rollback = false;
  cluster.bad = {"v2"};
  cluster.run(100);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kDegraded);
  EXPECT_EQ(cluster.last.progressing.reason, "CrashLoop");
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.replicas("v2"), 1);
  EXPECT_THAT(cluster.told, ElementsAre("RolloutStarted", "RolloutAborted"));
  cluster.bad.clear();
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));

  Cluster judged = rolled_out(4, with_analysis());  // What the analysis said does not pass.
  judged.spec.rollout.automatic_rollback = false;
  judged.run(5);
  judged.state.analysis.metrics = {{.name = "errors", .failed = 1}};
  judged.look();
  const int before = judged.replicas("v2");
  judged.run(50);
  EXPECT_EQ(judged.replicas("v2"), before);
  EXPECT_EQ(judged.state.failure_reason, "AnalysisFailed");
  judged.controls.promote_fully = true;
  EXPECT_TRUE(judged.run_until([&] { return judged.current == "v2"; }));
}

TEST(Attempt, ChangingToManualDoesNotReviveWhatHasGoneBack) {
  Cluster cluster = rolled_out(4);
  cluster.bad = {"v2"};
  cluster.run(50);
  ASSERT_EQ(cluster.replicas("v2"), 0);
  cluster.spec.rollout.automatic_rollback = false;
  cluster.run(20);
  EXPECT_EQ(cluster.replicas("v2"), 0);
  EXPECT_EQ(cluster.state.failure_reason, "CrashLoop");
}

TEST(Attempt, OfAFirstDeploymentThereIsNoWayBack) {
  Cluster cluster(4, {.progress_deadline_seconds = 60});
  cluster.bad = {"v1"};
  cluster.run(100);
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kDegraded);
  EXPECT_EQ(cluster.state.failure_reason, "CrashLoop");
  cluster.bad.clear();
  cluster.run(5);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kHealthy);
  EXPECT_EQ(cluster.state.failure_reason, "");
}

TEST(Attempt, WithoutTheCurrentReplicaSetTheOneWithMostPodsIsCapacityButNoWayBack) {
  Cluster cluster = rolled_out(4);
  cluster.current = "gone";
  cluster.bad = {"v2"};
  cluster.run(100);
  EXPECT_EQ(cluster.replicas("v1"), 4);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kDegraded);
}

TEST(Attempt, AnAppFromBeforeThereWasAStateIsHealthyWithoutAWord) {
  World world{.revisions = {revision("new", 4, 4), revision("old", 0, 0)}, .current_revision = "new"};
  const RolloutPlan plan = world.plan_now();
  EXPECT_EQ(plan.state.phase, RolloutPhase::kHealthy);
  EXPECT_EQ(plan.state.revision, "new");
  EXPECT_FALSE(plan.state.started_at);
  EXPECT_THAT(plan.notes, IsEmpty());
  EXPECT_THAT(plan.actions, IsEmpty());
}

TEST(Attempt, DryRunAndSpecPausedLeaveStateAndRoutingAlone) {
  World world{.revisions = {revision("old", 4, 4)}};
  world.state = {.phase = RolloutPhase::kPaused, .revision = "new", .step = 3};
  world.spec.rollout.strategy = api::RolloutStrategy::kBlueGreen;
  world.spec.dry_run = true;
  const RolloutPlan plan = world.plan_now();
  EXPECT_EQ(plan.state, world.state);
  EXPECT_EQ(plan.routing, Routing{});
  EXPECT_THAT(plan.notes, IsEmpty());
}

TEST(Attempt, ARolledUpdateHeldByABurstLetsTheSharesGrow) {
  Cluster cluster = rolled_out(8);
  cluster.spec.rollout.during_burst = api::DuringBurst::kHold;
  ASSERT_TRUE(cluster.run_until([&] { return cluster.available("v2") == 4; }));
  cluster.in_burst = true;
  cluster.desired_replicas = 16;
  cluster.run(20);
  EXPECT_NEAR(cluster.replicas("v1"), 8, 2);
  EXPECT_EQ(cluster.replicas("v1") + cluster.replicas("v2"), 16);
  EXPECT_EQ(cluster.state.phase, RolloutPhase::kProgressing);
  cluster.in_burst = false;
  EXPECT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
}

TEST(Controls, AreOfOneRevisionAndOtherTextIsNone) {
  const auto controls = [](const char* annotation, const char* value) {
    return controls_of({.annotations = {{annotation, value}}}, "v2");
  };
  EXPECT_EQ(controls(api::kPromoteAnnotation, "v2/3"), (Controls{.promote_past = 3}));
  EXPECT_EQ(controls(api::kPromoteAnnotation, "v2/full"), (Controls{.promote_fully = true}));
  EXPECT_EQ(controls(api::kAbortAnnotation, "v2"), (Controls{.abort = true}));
  EXPECT_EQ(controls(api::kRetryAnnotation, "v2 1970-01-01T00:01:40Z"), (Controls{.retry_of = WallTime{seconds{100}}}));
  for (const char* text : {"v1/3", "v2", "v2/", "v2/-1", "v2/3x", "v23/3", ""}) {
    EXPECT_EQ(controls(api::kPromoteAnnotation, text), Controls{}) << text;
  }
  for (const char* text : {"v1", "v2x", "v2/0", ""}) {
    EXPECT_EQ(controls(api::kAbortAnnotation, text), Controls{}) << text;
  }
  for (const char* text : {"v2", "v2 yesterday", "v1 1970-01-01T00:01:40Z"}) {
    EXPECT_EQ(controls(api::kRetryAnnotation, text), Controls{}) << text;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
