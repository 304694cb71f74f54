#include "operator/controller/app_reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "operator/api/revision.h"
#include "tests/support/reconciled_world.h"
#include "operator/platform/log.h"

namespace scalableapp::controller {
namespace {

using kube::Fault;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AppReconcilerTest : public testing::Test, protected World {};

// --- a new app ------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, ANewAppGetsOneReplicaSetOfItsMinimumAndTwoWrites) {
  cluster.put_app(kWeb, web_spec());
  cluster.tick();
  ASSERT_TRUE(reconcile());
  EXPECT_THAT(cluster.writes, ElementsAre("status scalableapps demo/web", HasSubstr("create replicasets demo/web-")));
  const auto replica_sets = cluster.all(kube::kReplicaSets);
  ASSERT_EQ(replica_sets.size(), 1u);
  const auto& replica_set = replica_sets[0];
  const std::string revision = status().updated_revision;
  EXPECT_EQ(replica_set["spec"]["replicas"], 2);
  EXPECT_EQ(replica_set["metadata"]["name"], "web-" + revision);
  EXPECT_EQ(replica_set["metadata"]["labels"][api::kAppLabel], "web");
  EXPECT_EQ(replica_set["metadata"]["labels"][api::kRevisionLabel], revision);
  EXPECT_EQ(replica_set["metadata"]["ownerReferences"][0]["uid"],
            cluster.at(kube::kScalableApps, kWeb)["metadata"]["uid"]);
  EXPECT_TRUE(replica_set["metadata"]["ownerReferences"][0]["controller"]);
  EXPECT_THAT(events.events(), ElementsAre(HasSubstr("Normal ScaledUp web: 0 -> 2"), HasSubstr("RolloutStarted"),
                                           HasSubstr("Normal ReplicaSetCreated web")));
}

TEST_F(AppReconcilerTest, AtRestNothingIsWrittenThoughSamplesGrowOlder) {
  settle();
  run(40);
  cluster.writes.clear();
  for (int i = 0; i < 120; ++i) {
    metrics.answers["needed"].age = milliseconds{(i * 700) % 2500};
    run(1);
  }
  EXPECT_THAT(cluster.writes, IsEmpty());
  EXPECT_EQ(metrics.subscriptions, 1);
}

TEST_F(AppReconcilerTest, FiguresAloneAreWrittenEveryThirtySecondsAtMost) {
  settle();
  for (int i = 0; i < 120; ++i) {
    metrics.set("needed", 2.0 + 0.001 * i);
    run(1);
  }
  EXPECT_LE(cluster.writes.size(), 5u);
  EXPECT_GE(cluster.writes.size(), 3u);
}

TEST_F(AppReconcilerTest, SamplesWakeAnAppAndTheTimerOnlyStandsIn) {
  settle();
  run(40);
  EXPECT_EQ(reconcile(), milliseconds{6000});
  json spec = web_spec();
  spec["metrics"] = json::array();
  cluster.put_app(kWeb, spec);
  run(5);
  EXPECT_EQ(reconcile(), milliseconds{2000});
}

TEST_F(AppReconcilerTest, PodsThatComeOneAfterTheOtherAreCountedOnceASecond) {
  settle();
  metrics.set("needed", 6);
  run(1);
  cluster.writes.clear();
  clock.advance(milliseconds{100});
  cluster.tick();
  const auto next = reconcile();
  ASSERT_TRUE(next);
  EXPECT_EQ(cluster.writes_of("status"), 0);
  EXPECT_EQ(*next, milliseconds{900});
  clock.advance(*next);
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(cluster.writes_of("status"), 1);
  EXPECT_EQ(status().warming_replicas, 4);
}

TEST_F(AppReconcilerTest, ALoadThatHoversAtABoundCausesNoWriteEachTime) {
  settle();
  for (int i = 0; i < 120; ++i) {
    metrics.set("needed", i % 2 == 0 ? 1 : 2);  // AtMinReplicas, WithinTolerance.
    run(1);
  }
  EXPECT_LE(cluster.writes.size(), 5u);
}

TEST_F(AppReconcilerTest, ALateCacheCausesNoSecondWrite) {
  cluster.lag = seconds{3};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, web_spec());
  run(20, milliseconds{500});
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(cluster.writes_of("create replicasets"), 1);
  EXPECT_EQ(cluster.writes_of("patch pods"), 2);
  EXPECT_EQ(cluster.writes_of("apply replicasets"), 0);
}

TEST_F(AppReconcilerTest, ADeletedAppIsForgottenWithoutAWrite) {
  settle();
  auto object = cluster.at(kube::kScalableApps, kWeb);
  object["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z";
  cluster.put(kube::kScalableApps, object);
  run(2);
  EXPECT_THAT(metrics.asked, IsEmpty());
  cluster.erase(kube::kScalableApps, kWeb);
  cluster.tick();
  const auto result = reconcile();
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, milliseconds::max());
  EXPECT_THAT(cluster.writes, IsEmpty());
  EXPECT_EQ(reconciler->decisions_json(kWeb).error().code, ErrorCode::kNotFound);
}

TEST_F(AppReconcilerTest, AnAppOfTheSameNameBeginsAnew) {
  settle();
  for (const auto& object : cluster.all(kube::kReplicaSets)) {
    cluster.erase(kube::kReplicaSets, {"demo", object["metadata"]["name"]});
  }
  cluster.erase(kube::kScalableApps, kWeb);
  cluster.put_app(kWeb, web_spec());
  run(3);
  EXPECT_EQ(asked(), 2);
  EXPECT_EQ(cluster.all(kube::kReplicaSets)[0]["metadata"]["ownerReferences"][0]["uid"],
            cluster.at(kube::kScalableApps, kWeb)["metadata"]["uid"]);
}

// --- gates ----------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, APodIsWarmAsSoonAsItsContainersWereReadyForMinWarmSeconds) {
  json spec = web_spec();
  spec["readiness"] = {{"minWarmSeconds", 3}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(3);  // Asked for in the first second, made in the second, containers ready in the third.
  EXPECT_EQ(cluster.writes_of("patch pods"), 0);
  const auto next = reconcile();
  ASSERT_TRUE(next);
  EXPECT_LE(*next, seconds{3});
  run(5);
  EXPECT_EQ(cluster.writes_of("patch pods"), 2);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, TheGateIsWrittenBeforeTheDecisionOfTheSameRun) {
  settle();
  metrics.set("needed", 4);
  run(1);
  cluster.writes.clear();
  clock.advance(seconds{1});
  cluster.tick();
  clock.advance(seconds{1});
  cluster.tick();
  metrics.set("needed", 6);
  ASSERT_TRUE(reconcile());
  ASSERT_GE(cluster.writes.size(), 4u);
  EXPECT_THAT(cluster.writes[0], HasSubstr("patch pods"));
  EXPECT_THAT(cluster.writes[1], HasSubstr("patch pods"));
  EXPECT_THAT(cluster.writes[2], HasSubstr("apply replicasets"));
  EXPECT_THAT(cluster.writes[3], HasSubstr("status"));
}

TEST_F(AppReconcilerTest, AGateClosesWhenContainersStopBeingReadyAndOpensAgain) {
  settle();
  auto pod = cluster.all(kube::kPods)[0];
  cluster.set_condition(pod, "ContainersReady", false);
  cluster.put(kube::kPods, pod);
  run(1);
  EXPECT_EQ(cluster.writes_of("patch pods"), 1);
  run(1);
  pod = cluster.all(kube::kPods)[0];
  EXPECT_FALSE(cluster.is(pod, api::kWarmGate));
  cluster.set_condition(pod, "ContainersReady", true);
  cluster.put(kube::kPods, pod);
  run(2);
  EXPECT_TRUE(cluster.is(cluster.all(kube::kPods)[0], api::kWarmGate));
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, AWarmUpQueryOpensTheGateAndIsAskedOnlyWhileAPodIsCold) {
  json spec = web_spec();
  spec["readiness"] = {{"warmUp", {{"query", "warmth"}, {"atLeast", 1}}}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(5);
  EXPECT_EQ(cluster.serving(), 0);
  EXPECT_EQ(metrics.asked.size(), 2u);
  warm_up();
  run(3);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(metrics.asked.size(), 1u);
}

TEST_F(AppReconcilerTest, APodThatWaitsForLongSaysWhyInOneWrite) {
  json spec = web_spec();
  spec["readiness"] = {{"minWarmSeconds", 10}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(6);
  EXPECT_EQ(cluster.writes_of("patch pods"), 2);
  for (const json& pod : cluster.all(kube::kPods)) {
    const json& condition = pod["status"]["conditions"].back();
    EXPECT_EQ(condition["type"], api::kWarmGate);
    EXPECT_EQ(condition["reason"], "WarmingUp");
  }
  run(10);
  EXPECT_EQ(cluster.writes_of("patch pods"), 4);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, WhyAPodWaitsIsSaidAfterEverythingElseAndItsErrorHoldsUpNothing) {
  json spec = web_spec();
  spec["readiness"] = {{"minWarmSeconds", 10}};
  settle(spec);
  metrics.set("needed", 4);
  cluster.fault = [](const std::string& write) { return write.starts_with("patch") ? Fault::kServerError : Fault::kNone; };
  run(2);
  metrics.set("needed", 6);
  clock.advance(seconds{1});
  cluster.tick();
  cluster.writes.clear();
  EXPECT_TRUE(reconcile());
  ASSERT_GE(cluster.writes.size(), 3u);
  EXPECT_THAT(cluster.writes.front(), HasSubstr("apply replicasets"));
  EXPECT_THAT(cluster.writes.back(), HasSubstr("patch pods"));
}

TEST_F(AppReconcilerTest, AValueHasToBeGoodForSecondsAndAnOutageOfPrometheusIsNoBreak) {
  json spec = web_spec();
  spec["readiness"] = {{"warmUp", {{"query", "warmth"}, {"atLeast", 1}, {"forSeconds", 10}}}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(3);
  warm_up();
  run(5);
  metrics.answers[""].error = Error{ErrorCode::kUnavailable, "Prometheus: connection refused", {}};
  run(4);
  EXPECT_EQ(cluster.serving(), 0);
  metrics.answers[""].error.reset();
  run(3);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, ANewProcessCountsAnewHowLongAValueHasBeenGood) {
  json spec = web_spec();
  spec["readiness"] = {{"warmUp", {{"query", "warmth"}, {"atLeast", 1}, {"forSeconds", 10}}}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(3);
  warm_up();
  run(8);
  restart();
  run(9);
  EXPECT_EQ(cluster.serving(), 0);
  run(4);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, PodsAreProbedFromWhenTheirContainersAreReadyUntilTheyAreWarm) {
  cluster.pod_ip = "10.0.0.7";
  json spec = web_spec();
  spec["readiness"] = {{"warmUp", {{"httpGet", {{"path", "/warm"}, {"port", 8080}}}}}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(2);
  EXPECT_THAT(probes.asked, IsEmpty());
  run(3);
  ASSERT_EQ(probes.asked.size(), 2u);
  EXPECT_EQ(probes.asked[0].probe.address, "10.0.0.7");
  probes.failures = {{probes.asked[0].id, ""}, {probes.asked[1].id, "HTTP 503"}};
  run(2);
  EXPECT_EQ(cluster.serving(), 1);
  ASSERT_EQ(probes.asked.size(), 1u);
  probes.failures[probes.asked[0].id] = "";
  run(2);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_THAT(probes.asked, IsEmpty());
  EXPECT_EQ(metrics.asked.size(), 1u) << "there is no query to ask";
}

TEST_F(AppReconcilerTest, SlowStartOpensTheGatesOfABurstOneAfterTheOtherAlsoByANewProcess) {
  json spec = web_spec();
  spec["readiness"] = {{"slowStart", {{"maxPercent", 25}, {"intervalSeconds", 10}}}};
  settle(spec);
  metrics.set("needed", 6);
  run(10);
  EXPECT_EQ(cluster.serving(), 3);
  restart();
  run(2);
  EXPECT_EQ(cluster.serving(), 3);
  run(8);
  EXPECT_EQ(cluster.serving(), 4);
  run(20);
  EXPECT_EQ(cluster.serving(), 6);
}

TEST_F(AppReconcilerTest, AMetricMayBeCalledWarmUpToo) {
  json spec = web_spec();
  spec["metrics"][0]["name"] = "warm-up";
  spec["readiness"] = {{"warmUp", {{"query", "warmth"}, {"atLeast", 1}}}};
  metrics.set("warm-up", 2);
  cluster.put_app(kWeb, spec);
  run(5);
  EXPECT_EQ(cluster.serving(), 0);
  warm_up();
  run(3);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, PodsThatRestartedWhileNobodyLedServeOnUntilTheirWarmUpValueIsThere) {
  json spec = web_spec();
  spec["readiness"] = {{"warmUp", {{"query", "warmth"}, {"atLeast", 1}}}};
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(5);
  warm_up();
  run(3);
  metrics.answers[""].samples.clear();
  for (json pod : cluster.all(kube::kPods)) {
    clock.advance(seconds{1});
    cluster.set_condition(pod, "ContainersReady", false);
    cluster.set_condition(pod, "ContainersReady", true);
    pod["status"]["containerStatuses"] = {{{"restartCount", 1}}};
    cluster.put(kube::kPods, pod);
  }
  restart();
  run(5);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(metrics.asked.size(), 2u);
  warm_up();
  run(3);
  EXPECT_EQ(metrics.asked.size(), 1u);
}

TEST_F(AppReconcilerTest, AGateThatCannotBeWrittenHoldsUpNeitherOtherPodsNorScaling) {
  settle();
  metrics.set("needed", 4);
  std::string first;
  cluster.fault = [&](const std::string& write) {
    if (first.empty() && write.starts_with("patch")) first = write;
    return write == first ? Fault::kServerError : Fault::kNone;
  };
  run(5);
  EXPECT_EQ(cluster.serving(), 3);
  metrics.set("needed", 6);
  run(10);
  EXPECT_EQ(asked(), 6);
  EXPECT_EQ(cluster.serving(), 5);
  cluster.fault = nullptr;
  run(3);
  EXPECT_EQ(cluster.serving(), 6);
}

TEST_F(AppReconcilerTest, ALeaderWhoseCacheIsBehindWritesNothingOverItsPredecessorsStatus) {
  settle();
  cluster.lag = seconds{5};
  lowest = 1000;
  metrics.set("needed", 8);
  run(1);
  EXPECT_EQ(status().desired_replicas, 6);
  restart();  // Its cache still says 2.
  metrics.set("needed", 3);
  run(3);
  EXPECT_EQ(status().desired_replicas, 6);
  run(4);
  EXPECT_EQ(asked(), 6);  // Known now; the way down waits for its first moments to pass.
  EXPECT_EQ(lowest, 2);
}

TEST_F(AppReconcilerTest, ATemplateNamedAsAnOlderOneOfTheAppGetsAnotherName) {
  settle();
  cluster.put_app(kWeb, web_spec("v2"));
  run(30);
  const std::string v2 = status().updated_revision;
  cluster.put_app(kWeb, web_spec("v1"));
  run(30);
  const std::string v1 = status().updated_revision;
  json old = cluster.at(kube::kReplicaSets, {"demo", "web-" + v2});
  old["metadata"]["annotations"][api::kTemplateHashAnnotation] = "of-something-else";
  cluster.put(kube::kReplicaSets, old);
  cluster.put_app(kWeb, web_spec("v2"));
  run(30);
  EXPECT_EQ(status().collision_count, 1);
  EXPECT_NE(status().updated_revision, v2);
  EXPECT_EQ(status().current_revision, status().updated_revision);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, TurningTheGateOnOrOffRollsOutPodsThatAreSo) {
  json spec = web_spec();
  spec["readiness"] = {{"gate", false}};
  settle(spec);
  lowest = 1000;
  for (const bool gate : {true, false}) {
    spec["readiness"]["gate"] = gate;
    cluster.put_app(kWeb, spec);
    run(30);
    EXPECT_EQ(lowest, 2);
    EXPECT_EQ(cluster.serving(), 2);
    for (const auto& pod : cluster.all(kube::kPods)) {
      EXPECT_EQ(pod["spec"].contains("readinessGates"), gate);
    }
  }
}

TEST_F(AppReconcilerTest, OnePodThatCannotBeChangedDoesNotHoldUpTheApp) {
  settle();
  metrics.set("needed", 4);
  run(1);
  const std::string bad = cluster.all(kube::kPods).back()["metadata"]["name"];
  cluster.fault = [&](const std::string& write) {
    return write == "patch pods demo/" + bad ? Fault::kServerError : Fault::kNone;
  };
  run(5);
  cluster.fault = nullptr;
  run(3);
  EXPECT_EQ(cluster.serving(), 4);
}

// --- scaling --------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, AMetricOverItsTargetScalesUpWithOneEventAndOneStatusWrite) {
  settle();
  metrics.set("needed", 5);
  run(1);
  EXPECT_EQ(asked(), 5);
  EXPECT_THAT(cluster.writes, ElementsAre(HasSubstr("apply replicasets"), "status scalableapps demo/web"));
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Normal ScaledUp web: 2 -> 5")));
  const auto now = status();
  ASSERT_TRUE(now.last_decision);
  EXPECT_EQ(now.last_decision->from, 2);
  EXPECT_EQ(now.last_decision->to, 5);
  EXPECT_EQ(now.last_decision->reason, "MetricAboveTarget");
  EXPECT_THAT(now.last_decision->message, HasSubstr("2 -> 5"));
  EXPECT_EQ(now.desired_replicas, 5);
  EXPECT_EQ(now.history.scale_events.back().change, 3);
  run(10);
  EXPECT_THAT(new_events(), IsEmpty());
  EXPECT_EQ(status().ready_replicas, 5);
  EXPECT_EQ(condition("Ready").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, WhileOtherAppsWaitAScaleIsWrittenAndItsStatusMakesWayForAWhile) {
  settle();
  others_wait = true;
  metrics.set("needed", 5);
  run(1);
  EXPECT_EQ(asked(), 5);
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("ScaledUp web: 2 -> 5")));
  metrics.set("needed", 6);
  run(1);
  EXPECT_EQ(asked(), 6);
  EXPECT_EQ(cluster.writes_of("status"), 0);
  run(3);
  EXPECT_EQ(status().desired_replicas, 6);
  EXPECT_THAT(status().history.scale_events, testing::SizeIs(2));
}

TEST_F(AppReconcilerTest, AMissingMetricNeverScalesDownAndIsToldOnceEachWay) {
  settle();
  metrics.set("needed", 6);
  run(20);
  ASSERT_EQ(cluster.serving(), 6);
  (void)new_events();
  metrics.lose("needed");
  run(120);
  EXPECT_EQ(asked(), 6);
  EXPECT_EQ(condition("MetricsAvailable").status, api::ConditionStatus::kFalse);
  EXPECT_THAT(condition("MetricsAvailable").message, HasSubstr("connection refused"));
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Warning MetricsMissing")));
  metrics.set("needed", 6);
  run(10);
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Normal MetricsBack")));
  EXPECT_EQ(condition("MetricsAvailable").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, ANewAppOrANewProcessIsNoLossOfMetrics) {
  cluster.put_app(kWeb, web_spec());
  run(2);
  metrics.set("needed", 2);
  run(10);
  EXPECT_THAT(events.events(), testing::Not(testing::Contains(HasSubstr("Metrics"))));
  (void)new_events();
  cluster.writes.clear();
  metrics.answers.clear();
  restart();
  run(2);
  metrics.set("needed", 2);
  run(10);
  EXPECT_THAT(new_events(), IsEmpty());
  EXPECT_THAT(cluster.writes, IsEmpty());
}

TEST_F(AppReconcilerTest, AMetricThatIsMissingFromTheStartIsTold) {
  cluster.put_app(kWeb, web_spec());
  run(1);
  metrics.lose("needed");
  run(5);
  EXPECT_THAT(events.events(), testing::Contains(HasSubstr("Warning MetricsMissing")));
  (void)new_events();
  restart();
  run(5);
  EXPECT_THAT(new_events(), IsEmpty());
}

TEST_F(AppReconcilerTest, AnOverrideHoldsTheCount) {
  settle();
  json spec = web_spec();
  spec["replicas"]["override"] = 7;
  cluster.put_app(kWeb, spec);
  run(2);
  EXPECT_EQ(asked(), 7);
  EXPECT_EQ(status().last_decision->reason, "ManualOverride");
}

TEST_F(AppReconcilerTest, AScheduleIsAFloorWhileItsWindowIsOpenAndOneThatCannotBeReadIsNamed) {
  settle();
  json spec = web_spec();
  // The clock begins on Friday, 15 January 2027, 08:00:00 UTC: 13:30 in Kolkata.
  spec["schedules"] = json::parse(R"([
      {"name":"lunch","cron":"32 13 * * FRI","timeZone":"Asia/Kolkata","durationSeconds":120,"replicas":{"min":5}},
      {"name":"lost","cron":"0 0 * * *","timeZone":"Mars/Base","durationSeconds":60,"replicas":{"min":20}}])");
  cluster.put_app(kWeb, spec);
  run(15);
  EXPECT_EQ(asked(), 2);
  EXPECT_EQ(condition("SchedulesValid").status, api::ConditionStatus::kFalse);
  EXPECT_THAT(condition("SchedulesValid").message,
              HasSubstr("spec.schedules[1].timeZone: \"Mars/Base\" is no time zone"));
  run(90);  // The window is open, and was to its pods a little before.
  EXPECT_EQ(asked(), 5);
  EXPECT_THAT(status().last_decision->message, HasSubstr("lunch"));
  run(140);
  EXPECT_EQ(asked(), 2);
  spec["schedules"].erase(1);
  cluster.put_app(kWeb, spec);
  run(2);
  EXPECT_EQ(condition("SchedulesValid").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, AReplicaSetScaledByHandIsPutBack) {
  settle();
  auto replica_set = cluster.all(kube::kReplicaSets)[0];
  replica_set["spec"]["replicas"] = 9;
  cluster.put(kube::kReplicaSets, replica_set);
  run(2);
  EXPECT_EQ(asked(), 2);
  EXPECT_THAT(status().history.scale_events, testing::SizeIs(testing::Le(1)));
}

// --- draining -------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, AScaleDownClosesTheGateBeforeTheReplicaSetShrinks) {
  settle();
  metrics.set("needed", 4);
  run(20);
  cluster.writes.clear();
  (void)new_events();
  metrics.set("needed", 3);
  run(1);
  EXPECT_THAT(cluster.writes, ElementsAre("status scalableapps demo/web", HasSubstr("annotate pods"), HasSubstr("patch pods")));
  EXPECT_EQ(status().desired_replicas, 3);
  EXPECT_EQ(asked(), 4);
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("ScaledDown web: 4 -> 3")));
  run(4);
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(cluster.serving(), 3);
  EXPECT_EQ(status().replicas, 4);
  EXPECT_EQ(status().ready_replicas, 3);
  EXPECT_EQ(status().warming_replicas, 0);
  EXPECT_EQ(condition("Ready").reason, "AllReplicasReady");
  lowest = 1000;
  run(2);
  EXPECT_EQ(asked(), 3);
  run(5);
  EXPECT_EQ(lowest, 3);
  EXPECT_EQ(cluster.all(kube::kPods).size(), 3u);
  EXPECT_EQ(status().history.scale_events.back().change, -1);
}

TEST_F(AppReconcilerTest, ABurstDuringTheDrainTakesTheDrainingPodsBackFirst) {
  settle();
  metrics.set("needed", 6);
  run(20);
  metrics.set("needed", 2);
  run(2);
  EXPECT_EQ(cluster.serving(), 2);
  cluster.writes.clear();
  metrics.set("needed", 7);
  run(1);
  ASSERT_GE(cluster.writes.size(), 9u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_THAT(cluster.writes[i], HasSubstr("annotate pods"));
  for (std::size_t i = 4; i < 8; ++i) EXPECT_THAT(cluster.writes[i], HasSubstr("patch pods"));
  cluster.tick();
  EXPECT_EQ(cluster.serving(), 6) << "warm as they are";
  run(10);
  EXPECT_EQ(cluster.serving(), 7);
  EXPECT_EQ(cluster.all(kube::kPods).size(), 7u);
  for (const auto& pod : cluster.all(kube::kPods)) {
    EXPECT_FALSE(is_draining(pod));
    EXPECT_FALSE(pod["metadata"].value("annotations", json::object()).contains(api::kDeletionCostAnnotation));
  }
}

TEST_F(AppReconcilerTest, AScaleUpThatDrainingPodsCoverWritesNoReplicaSet) {
  settle();
  metrics.set("needed", 6);
  run(20);
  metrics.set("needed", 3);
  run(2);
  cluster.writes.clear();
  metrics.set("needed", 5);
  run(1);
  EXPECT_EQ(cluster.writes_of("replicasets"), 0);
  EXPECT_EQ(status().desired_replicas, 5);
  EXPECT_EQ(status().history.scale_events.back().change, 2);
  run(5);
  EXPECT_EQ(asked(), 5);
  EXPECT_EQ(cluster.serving(), 5);
}

TEST_F(AppReconcilerTest, ARestartedOperatorContinuesADrainWhereItWas) {
  settle();
  metrics.set("needed", 5);
  run(20);
  metrics.set("needed", 3);
  run(3);
  std::vector<std::string> chosen, left;
  for (const auto& pod : cluster.all(kube::kPods)) (is_draining(pod) ? chosen : left).push_back(pod["metadata"]["name"]);
  ASSERT_EQ(chosen.size(), 2u);
  cluster.writes.clear();
  restart();
  run(4);
  EXPECT_EQ(cluster.writes_of("annotate"), 0);
  EXPECT_EQ(asked(), 3);
  run(3);
  std::vector<std::string> names;
  for (const auto& pod : cluster.all(kube::kPods)) names.push_back(pod["metadata"]["name"]);
  EXPECT_EQ(names, left);
}

TEST_F(AppReconcilerTest, WithoutAGateOrADrainNothingIsWaitedFor) {
  for (const char* how : {"gate", "drain"}) {
    World world;
    json spec = web_spec();
    const bool no_gate = how == std::string("gate");
    (no_gate ? spec["readiness"]["gate"] : spec["scaleDown"]["drainSeconds"]) = no_gate ? json(false) : json(0);
    world.settle(spec);
    world.metrics.set("needed", 4);
    world.run(20);
    world.cluster.writes.clear();
    world.metrics.set("needed", 2);
    world.run(1);
    EXPECT_EQ(world.asked(), 2) << how;
    EXPECT_THAT(world.cluster.writes, ElementsAre("status scalableapps demo/web", HasSubstr("annotate pods"),
                                                  HasSubstr("annotate pods"), HasSubstr("apply replicasets")));
  }
}

TEST_F(AppReconcilerTest, PodsThatDoNotServeYetGoAtOnceInOneWrite) {
  settle();
  cluster.start_time = seconds{1000};
  metrics.set("needed", 5);
  run(2);
  ASSERT_EQ(cluster.all(kube::kPods).size(), 5u);
  cluster.writes.clear();
  metrics.set("needed", 2);
  run(1);
  EXPECT_EQ(asked(), 2);
  EXPECT_THAT(cluster.writes, ElementsAre(HasSubstr("apply replicasets"), "status scalableapps demo/web"));
}

TEST_F(AppReconcilerTest, APodThatCannotBeMarkedIsNotTakenUndrainedAndThatIsTold) {
  settle();
  metrics.set("needed", 4);
  run(20);
  (void)new_events();
  cluster.fault = [](const std::string& write) { return write.starts_with("annotate") ? Fault::kRefused : Fault::kNone; };
  metrics.set("needed", 3);
  run(10);
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(cluster.serving(), 4);
  EXPECT_THAT(new_events(), testing::Contains(HasSubstr("Warning PodNotMarked web: pod web-")));
  metrics.set("needed", 6);
  run(10);
  EXPECT_EQ(cluster.serving(), 6);
  cluster.fault = nullptr;
  metrics.set("needed", 3);
  run(15);
  EXPECT_EQ(cluster.serving(), 3);
}

TEST_F(AppReconcilerTest, ALateCacheMarksNoOtherPods) {
  settle();
  metrics.set("needed", 6);
  run(20);
  cluster.lag = seconds{3};
  cluster.writes.clear();
  metrics.set("needed", 4);
  run(25);
  EXPECT_EQ(cluster.writes_of("annotate"), 2);
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(cluster.serving(), 4);
}

TEST_F(AppReconcilerTest, PausedNothingIsTakenOrTakenBackAndAfterThatTheDrainGoesOn) {
  settle();
  metrics.set("needed", 4);
  run(20);
  metrics.set("needed", 2);
  run(2);
  json spec = web_spec();
  spec["paused"] = true;
  cluster.put_app(kWeb, spec);
  run(30);
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(cluster.serving(), 2);
  cluster.put_app(kWeb, web_spec());
  run(3);
  EXPECT_EQ(asked(), 2);
}

// --- outliers -------------------------------------------------------------------------------------

class Outliers : public AppReconcilerTest {
 protected:
  void settle_with(const char* action, int count) {
    spec_["replicas"]["min"] = count;
    spec_["metrics"].push_back(json::parse(R"({"name":"p99","type":"Latency","latency":{"target":"1s"}})"));
    spec_["outliers"] = {{"action", action}, {"maxEjectedPercent", 20}};
    metrics.set("needed", 2);
    metrics.set("p99", 0.1);
    cluster.put_app(kWeb, spec_);
    run(20);
    ASSERT_EQ(cluster.serving(), count);
    cluster.writes.clear();
    (void)new_events();
  }
  // Every pod does 50 requests a second of 10 ms, the first `slow` ones of 2 s.
  void make_slow(int slow) {
    auto& details = metrics.answers["p99\ndetails"];
    details = {.age = seconds{1}};
    for (const auto& pod : cluster.all(kube::kPods)) {
      const std::string name = pod["metadata"]["name"];
      details.samples.push_back({.value = 50, .pod = "rate/" + name});
      details.samples.push_back({.value = slow-- > 0 ? 100.0 : 0.5, .pod = "busy/" + name});
    }
  }
  int told() {
    return static_cast<int>(std::ranges::count_if(new_events(), [](const auto& event) { return event.starts_with("Warning PodOutlier web: pod web-"); }));
  }
  json spec_ = web_spec();
};

TEST_F(Outliers, AnEjectedPodLeavesServiceAndReturnsAfterAMinute) {
  settle_with("Eject", 6);
  make_slow(1);
  run(2);
  EXPECT_EQ(cluster.serving(), 5);
  EXPECT_EQ(told(), 1);
  EXPECT_EQ(cluster.writes_of("annotate pods"), 1);
  const std::string name = cluster.all(kube::kPods)[0]["metadata"]["name"];
  make_slow(0);
  run(30);
  restart();
  run(25);
  EXPECT_EQ(cluster.serving(), 5) << "a new process lets it out no earlier";
  run(10);
  EXPECT_EQ(cluster.serving(), 6);
  EXPECT_EQ(cluster.all(kube::kPods)[0]["metadata"]["name"], name) << "it was not replaced";
  EXPECT_EQ(told(), 0);
  make_slow(1);
  run(20);  // It is judged by a whole window of its own.
  EXPECT_EQ(cluster.serving(), 5);
  EXPECT_EQ(told(), 1);
  make_slow(0);
  run(95);
  EXPECT_EQ(cluster.serving(), 5) << "two minutes this time";
  run(30);
  EXPECT_EQ(cluster.serving(), 6);
}

TEST_F(Outliers, NeverMoreThanTheShareIsOut) {
  settle_with("Eject", 9);
  make_slow(3);
  lowest = 1000;
  run(50);
  EXPECT_EQ(lowest, 8);
}

TEST_F(Outliers, AnOutlierThatIsReportedOnlyIsToldEveryTenMinutes) {
  settle_with("Report", 5);
  make_slow(1);
  run(590);
  EXPECT_EQ(told(), 1);
  run(20);
  EXPECT_EQ(told(), 1);
  EXPECT_EQ(cluster.serving(), 5);
  EXPECT_EQ(cluster.writes_of("pods"), 0);
}

// --- whatever fails -------------------------------------------------------------------------------

// Any number wanted, any fault at any write, any delay of the caches, new templates, new processes: none
// that serves is killed before it was out of service for its drain, no capacity that is wanted is taken
// by us, and all ends well.
TEST(AppReconcilerProperties, NoPodIsKilledWhileItServesWhateverFails) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    World world;
    world.settle();
    world.cluster.lag = seconds{pick(0, 2)};
    std::map<std::string, milliseconds> out_since;
    const auto look = [&] {
      for (const auto& pod : world.cluster.all(kube::kPods)) {
        const std::string name = pod["metadata"]["name"];
        const milliseconds now = world.clock.monotonic_now().time_since_epoch();
        if (world.cluster.is(pod, "Ready")) out_since.erase(name);
        if (!world.cluster.is(pod, "ContainersReady")) continue;
        if (!pod["metadata"].contains("deletionTimestamp")) {
          if (!world.cluster.is(pod, "Ready")) out_since.emplace(name, now);
          continue;
        }
        EXPECT_FALSE(world.cluster.is(pod, "Ready")) << name << " was killed while it served";
        const bool has_served = std::ranges::any_of(pod["status"]["conditions"], [](const json& one) {
          return one["type"] == api::kWarmGate && one.value("reason", "") == api::kDrainingReason;
        });
        const milliseconds died{pod["metadata"]["deletionMillis"].get<std::int64_t>()};
        EXPECT_TRUE(!has_served || died - out_since[name] >= seconds{4}) << name << " was killed too soon";
      }
    };
    int version = 1;
    for (int second = 0; second < 150; ++second) {
      if (pick(0, 9) == 0) world.metrics.set("needed", pick(1, 9));
      if (pick(0, 39) == 0) world.cluster.put_app(kWeb, web_spec(fmt::format("v{}", ++version).c_str()));
      if (pick(0, 39) == 0) world.restart();
      world.cluster.fault = [&](const std::string&) {
        return pick(0, 19) == 0 ? static_cast<Fault>(pick(1, static_cast<int>(Fault::kDieAfter))) : Fault::kNone;
      };
      world.run(1);
      look();
    }
    world.cluster.fault = nullptr;
    world.metrics.set("needed", 4);
    world.run(150);
    EXPECT_EQ(world.cluster.serving(), 4);
    EXPECT_EQ(world.asked(), 4);
    EXPECT_EQ(world.cluster.all(kube::kPods).size(), 4u);
    EXPECT_EQ(world.draining(), 0);
    if (testing::Test::HasFailure()) return;
  }
}

// --- rollout --------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, ARolloutNeverLosesAServingReplica) {
  settle();
  metrics.set("needed", 4);
  run(10);
  lowest = 1000;
  cluster.put_app(kWeb, web_spec("v2"));
  run(1);
  EXPECT_NE(status().updated_revision, status().current_revision);
  run(40);
  EXPECT_EQ(lowest, 4);
  EXPECT_LE(most_asked, 5);
  EXPECT_EQ(status().updated_revision, status().current_revision);
  for (const auto& pod : cluster.all(kube::kPods)) EXPECT_EQ(pod["spec"]["containers"][0]["image"], "v2");
}

TEST_F(AppReconcilerTest, ARolloutWithoutSurgeEndsWithAsManyReplicasAsItBeganWith) {
  json spec = web_spec();
  spec["rollout"] = {{"maxSurge", 0}, {"maxUnavailable", 1}};
  settle(spec);
  metrics.set("needed", 5);
  run(15);
  metrics.lose("needed");  // Nobody asks for more.
  spec["template"]["spec"]["containers"][0]["image"] = "v2";
  cluster.put_app(kWeb, spec);
  run(60);
  EXPECT_EQ(cluster.serving(), 5);
  EXPECT_EQ(asked(), 5);
}

TEST_F(AppReconcilerTest, DuringARolloutTheAppScalesUpButNotDown) {
  settle();
  metrics.set("needed", 4);
  run(20);
  cluster.slow_image = "v2";
  cluster.put_app(kWeb, web_spec("v2"));
  run(5);
  metrics.set("needed", 8);
  run(10);
  EXPECT_EQ(status().desired_replicas, 8);
  EXPECT_GE(cluster.serving(), 7);  // Of the old revision: the new one has shown no pod that serves.
  metrics.set("needed", 2);
  run(30);
  EXPECT_EQ(status().desired_replicas, 8);
  cluster.slow_image.clear();
  run(60);
  EXPECT_EQ(status().desired_replicas, 2);
  EXPECT_EQ(cluster.serving(), 2);
}

TEST_F(AppReconcilerTest, AStuckRolloutSaysWhyAndKeepsServing) {
  json spec = web_spec();
  spec["rollout"]["progressDeadlineSeconds"] = 20;
  spec["rollout"]["rollback"] = "Manual";
  settle(spec);
  cluster.crashing_image = "v2";
  spec["template"]["spec"]["containers"][0]["image"] = "v2";
  cluster.put_app(kWeb, spec);
  lowest = 1000;
  run(60);
  EXPECT_EQ(lowest, 2);
  EXPECT_EQ(condition("Progressing").status, api::ConditionStatus::kFalse);
  EXPECT_THAT(condition("Progressing").message, HasSubstr("CrashLoopBackOff"));
  const auto told = new_events();
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& event) {
              return event.find("Warning CrashLoop") != std::string::npos;
            }), 1);
}

TEST_F(AppReconcilerTest, ATemplateThatTheServerRefusesIsToldOnceAndTheOldRevisionScalesOn) {
  settle();
  cluster.fault = [](const std::string& write) {
    return write.starts_with("create replicasets") ? Fault::kRefused : Fault::kNone;
  };
  cluster.put_app(kWeb, web_spec("v2"));
  run(3);
  EXPECT_EQ(condition("Progressing").status, api::ConditionStatus::kFalse);
  EXPECT_EQ(condition("Progressing").reason, "ReplicaSetCreateError");
  EXPECT_THAT(condition("Progressing").message, HasSubstr("exceeded quota"));
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Normal RolloutStarted"),
                                        HasSubstr("Warning ReplicaSetCreateError web: exceeded quota")));
  metrics.set("needed", 6);
  run(15);
  EXPECT_EQ(cluster.serving(), 6);
  restart();
  run(60);
  EXPECT_EQ(condition("Progressing").reason, "ReplicaSetCreateError");
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("ScaledUp web: 2 -> 6")));
  EXPECT_LE(cluster.writes_of("create replicasets"), 12);
  cluster.fault = nullptr;
  run(120);
  EXPECT_EQ(cluster.serving(), 6);
  EXPECT_EQ(status().updated_revision, status().current_revision);
}

TEST_F(AppReconcilerTest, AMendedTemplateIsTriedAtOnce) {
  settle();
  cluster.fault = [](const std::string& write) {
    return write.starts_with("create replicasets") ? Fault::kRefused : Fault::kNone;
  };
  cluster.put_app(kWeb, web_spec("v2"));
  run(30);
  cluster.fault = nullptr;
  cluster.put_app(kWeb, web_spec("v3"));
  run(1);
  EXPECT_EQ(cluster.all(kube::kReplicaSets).size(), 2u);
  EXPECT_EQ(condition("Progressing").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, AnEvictedPodHoldsUpNoRolloutAndIsNotWaitedFor) {
  json spec = web_spec();
  spec["rollout"]["progressDeadlineSeconds"] = 20;
  settle(spec);
  const auto evict = [&](const char* name) {
    auto pod = cluster.all(kube::kPods)[0];
    pod["metadata"].erase("uid");
    pod["metadata"]["name"] = name;
    pod["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}, {"conditions", json::array()}};
    cluster.put(kube::kPods, pod);
  };
  evict("evicted");
  run(40);
  EXPECT_EQ(condition("Progressing").reason, "NewReplicaSetAvailable");
  spec["template"]["spec"]["containers"][0]["image"] = "v2";
  cluster.put_app(kWeb, spec);
  run(40);
  EXPECT_EQ(condition("Progressing").reason, "NewReplicaSetAvailable");
  EXPECT_EQ(status().updated_revision, status().current_revision);
}

// --- others' objects ------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, AForeignReplicaSetOfOurNameIsLeftAloneAndAnotherNameTaken) {
  cluster.put_app(kWeb, web_spec());
  cluster.tick();
  const std::string revision = api::revision_hash(cluster.apps.get(kWeb)->spec.template_json, 0);
  const json foreign{{"metadata", {{"namespace", "demo"}, {"name", "web-" + revision}, {"labels", json::object()}}},
                     {"spec", {{"replicas", 0}}}};
  cluster.put(kube::kReplicaSets, foreign);
  metrics.set("needed", 2);
  run(10);
  EXPECT_EQ(status().collision_count, 1);
  EXPECT_EQ(cluster.all(kube::kReplicaSets).size(), 2u);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(cluster.at(kube::kReplicaSets, {"demo", "web-" + revision})["spec"]["replicas"], 0);
  EXPECT_THAT(events.events(), testing::Contains(HasSubstr("RevisionCollision")));
}

TEST_F(AppReconcilerTest, PodsAndReplicaSetsOfOthersAreNotCountedThoughTheyBearOurLabel) {
  settle();
  auto pod = cluster.all(kube::kPods)[0];
  pod["metadata"].erase("uid");
  pod["metadata"]["name"] = "stray";
  pod["metadata"]["ownerReferences"][0]["uid"] = "somebody";
  cluster.put(kube::kPods, pod);
  const json foreign{{"metadata", {{"namespace", "demo"}, {"name", "theirs"}, {"labels", {{api::kAppLabel, "web"}}}}},
                     {"spec", {{"replicas", 0}}}};
  cluster.put(kube::kReplicaSets, foreign);
  metrics.set("needed", 3);
  run(10);
  EXPECT_EQ(status().replicas, 3);
  EXPECT_EQ(cluster.writes_of("theirs"), 0);
}

// --- what the user may say ------------------------------------------------------------------------

TEST_F(AppReconcilerTest, AnInvalidSpecIsNamedAndItsPodsKept) {
  settle();
  json spec = web_spec("v2");
  spec["replicas"]["max"] = 1;
  cluster.put_app(kWeb, spec);
  run(5);
  EXPECT_EQ(condition("Ready").reason, "SpecInvalid");
  EXPECT_THAT(condition("Ready").message, HasSubstr("spec.replicas.max: must be at least"));
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Warning SpecInvalid web: spec.replicas.max")));
  EXPECT_EQ(cluster.writes.size(), 1u);
  EXPECT_EQ(cluster.serving(), 2);
  restart();
  run(5);
  EXPECT_THAT(new_events(), IsEmpty());

  // A pod that is replaced meanwhile still gets warm.
  auto pod = cluster.all(kube::kPods)[0];
  cluster.erase(kube::kPods, {"demo", pod["metadata"]["name"]});
  run(5);
  EXPECT_EQ(cluster.serving(), 2);

  cluster.put_app(kWeb, web_spec());
  run(5);
  EXPECT_EQ(condition("Ready").reason, "AllReplicasReady");
}

TEST_F(AppReconcilerTest, PausedAndDryRunChangeNothingAndTellWhatWouldBeDone) {
  for (const char* field : {"paused", "dryRun"}) {
    World world;
    world.settle();
    json spec = web_spec("v2");
    spec[field] = true;
    world.cluster.put_app(kWeb, spec);
    world.metrics.set("needed", 5);
    world.run(120);
    EXPECT_EQ(world.asked(), 2) << field;
    EXPECT_EQ(world.cluster.all(kube::kReplicaSets).size(), 1u);
    const auto now = world.status();
    EXPECT_EQ(now.last_decision->from, 2);
    EXPECT_EQ(now.last_decision->to, 5);
    EXPECT_EQ(now.desired_replicas, 2) << "what is asked for";
    EXPECT_NE(now.updated_revision, now.current_revision);
    EXPECT_THAT(now.history.scale_events, testing::SizeIs(testing::Le(1)));
    EXPECT_EQ(world.cluster.writes_of("replicasets"), 0);
    EXPECT_LE(world.cluster.writes.size(), 5u);
    EXPECT_THAT(world.new_events(), testing::Each(testing::Not(HasSubstr("Scaled"))));

    spec.erase(field);
    world.cluster.put_app(kWeb, spec);
    world.run(30);
    EXPECT_EQ(world.cluster.serving(), 5) << field;
    EXPECT_LE(world.most_asked, 7) << field;
  }
}

TEST_F(AppReconcilerTest, PausedInARolloutTheSizeDoesNotDrift) {
  settle();
  cluster.crashing_image = "v2";
  cluster.put_app(kWeb, web_spec("v2"));
  run(5);
  json spec = web_spec("v2");
  spec["paused"] = true;
  cluster.put_app(kWeb, spec);
  metrics.set("needed", 4);
  run(100);
  EXPECT_EQ(status().desired_replicas, 2);
  EXPECT_EQ(status().last_decision->to, 4);
}

TEST_F(AppReconcilerTest, AnAppPausedFromItsBeginningTakesItsSizeFromTheReplicaSetsItIsGiven) {
  json spec = web_spec();
  spec["paused"] = true;
  metrics.set("needed", 2);
  cluster.put_app(kWeb, spec);
  run(5);
  EXPECT_EQ(status().desired_replicas, 0);

  const auto app = api::decode_scalable_app(cluster.at(kube::kScalableApps, kWeb));
  json given = json::parse(api::replica_set_body(*app, api::revision_of(app->spec, 0), 4));
  given["metadata"]["name"] = "web-7d9c6b8f5f";  // As a Deployment names its own.
  cluster.put(kube::kReplicaSets, given);
  run(10);
  EXPECT_EQ(status().desired_replicas, 4);
  EXPECT_EQ(status().replicas, 4);
  const auto uids = [&] {
    std::vector<std::string> all;
    for (const auto& pod : cluster.all(kube::kPods)) all.push_back(pod["metadata"]["uid"]);
    return all;
  };
  const auto before = uids();
  cluster.writes.clear();

  spec.erase("paused");
  metrics.set("needed", 4);
  cluster.put_app(kWeb, spec);
  run(30);
  EXPECT_EQ(status().current_revision, status().updated_revision);
  EXPECT_EQ(uids(), before);
  EXPECT_EQ(cluster.writes_of("replicasets"), 0);
}

// --- faults ---------------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, AScaleWhoseWriteFailsIsRetriedAndCountsOnceAgainstThePolicies) {
  for (const Fault fault : {Fault::kConflict, Fault::kServerError, Fault::kTimeoutBefore, Fault::kTimeoutAfter}) {
    World world;
    world.settle();
    world.run(20);
    int failures = 0;
    world.cluster.fault = [&](const std::string& write) {
      return write.find("apply replicasets") != std::string::npos && ++failures <= 3 ? fault : Fault::kNone;
    };
    world.metrics.set("needed", 12);
    world.run(5);
    EXPECT_EQ(world.asked(), 6);  // +4 in 15 s.
    ASSERT_EQ(world.status().history.scale_events.size(), 1u);
    EXPECT_EQ(world.status().history.scale_events[0].change, 4);
    EXPECT_THAT(world.new_events(), ElementsAre(HasSubstr("ScaledUp web: 2 -> 6")));
    world.run(40);
    EXPECT_EQ(world.asked(), 12);
  }
}

TEST_F(AppReconcilerTest, AScaleThatIsRefusedIsToldAndTheRestOfTheStatusMovesOn) {
  settle();
  cluster.fault = [](const std::string& write) {
    return write.find("apply replicasets") != std::string::npos ? Fault::kRefused : Fault::kNone;
  };
  metrics.set("needed", 4);
  auto pod = cluster.all(kube::kPods)[0];
  cluster.set_condition(pod, "ContainersReady", false);
  cluster.put(kube::kPods, pod);
  run(5);
  EXPECT_EQ(condition("Progressing").reason, "ReplicaSetScaleError");
  EXPECT_THAT(condition("Progressing").message, HasSubstr("exceeded quota"));
  EXPECT_EQ(status().ready_replicas, 1);
  EXPECT_EQ(status().desired_replicas, 2);
  EXPECT_THAT(status().history.scale_events, testing::SizeIs(testing::Le(1)));
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Warning ReplicaSetScaleError web: exceeded quota")));
  cluster.fault = nullptr;
  run(2);
  EXPECT_EQ(asked(), 4);
  EXPECT_EQ(condition("Progressing").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, AClockThatIsSetBackTakesNoSizeBack) {
  settle();
  metrics.set("needed", 5);
  run(2);
  EXPECT_EQ(status().desired_replicas, 5);
  clock.set_wall_back(seconds{30});
  cluster.put_app(kWeb, web_spec("v2"));  // In a rollout the status comes first.
  metrics.set("needed", 7);
  run(60);
  EXPECT_EQ(status().desired_replicas, 7);
  EXPECT_EQ(asked(), 7);
}

TEST_F(AppReconcilerTest, TwoScalesThatWereNotReportedAreBothCountedByTheNextProcess) {
  settle();
  run(20);
  others_wait = true;
  metrics.set("needed", 4);
  run(1);
  metrics.set("needed", 6);
  run(1);
  EXPECT_EQ(asked(), 6);
  EXPECT_EQ(status().desired_replicas, 2);
  others_wait = false;
  metrics.set("needed", 20);
  restart();
  run(5);
  EXPECT_EQ(asked(), 6);  // +4 in 15 s, all used up.
}

TEST_F(AppReconcilerTest, AStatusThatCouldNotBeWrittenIsWrittenNextTime) {
  for (const Fault fault : {Fault::kServerError, Fault::kTimeoutBefore, Fault::kTimeoutAfter, Fault::kDieAfter}) {
    World world;
    world.settle();
    world.run(20);
    int failures = 0;
    world.cluster.fault = [&](const std::string& write) {
      return write.starts_with("status") && ++failures <= 3 ? fault : Fault::kNone;
    };
    world.metrics.set("needed", 12);
    world.run(6);
    EXPECT_EQ(world.asked(), 6);
    EXPECT_EQ(world.status().desired_replicas, 6);
    EXPECT_EQ(world.status().history.scale_events.size(), 1u);
  }
}

TEST_F(AppReconcilerTest, AProcessThatDiesAtAScaleLeavesNoRoomForASecondBurst) {
  for (const Fault fault : {Fault::kDieBefore, Fault::kDieAfter}) {
    for (const char* at : {"status", "apply replicasets"}) {
      World world;
      world.settle();
      world.run(20);
      bool died = false;
      world.cluster.fault = [&](const std::string& write) {
        return write.find(at) != std::string::npos && !std::exchange(died, true) ? fault : Fault::kNone;
      };
      world.metrics.set("needed", 20);
      world.run(13);
      EXPECT_TRUE(died);
      EXPECT_EQ(world.asked(), 6) << at;
      world.run(5);
      EXPECT_EQ(world.asked(), 12) << at;
    }
  }
}

TEST_F(AppReconcilerTest, AScaleThatAProcessDiedAtIsNotTakenBackWhenMetricsAreLost) {
  for (const Fault fault : {Fault::kDieBefore, Fault::kDieAfter}) {
    for (const char* at : {"status", "apply replicasets"}) {
      World world;
      world.settle();
      bool died = false;
      world.cluster.fault = [&](const std::string& write) {
        return write.find(at) != std::string::npos && !std::exchange(died, true) ? fault
                                                                                 : Fault::kNone;
      };
      world.metrics.set("needed", 6);
      world.run(1);
      EXPECT_TRUE(died);
      const int asked = world.asked();
      world.metrics.lose("needed");
      world.run(60);
      EXPECT_GE(world.asked(), asked) << at;
      EXPECT_EQ(world.asked(), world.status().desired_replicas) << at;
    }
  }
}

TEST_F(AppReconcilerTest, ARolloutAndABurstEndThoughTheCachesAreLate) {
  settle();
  cluster.lag = seconds{3};
  cluster.put_app(kWeb, web_spec("v2"));
  metrics.set("needed", 6);
  run(120);
  EXPECT_EQ(status().desired_replicas, 6);
  EXPECT_EQ(status().updated_revision, status().current_revision);
  EXPECT_EQ(condition("Ready").status, api::ConditionStatus::kTrue);
}

TEST_F(AppReconcilerTest, ANewProcessDoesNotScaleDownBeforeItHasWatched) {
  settle();
  metrics.set("needed", 6);
  run(30);
  restart();
  metrics.set("needed", 2);
  run(9);
  EXPECT_EQ(asked(), 6);
  EXPECT_EQ(status().desired_replicas, 6);
  run(5);
  EXPECT_EQ(status().desired_replicas, 2);
  run(6);
  EXPECT_EQ(asked(), 2);
}

// The life of an app: created, scaled up, rolled out, scaled down; a fault at one of its writes.
struct Life {
  std::vector<int> lowest;  // Serving pods in each phase but the first.
  int most_asked = 0;
  std::string end;
  std::vector<std::string> writes;
};

Life live(int fault_at, Fault fault) {
  World world;
  int count = 0;
  world.cluster.fault = [&](const std::string&) { return count++ == fault_at ? fault : Fault::kNone; };
  Life life;
  const auto phase = [&](int for_seconds) {
    world.lowest = 1000;
    world.run(for_seconds);
    life.lowest.push_back(world.lowest);
  };
  world.metrics.set("needed", 2);
  world.cluster.put_app(kWeb, web_spec());
  world.run(15);
  world.metrics.set("needed", 8);
  phase(30);
  world.cluster.put_app(kWeb, web_spec("v2"));
  phase(50);
  world.metrics.set("needed", 3);
  phase(60);
  const auto status = world.status();
  life.most_asked = world.most_asked;
  life.end = fmt::format("{} of {} serve, asked {}, revision {}", world.cluster.serving(),
                         status.desired_replicas, world.asked(), status.current_revision);
  for (const auto& object : world.cluster.all(kube::kReplicaSets)) {
    life.end += fmt::format("; {}: {}", object["metadata"]["name"].get<std::string>(),
                            object["spec"]["replicas"].get<int>());
  }
  life.writes = world.cluster.writes;
  return life;
}

class FaultAtEveryWrite : public testing::TestWithParam<Fault> {};

TEST_P(FaultAtEveryWrite, EndsInTheSameWorldAndCostsNoCapacity) {
  const Life plain = live(-1, Fault::kNone);
  ASSERT_THAT(plain.end, HasSubstr("3 of 3 serve, asked 3"));
  ASSERT_THAT(plain.lowest, ElementsAre(2, 8, 3));
  ASSERT_EQ(plain.most_asked, 9);
  const int writes = static_cast<int>(plain.writes.size());
  ASSERT_GT(writes, 20);
  for (int at = 0; at < writes; ++at) {
    const Life life = live(at, GetParam());
    const auto& where = plain.writes[static_cast<std::size_t>(at)];
    EXPECT_EQ(life.end, plain.end) << at << ": " << where;
    EXPECT_EQ(life.lowest, plain.lowest) << at << ": " << where;
    EXPECT_EQ(life.most_asked, plain.most_asked) << at << ": " << where;
  }
}

INSTANTIATE_TEST_SUITE_P(AllFaults, FaultAtEveryWrite,
                         testing::Values(Fault::kDieBefore, Fault::kDieAfter, Fault::kConflict,
                                         Fault::kServerError, Fault::kTimeoutBefore,
                                         Fault::kTimeoutAfter));

// --- the record -----------------------------------------------------------------------------------

TEST_F(AppReconcilerTest, TheRecordShowsEachDecisionThatDiffersAndTheNewest) {
  settle();
  metrics.set("needed", 5);
  run(20);
  const auto text = reconciler->decisions_json(kWeb);
  ASSERT_TRUE(text);
  const json records = json::parse(*text);
  ASSERT_GE(records.size(), 3u);
  EXPECT_LE(records.size(), 8u);
  const json& newest = records.back();
  EXPECT_EQ(newest["to"], 5);
  EXPECT_EQ(newest["reason"], "WithinTolerance");
  EXPECT_EQ(std::ranges::count_if(records, [](const json& one) { return one["from"] == 2 && one["to"] == 5; }), 1);
}

}  // namespace
}  // namespace scalableapp::controller
