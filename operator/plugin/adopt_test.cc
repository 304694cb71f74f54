#include "operator/plugin/adopt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"
#include "operator/plugin/manifest.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json deployment() {
  return json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment",
"metadata":{"name":"web","namespace":"shop","uid":"d-1","generation":3,"labels":{"team":"front"},
  "annotations":{"kubernetes.io/change-cause":"v2","deployment.kubernetes.io/revision":"4","owner":"ann",
                 "kubectl.kubernetes.io/last-applied-configuration":"{}"}},
"spec":{"replicas":5,"revisionHistoryLimit":7,"progressDeadlineSeconds":600,
  "selector":{"matchLabels":{"app":"web"}},
  "strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},
  "template":{"metadata":{"creationTimestamp":null,"labels":{"app":"web","tier":"front"}},
    "spec":{"containers":[{"name":"web","image":"web:2","resources":{"requests":{"cpu":"500m"}}}]}}},
"status":{"observedGeneration":3}})");
}

json autoscaler() {
  return json::parse(R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler",
"metadata":{"name":"web-hpa","namespace":"shop","uid":"h-1"},
"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"minReplicas":3,"maxReplicas":30,
  "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}}],
  "behavior":{"scaleDown":{"stabilizationWindowSeconds":120,"selectPolicy":"Min","tolerance":"50m",
      "policies":[{"type":"Pods","value":4,"periodSeconds":60},{"type":"Percent","value":10,"periodSeconds":60}]}}}})");
}

json spec_after(const json& deployment, const json& autoscaler, const AdoptOptions& options = {}) {
  const auto adoption = translate(deployment, autoscaler, {}, options);
  if (!adoption) return adoption.error().message;
  return json::parse(adoption->manifest)["spec"];
}

std::vector<std::string> warnings_of(const json& deployment, const json& autoscaler, const AdoptOptions& options = {}) {
  const auto adoption = translate(deployment, autoscaler, {}, options);
  return adoption ? adoption->warnings : std::vector{adoption.error().message};
}

std::string refusal(const json& deployment, const json& autoscaler = nullptr, const AdoptOptions& options = {}) {
  const auto adoption = translate(deployment, autoscaler, {}, options);
  return adoption ? "" : adoption.error().message;
}

json with_metric(json metric) {
  json changed = autoscaler();
  changed["spec"]["metrics"] = json::array({std::move(metric)});
  return changed;
}

TEST(Adopt, ADeploymentAndItsAutoscalerBecomeAManifestThatApplyTakes) {
  const auto adoption = translate(deployment(), autoscaler(), {}, {});
  ASSERT_TRUE(adoption) << adoption.error().message;
  EXPECT_EQ(json::parse(adoption->manifest), json::parse(R"({
"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp",
"metadata":{"name":"web","namespace":"shop","annotations":{"kubernetes.io/change-cause":"v2"}},
"spec":{"replicas":{"min":3,"max":30},
  "metrics":[{"name":"cpu","type":"CPU","cpu":{"targetUtilization":70}}],
  "behavior":{"scaleDown":{"stabilizationWindowSeconds":120,"selectPolicy":"Min","tolerance":0.05,
      "policies":[{"type":"Pods","value":4,"periodSeconds":60},{"type":"Percent","value":10,"periodSeconds":60}]}},
  "rollout":{"maxSurge":"25%","maxUnavailable":1,"progressDeadlineSeconds":600},"revisionHistoryLimit":7,
  "template":{"metadata":{"labels":{"app":"web","tier":"front"}},
    "spec":{"containers":[{"name":"web","image":"web:2","resources":{"requests":{"cpu":"500m"}}}]}}}})"));
  EXPECT_THAT(adoption->warnings, ElementsAre(HasSubstr("process_cpu_seconds_total")));
  const auto yaml = json_to_yaml(adoption->manifest);
  ASSERT_TRUE(yaml);
  const auto app = read_manifest(*yaml, "web.yaml");
  ASSERT_TRUE(app) << app.error().message;
  EXPECT_EQ(app->spec.max_replicas, 30);
}

TEST(Adopt, WhatIsCreatedIsPausedAndRemembersWhatTheRestNeeds) {
  const auto adoption = translate(deployment(), autoscaler(), {}, {});
  ASSERT_TRUE(adoption);
  json body = json::parse(adoption->body);
  EXPECT_TRUE(body["spec"]["paused"]);
  json& annotations = body["metadata"]["annotations"];
  EXPECT_EQ(annotations[kAdoptedFromAnnotation], "web");
  EXPECT_EQ(annotations[kAdoptingAnnotation], "true");
  EXPECT_EQ(annotations["scalableapp.io/revisions-before"], "4");
  EXPECT_EQ(json::parse(annotations[kAdoptedDeploymentAnnotation].get<std::string>()),
            json::parse(R"({"uid":"d-1","labels":{"team":"front"},"selector":{"matchLabels":{"app":"web"}},
                            "annotations":{"kubernetes.io/change-cause":"v2","owner":"ann"}})"));
  const json kept = json::parse(annotations[kAdoptedAutoscalerAnnotation].get<std::string>());
  EXPECT_EQ(kept["spec"], autoscaler()["spec"]);
  EXPECT_FALSE(kept["metadata"].contains("uid"));
}

TEST(Adopt, WithoutAnAutoscalerTheCountIsTheMinimumAndTwiceItTheMaximum) {
  EXPECT_EQ(spec_after(deployment(), nullptr)["replicas"], json({{"min", 5}, {"max", 10}}));
  EXPECT_THAT(warnings_of(deployment(), nullptr), ElementsAre(HasSubstr("no metric")));
  EXPECT_EQ(spec_after(deployment(), nullptr, {.max_replicas = 4})["replicas"], json({{"min", 4}, {"max", 4}}));
  EXPECT_THAT(warnings_of(deployment(), nullptr, {.max_replicas = 4}), testing::Contains(HasSubstr("scaled to 4")));
  EXPECT_EQ(spec_after(deployment(), nullptr, {.min_replicas = 20})["replicas"], json({{"min", 20}, {"max", 20}}));
}

TEST(Adopt, FlagsWinOverTheAutoscaler) {
  const json spec = spec_after(deployment(), autoscaler(),
                               {.min_replicas = 2, .max_replicas = 9, .latency_target_seconds = 0.25});
  EXPECT_EQ(spec["replicas"], json({{"min", 2}, {"max", 9}}));
  EXPECT_EQ(spec["metrics"][1], json::parse(R"({"name":"latency","type":"Latency","latency":{"target":"250ms"}})"));
  EXPECT_THAT(refusal(deployment(), autoscaler(), {.min_replicas = 31}), HasSubstr("set --min, --max or both"));
}

TEST(Adopt, CpuTargetsBecomeSharesOfTheRequest) {
  struct Case {
    const char* metric;
    int percent;  // 0: left out, with a warning that says `warning`.
    const char* warning;
  };
  const std::vector<Case> cases{
      {R"({"type":"Resource","resource":{"name":"cpu","target":{"type":"AverageValue",
           "averageValue":"400m"}}})", 80, ""},
      {R"({"type":"ContainerResource","containerResource":{"name":"cpu","container":"web",
           "target":{"type":"Utilization","averageUtilization":60}}})", 60, ""},
      {R"({"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":60}}})", 0,
       "metrics[0] Resource \"memory\" is left out: only cpu"},
      {R"({"type":"Resource","resource":{"name":"cpu","target":{"type":"AverageValue","averageValue":"50"}}})", 0,
       "its target is 10000% of the CPU request"},
      {R"({"type":"External","external":{"metric":{"name":"jobs"},
           "target":{"type":"AverageValue","averageValue":"30"}}})",
       0, "metrics[0] External \"jobs\" is left out: a metrics API"},
      {R"({"type":"Pods","pods":{"metric":{"name":"rps"},"target":{"type":"AverageValue","averageValue":"30"}}})", 0,
       "metrics[0] Pods \"rps\" is left out"},
      {R"({"type":"Object","object":{"metric":{"name":"hits"},"describedObject":{"kind":"Ingress","name":"main"},
           "target":{"type":"Value","value":"2k"}}})", 0, "metrics[0] Object \"hits\" is left out"}};
  for (const Case& one : cases) {
    const json from = with_metric(json::parse(one.metric));
    const json spec = spec_after(deployment(), from);
    if (one.percent > 0) {
      EXPECT_EQ(spec["metrics"][0]["cpu"]["targetUtilization"], one.percent) << one.metric;
    } else {
      EXPECT_FALSE(spec.contains("metrics")) << one.metric;
      EXPECT_THAT(warnings_of(deployment(), from), ElementsAre(HasSubstr(one.warning), HasSubstr("no metric")));
    }
  }
}

TEST(Adopt, WhereTheShareOfOneContainerIsNotThePodsItIsLeftOut) {
  json two = deployment();
  two["spec"]["template"]["spec"]["containers"].push_back({{"name", "proxy"}, {"image", "proxy:1"}});
  const json one_of_two = with_metric(json::parse(
      R"({"type":"ContainerResource","containerResource":{"name":"cpu","container":"web",
          "target":{"type":"Utilization","averageUtilization":60}}})"));
  EXPECT_THAT(warnings_of(two, one_of_two), testing::Contains(HasSubstr("for container web alone")));
  EXPECT_THAT(warnings_of(two, autoscaler()),
              testing::Contains(HasSubstr("not every container has resources.requests.cpu")));
}

TEST(Adopt, WhatIsOutOfBoundsIsCutAndTold) {
  json from = deployment();
  from["spec"]["progressDeadlineSeconds"] = 2147483647;
  from["spec"]["revisionHistoryLimit"] = 5000;
  json scaler = autoscaler();
  scaler["spec"]["minReplicas"] = 0;
  scaler["spec"]["behavior"]["scaleUp"]["tolerance"] = "1500m";
  EXPECT_THAT(warnings_of(from, scaler),
              testing::IsSupersetOf({HasSubstr("minReplicas 0 becomes 1"),
                                     HasSubstr("scaleUp.tolerance 1.5 is left out"),
                                     HasSubstr("progressDeadlineSeconds 2147483647 becomes 86400"),
                                     HasSubstr("revisionHistoryLimit 5000 becomes 1000")}));
  EXPECT_FALSE(spec_after(from, scaler)["behavior"].contains("scaleUp"));
}

TEST(Adopt, RecreateAndAPausedRolloutStayWhatTheyAre) {
  json from = deployment();
  from["spec"]["strategy"] = {{"type", "Recreate"}};
  from["spec"]["paused"] = true;
  from["spec"]["minReadySeconds"] = 5;
  const json want{{"strategy", "Recreate"}, {"paused", true}, {"minReadySeconds", 5}, {"progressDeadlineSeconds", 600}};
  EXPECT_EQ(spec_after(from, nullptr)["rollout"], want);
}

TEST(Adopt, ABudgetOfThePodsKeepsTheOperatorFromMakingASecondOne) {
  const auto budget = [](const char* selector) {
    return json{{"metadata", {{"name", "b"}}}, {"spec", {{"selector", json::parse(selector)}}}};
  };
  for (const auto& [selector, is_of_pods] : std::vector<std::pair<const char*, bool>>{
           {R"({"matchLabels":{"app":"web"}})", true},
           {R"({"matchLabels":{"app":"api"}})", false},
           {"{}", true},
           {"null", false}}) {
    const std::vector<json> budgets{budget(selector)};
    const auto adoption = translate(deployment(), nullptr, budgets, {});
    ASSERT_TRUE(adoption);
    EXPECT_EQ(json::parse(adoption->manifest)["spec"].contains("disruptionBudget"), is_of_pods) << selector;
  }
}

TEST(Adopt, SaysWhatKeepsADeploymentFromBeingAdopted) {
  const auto changed = [](const char* patch) {
    json object = deployment();
    object.merge_patch(json::parse(patch));
    return object;
  };
  const std::string long_name(47, 'a');
  EXPECT_THAT(refusal(changed((R"({"metadata":{"name":")" + long_name + "\"}}").c_str())), HasSubstr("47 characters"));
  EXPECT_THAT(refusal(changed(R"({"spec":{"replicas":0}})")), HasSubstr("scale it up"));
  EXPECT_THAT(refusal(changed(R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})")),
              HasSubstr("being deleted"));
  for (const char* patch : {R"({"spec":{"selector":{"matchLabels":{"scalableapp.io/name":"web"}}}})",
                            R"({"spec":{"selector":{"matchExpressions":[
                                {"key":"scalableapp.io/name","operator":"Exists"}]}}})",
                            R"({"spec":{"template":{"metadata":{"labels":{"scalableapp.io/name":"web"}}}}})"}) {
    EXPECT_THAT(refusal(changed(patch)), HasSubstr("the label scalableapp.io/name")) << patch;
  }
  const json owned =
      changed(R"({"metadata":{"ownerReferences":[{"kind":"Shop","name":"main","uid":"s","controller":true}]}})");
  EXPECT_THAT(refusal(owned), HasSubstr("Shop main controls it"));
  EXPECT_THAT(refusal(owned, nullptr, {.force = true}), IsEmpty());
  json keda = autoscaler();
  keda["metadata"]["ownerReferences"] = {
      {{"kind", "ScaledObject"}, {"name", "web"}, {"uid", "k"}, {"controller", true}}};
  EXPECT_THAT(refusal(deployment(), keda), HasSubstr("HorizontalPodAutoscaler web-hpa: ScaledObject web controls it"));
}

TEST(Adopt, OnlyAnAutoscalerOfThisVeryDeploymentIsIts) {
  json other = autoscaler();
  EXPECT_TRUE(scales(other, "web"));
  EXPECT_FALSE(scales(other, "api"));
  other["spec"]["scaleTargetRef"]["kind"] = "StatefulSet";
  EXPECT_FALSE(scales(other, "web"));
}

// --- at rest --------------------------------------------------------------------------------------

json replica_set_of(const json& deployment, const char* name, int asked, int live) {
  json pod_template = deployment["spec"]["template"];
  pod_template["metadata"]["labels"]["pod-template-hash"] = "7d9c6b8f5";
  return {{"metadata", {{"name", name}}},
          {"spec", {{"replicas", asked}, {"template", std::move(pod_template)}}},
          {"status", {{"replicas", live}}}};
}

TEST(Adopt, ADeploymentIsAtRestWhenAllItsPodsAreOfItsTemplate) {
  const json present = deployment();
  json before = deployment();
  before["spec"]["template"]["spec"]["containers"][0]["image"] = "web:1";
  const auto unrest = [&](const std::vector<json>& replica_sets) { return unrest_of(present, replica_sets); };
  EXPECT_EQ(unrest({replica_set_of(present, "web-b", 5, 5), replica_set_of(before, "web-a", 0, 0)}), "");
  EXPECT_THAT(unrest({replica_set_of(present, "web-b", 5, 4)}), HasSubstr("web-b has 4 pods, should have 5"));
  EXPECT_THAT(unrest({replica_set_of(present, "web-b", 4, 4)}), HasSubstr("and 5 are wanted"));
  EXPECT_THAT(unrest({replica_set_of(present, "web-b", 5, 5), replica_set_of(before, "web-a", 0, 1)}),
              HasSubstr("web-a, of another template, has 1 pods"));
  EXPECT_THAT(unrest({replica_set_of(before, "web-a", 0, 0)}), HasSubstr("no ReplicaSet has its template"));
  json changed = deployment();
  changed["metadata"]["generation"] = 4;
  EXPECT_THAT(unrest_of(changed, {}), HasSubstr("not seen its latest change"));
}

}  // namespace
}  // namespace scalableapp::plugin
