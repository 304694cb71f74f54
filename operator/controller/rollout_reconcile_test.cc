// Rollouts through the reconciler: what it writes to ReplicaSets, Services, the status and the budget.
#include <gmock/gmock.h>

#include "operator/api/revision.h"
#include "tests/support/reconciled_world.h"

namespace scalableapp::controller {
namespace {

using kube::Fault;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class RolloutReconcileTest : public testing::Test, protected World {
 protected:
  int replicas_of(const char* image) const {
    int sum = 0;
    for (const auto& object : cluster.all(kube::kReplicaSets)) {
      if (object["spec"]["template"]["spec"]["containers"][0]["image"] == image) sum += object["spec"]["replicas"].get<int>();
    }
    return sum;
  }
  void put_service(const char* name) {
    cluster.put(kube::kServices, {{"apiVersion", "v1"},
                                  {"kind", "Service"},
                                  {"metadata", {{"name", name}, {"namespace", "demo"}}},
                                  {"spec", {{"selector", {{api::kAppLabel, "web"}}}}}});
  }
  std::string selected_by(const char* service) const {
    const json selector = cluster.at(kube::kServices, {"demo", service})["spec"]["selector"];
    return selector.value(api::kRevisionLabel, "");
  }
  void annotate(const char* name, const std::string& value) {
    json app = cluster.at(kube::kScalableApps, kWeb);
    app["metadata"]["annotations"][name] = value;
    cluster.put(kube::kScalableApps, std::move(app));
  }
  static json canary_spec(const char* image = "v1") {
    json spec = web_spec(image);
    spec["rollout"] = {{"strategy", "Canary"},
                       {"maxSurge", 1},
                       {"maxUnavailable", 0},
                       {"canary",
                        {{"stableService", "web-stable"},
                         {"canaryService", "web-canary"},
                         {"steps", {{{"setWeight", 50}}, {{"pause", json::object()}}}}}}};
    return spec;
  }
};

TEST_F(RolloutReconcileTest, ACrashingRevisionIsRolledBackAndNotTriedAgain) {
  settle();
  metrics.set("needed", 4);
  run(20);
  cluster.crashing_image = "v2";
  cluster.put_app(kWeb, web_spec("v2"));
  lowest = 1000;
  run(60);
  EXPECT_EQ(lowest, 4);
  EXPECT_EQ(replicas_of("v2"), 0);
  EXPECT_EQ(status().rollout.phase, api::RolloutPhase::kDegraded);
  EXPECT_EQ(condition("Progressing").reason, "RolledBack");
  EXPECT_THAT(condition("Progressing").message, HasSubstr("CrashLoopBackOff"));
  EXPECT_THAT(new_events(), Contains(HasSubstr("Warning RolloutAborted")));

  cluster.crashing_image.clear();  // It would run now, but nobody has asked for it again.
  restart();
  metrics.set("needed", 7);
  run(120);
  EXPECT_EQ(replicas_of("v2"), 0);
  EXPECT_EQ(cluster.serving(), 7);

  cluster.put_app(kWeb, web_spec("v3"));
  run(120);
  EXPECT_EQ(replicas_of("v3"), 7);
  EXPECT_EQ(status().rollout.phase, api::RolloutPhase::kHealthy);
}

TEST_F(RolloutReconcileTest, ACanarysServicesSelectOneRevisionEachUntilItIsPromoted) {
  put_service("web-stable");
  put_service("web-canary");
  settle(canary_spec());
  const std::string before = status().current_revision;
  EXPECT_EQ(selected_by("web-stable"), before);
  metrics.set("needed", 4);
  run(20);
  cluster.put_app(kWeb, canary_spec("v2"));
  run(60);
  const std::string updated = status().updated_revision;
  EXPECT_EQ(status().rollout.phase, api::RolloutPhase::kPaused);
  EXPECT_EQ(status().rollout.weight, 50);
  EXPECT_EQ(replicas_of("v2"), 2);
  EXPECT_EQ(replicas_of("v1"), 2);
  EXPECT_EQ(selected_by("web-stable"), before);
  EXPECT_EQ(selected_by("web-canary"), updated);

  restart();  // A new process goes on where the old one was.
  run(20);
  EXPECT_EQ(replicas_of("v2"), 2);
  annotate(api::kPromoteAnnotation, updated + "/1");
  run(60);
  EXPECT_EQ(status().rollout.phase, api::RolloutPhase::kHealthy);
  EXPECT_EQ(replicas_of("v2"), 4);
  EXPECT_EQ(replicas_of("v1"), 0);
  EXPECT_EQ(selected_by("web-stable"), updated);
}

TEST_F(RolloutReconcileTest, AnAbortedCanaryGivesItsPodsBack) {
  put_service("web-stable");
  put_service("web-canary");
  settle(canary_spec());
  metrics.set("needed", 4);
  run(20);
  cluster.put_app(kWeb, canary_spec("v2"));
  run(60);
  lowest = 1000;
  annotate(api::kAbortAnnotation, status().updated_revision);
  run(60);
  EXPECT_EQ(lowest, 4);
  EXPECT_EQ(replicas_of("v1"), 4);
  EXPECT_EQ(replicas_of("v2"), 0);
  EXPECT_EQ(selected_by("web-canary"), status().current_revision);
}

TEST_F(RolloutReconcileTest, AMissingServiceIsToldAndTakesNoPodAway) {
  settle();
  metrics.set("needed", 4);
  run(20);
  cluster.put_app(kWeb, canary_spec("v2"));
  lowest = 1000;
  run(40);
  EXPECT_EQ(lowest, 4);
  EXPECT_EQ(condition("TrafficRouted").status, api::ConditionStatus::kFalse);
  EXPECT_THAT(condition("TrafficRouted").message, HasSubstr("spec.rollout.canary.stableService"));
  put_service("web-stable");
  put_service("web-canary");
  run(60);
  EXPECT_EQ(condition("TrafficRouted").status, api::ConditionStatus::kTrue);
  EXPECT_EQ(replicas_of("v2"), 2);
}

TEST_F(RolloutReconcileTest, AMetricThatSaysNoRollsBack) {
  json spec = web_spec();
  spec["rollout"]["analysis"] = {
      {"intervalSeconds", 5},
      {"metrics", {{{"name", "complaints"}, {"type", "Prometheus"},
                    {"prometheus", {{"query", "complaints"}, {"success", {{"atMost", 3}}}}}}}}};
  settle(spec);
  spec["template"]["spec"]["containers"][0]["image"] = "v2";
  cluster.put_app(kWeb, spec);
  const auto answer = [&](double value) {
    for (const auto& query : metrics.asked) {
      if (!query.id.starts_with("\nanalysis")) continue;
      metrics.answers[query.id] = {.samples = {{.value = value}}, .at = clock.wall_now(), .age = milliseconds{100}};
      if (query.per_pod) metrics.answers[query.id].samples.clear();
    }
  };
  for (int i = 0; i < 8; ++i) {
    answer(2);
    run(1);
  }
  EXPECT_EQ(status().rollout.phase, api::RolloutPhase::kProgressing);
  for (int i = 0; i < 60; ++i) {
    answer(9);
    run(1);
  }
  EXPECT_EQ(status().rollout.failure_reason, "AnalysisFailed");
  EXPECT_THAT(status().rollout.failure_message, HasSubstr("complaints: 9"));
  EXPECT_EQ(replicas_of("v1"), 2);
  EXPECT_EQ(replicas_of("v2"), 0);
  // Nothing is measured any more.
  EXPECT_THAT(metrics.asked, Not(Contains(testing::Field(&metrics::Query::id, HasSubstr("analysis")))));
}

TEST_F(RolloutReconcileTest, ARevisionThatIsAskedForAgainIsTheNewestOne) {
  settle();
  for (const char* image : {"v2", "v1"}) {
    cluster.put_app(kWeb, web_spec(image));
    run(60);
  }
  const auto number_of = [&](const char* image) {
    for (const auto& object : cluster.all(kube::kReplicaSets)) {
      if (object["spec"]["template"]["spec"]["containers"][0]["image"] != image) continue;
      return std::stoi(object["metadata"]["annotations"][api::kRevisionNumberAnnotation].get<std::string>());
    }
    return 0;
  };
  EXPECT_EQ(replicas_of("v1"), 2);
  EXPECT_GT(number_of("v1"), number_of("v2"));
  EXPECT_GT(number_of("v2"), 1);
}

TEST_F(RolloutReconcileTest, TheBudgetIsWhatMustBeAvailableNow) {
  json spec = web_spec();
  spec.erase("disruptionBudget");
  settle(spec);
  const auto least = [&] { return cluster.at(kube::kPodDisruptionBudgets, kWeb)["spec"]["minAvailable"]; };
  EXPECT_EQ(least(), 2);
  metrics.set("needed", 6);
  run(20);
  EXPECT_EQ(least(), 6);
  metrics.set("needed", 3);
  run(60);
  EXPECT_EQ(least(), 3);
  cluster.writes.clear();
  run(60);
  EXPECT_EQ(cluster.writes_of("poddisruptionbudgets"), 0);
}

TEST_F(RolloutReconcileTest, PodsOfACordonedNodeDrainOnceEachAndGo) {
  settle();
  cordon();
  lowest = 1000;
  run(60, milliseconds{100});
  EXPECT_EQ(lowest, 2);
  EXPECT_EQ(cluster.serving(), 2);
  for (const auto& pod : cluster.all(kube::kPods)) EXPECT_FALSE(pod["spec"].contains("nodeName"));
  EXPECT_EQ(cluster.writes_of("annotate pods"), 2) << "each is marked once, and none is taken back";
}

}  // namespace
}  // namespace scalableapp::controller
