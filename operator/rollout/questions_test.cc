// What others ask of a rollout before it is planned: in_flight, holds_scale_down, carries_load.
#include <gtest/gtest.h>

#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;

api::RolloutSpec canary_with(std::vector<api::CanaryStep> steps, bool with_route) {
  api::RolloutSpec spec{.strategy = api::RolloutStrategy::kCanary, .progress_deadline_seconds = 60};
  spec.canary.steps = std::move(steps);
  if (with_route) spec.canary.http_route = "route";
  return spec;
}

Cluster rolled_out(api::RolloutSpec spec) {
  Cluster cluster(4, std::move(spec));
  EXPECT_TRUE(cluster.roll_out_first());
  return cluster;
}

TEST(InFlight, FromTheNewTemplateUntilTheGoalIsAlone) {
  Cluster cluster = rolled_out({});
  EXPECT_FALSE(in_flight(cluster.input()));
  cluster.updated = "v2";
  EXPECT_TRUE(in_flight(cluster.input()));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.current == "v2"; }));
  EXPECT_FALSE(in_flight(cluster.input()));
}

TEST(InFlight, AnAppAtRestAfterItWentBackIsNot) {
  Cluster cluster = rolled_out({.progress_deadline_seconds = 60});
  cluster.updated = "v2";
  cluster.bad = {"v2"};
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.state.failure_reason.empty(); }));
  EXPECT_TRUE(in_flight(cluster.input()));
  EXPECT_TRUE(holds_scale_down(cluster.now, cluster.input()));
  cluster.run(10);
  EXPECT_FALSE(in_flight(cluster.input()));
  EXPECT_FALSE(holds_scale_down(cluster.now, cluster.input()));
}

TEST(HoldsScaleDown, WhilePodsAreExchangedUnlessTheSpecAllowsIt) {
  Cluster cluster = rolled_out({.max_surge = {1}, .max_unavailable = {0}});
  EXPECT_FALSE(holds_scale_down(cluster.now, cluster.input()));
  cluster.updated = "v2";
  EXPECT_TRUE(holds_scale_down(cluster.now, cluster.input()));
  cluster.run(3);
  EXPECT_TRUE(holds_scale_down(cluster.now, cluster.input()));
  cluster.spec.rollout.scale_down_in_flight = true;
  EXPECT_FALSE(holds_scale_down(cluster.now, cluster.input()));
}

TEST(HoldsScaleDown, NotForAPersonOrAVerdictLongerThanTheDeadline) {
  Cluster paused = rolled_out(canary_with({{.set_weight = 25}, {.pause = true}}, false));
  paused.updated = "v2";
  ASSERT_TRUE(paused.run_until([&] { return paused.state.phase == RolloutPhase::kPaused; }));
  EXPECT_TRUE(holds_scale_down(paused.now + seconds{60}, paused.input()));
  EXPECT_FALSE(holds_scale_down(paused.now + seconds{61}, paused.input()));

  api::RolloutSpec spec = canary_with({{.set_weight = 25}, {.analysis = true}}, false);
  spec.analysis = api::Analysis{.metrics = {{.name = "errors"}}};
  Cluster judged = rolled_out(spec);
  judged.updated = "v2";
  ASSERT_TRUE(judged.run_until([&] { return judged.state.step == 1; }));
  EXPECT_TRUE(holds_scale_down(judged.now + seconds{60}, judged.input()));
  EXPECT_FALSE(holds_scale_down(judged.now + seconds{61}, judged.input()));
}

TEST(HoldsScaleDown, NotWhereItIsStuckWithoutAWayBack) {
  Cluster cluster = rolled_out({.progress_deadline_seconds = 60, .automatic_rollback = false});
  cluster.updated = "v2";
  cluster.slow = {"v2"};
  cluster.run(30);
  EXPECT_TRUE(holds_scale_down(cluster.now, cluster.input()));
  cluster.run(60);
  EXPECT_FALSE(holds_scale_down(cluster.now, cluster.input()));
  cluster.updated = "v3";
  EXPECT_TRUE(holds_scale_down(cluster.now, cluster.input()));
}

TEST(HoldsScaleDown, NotForAFirstDeployment) {
  Cluster cluster(4, {});
  cluster.run(1);
  EXPECT_TRUE(in_flight(cluster.input()));
  EXPECT_FALSE(holds_scale_down(cluster.now, cluster.input()));
}

TEST(CarriesLoad, APreviewDoesNotAndAfterTheSwitchTheOldSetDoesNot) {
  api::RolloutSpec spec{.strategy = api::RolloutStrategy::kBlueGreen};
  Cluster cluster = rolled_out(spec);
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
  cluster.updated = "v2";
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
  cluster.run(2);
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
  EXPECT_FALSE(carries_load(cluster.input(), "v2"));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.switched_at.has_value(); }));
  EXPECT_FALSE(carries_load(cluster.input(), "v1"));
  EXPECT_TRUE(carries_load(cluster.input(), "v2"));
  cluster.controls.abort = true;
  cluster.look();
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
  EXPECT_FALSE(carries_load(cluster.input(), "v2"));
}

TEST(CarriesLoad, ARoutedCanaryDoesOnceItHasAWeight) {
  Cluster cluster = rolled_out(canary_with({{.set_weight = 25}, {.pause = true}}, true));
  cluster.updated = "v2";
  cluster.run(2);
  EXPECT_FALSE(carries_load(cluster.input(), "v2"));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state.weight == 25; }));
  EXPECT_TRUE(carries_load(cluster.input(), "v2"));
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
  cluster.updated = "v3";
  EXPECT_FALSE(carries_load(cluster.input(), "v2"));
  EXPECT_TRUE(carries_load(cluster.input(), "v1"));
}

TEST(CarriesLoad, EveryPodOfARollingUpdateAndOfACanaryByReplicasDoes) {
  for (const auto& spec : {api::RolloutSpec{}, canary_with({{.set_weight = 25}, {.pause = true}}, false)}) {
    Cluster cluster = rolled_out(spec);
    cluster.updated = "v2";
    cluster.run(2);
    EXPECT_TRUE(carries_load(cluster.input(), "v1"));
    EXPECT_TRUE(carries_load(cluster.input(), "v2"));
  }
}

}  // namespace
}  // namespace scalableapp::rollout
