#include "operator/plugin/release.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/revision.h"
#include "operator/plugin/adopt.h"
#include "operator/plugin/adopt_autoscaler.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json web() {
  return json::parse(R"({"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp",
"metadata":{"name":"web","namespace":"shop","uid":"a-1","generation":2},
"spec":{"replicas":{"min":2,"max":20},"metrics":[{"name":"cpu","type":"CPU","cpu":{"targetUtilization":70}}],
  "rollout":{"maxSurge":"25%","maxUnavailable":0,"progressDeadlineSeconds":300},"revisionHistoryLimit":7,
  "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:2"}]}}},
"status":{"observedGeneration":2,"currentRevision":"bcdfghjklm","updatedRevision":"bcdfghjklm"}})");
}

json replica_set(const json& app, const char* revision, int replicas) {
  json object = json::parse(api::replica_set_body(*api::decode_scalable_app(app), revision, replicas));
  object["status"]["replicas"] = replicas;
  return object;
}

json adopted() {
  json app = web();
  app["metadata"]["annotations"] = {
      {kAdoptedFromAnnotation, "web"},
      {kAdoptedDeploymentAnnotation,
       R"({"uid":"d-1","labels":{"team":"front"},"annotations":{"owner":"ann"},
           "selector":{"matchLabels":{"app":"web"}}})"},
      {kAdoptedAutoscalerAnnotation, R"({"kind":"HorizontalPodAutoscaler","metadata":{"name":"web-hpa"},
           "spec":{"minReplicas":2,"maxReplicas":20}})"}};
  return app;
}

TEST(Release, AnAppBecomesADeploymentOfTheTemplateThatRuns) {
  const Release release = translate_back(web(), replica_set(web(), "bcdfghjklm", 5), {});
  EXPECT_EQ(json::parse(release.deployment), json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment",
"metadata":{"name":"web","namespace":"shop","labels":{},"annotations":{"scalableapp.io/releasing":"true"}},
"spec":{"paused":true,"replicas":5,"revisionHistoryLimit":7,"progressDeadlineSeconds":300,
  "selector":{"matchLabels":{"scalableapp.io/name":"web"}},
  "strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":0}},
  "template":{"metadata":{"labels":{"app":"web","scalableapp.io/name":"web","scalableapp.io/revision":"bcdfghjklm"},
                          "annotations":{}},
    "spec":{"containers":[{"name":"web","image":"web:2"}]}}}})"));
  EXPECT_THAT(release.warnings, IsEmpty());
}

TEST(Release, WhatWasAdoptedGetsItsSelectorLabelsAndAutoscalerBack) {
  json running = replica_set(adopted(), "bcdfghjklm", 5);
  running["spec"]["selector"] = {{"matchLabels", {{"app", "web"}, {"pod-template-hash", "7d9c6b8f5"}}}};
  running["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "7d9c6b8f5";
  const Release release = translate_back(adopted(), running, {});
  const json deployment = json::parse(release.deployment);
  EXPECT_EQ(deployment["spec"]["selector"], json({{"matchLabels", {{"app", "web"}}}}));
  EXPECT_EQ(deployment["spec"]["template"]["metadata"]["labels"], json({{"app", "web"}}));
  EXPECT_EQ(deployment["metadata"]["labels"], json({{"team", "front"}}));
  EXPECT_EQ(deployment["metadata"]["annotations"]["owner"], "ann");
  const std::string autoscaler = deployment["metadata"]["annotations"][kAdoptedAutoscalerAnnotation];
  EXPECT_EQ(json::parse(autoscaler)["metadata"]["name"], "web-hpa");
  EXPECT_THAT(release.autoscaler, IsEmpty());
  EXPECT_THAT(release.warnings, IsEmpty());
}

TEST(Release, ASelectorThatTheTemplateHasOutgrownIsNotUsed) {
  json app = adopted();
  app["spec"]["template"]["metadata"]["labels"] = {{"app", "shop"}};
  const json deployment = json::parse(translate_back(app, replica_set(app, "bcdfghjklm", 5), {}).deployment);
  EXPECT_EQ(deployment["spec"]["selector"], json({{"matchLabels", {{"scalableapp.io/name", "web"}}}}));
}

TEST(Release, AnAutoscalerIsProposedWhereThereWasNone) {
  const json proposed = json::parse(translate_back(web(), replica_set(web(), "bcdfghjklm", 5), {}).autoscaler);
  EXPECT_EQ(proposed["spec"], json::parse(R"({"minReplicas":2,"maxReplicas":20,
    "scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},
    "metrics":[{"type":"Resource","resource":{"name":"cpu",
                "target":{"type":"Utilization","averageUtilization":70}}}]})"));
  json app = web();
  app["spec"]["metrics"] = json::array();
  EXPECT_TRUE(autoscaler_for(app).is_null());
}

TEST(Release, TellsWhatADeploymentOrItsAutoscalerDoesNotHave) {
  json app = adopted();
  app["spec"]["replicas"]["max"] = 40;
  app["spec"]["rollout"]["strategy"] = "Canary";
  EXPECT_THAT(translate_back(app, replica_set(app, "bcdfghjklm", 5), {}).warnings,
              testing::UnorderedElementsAre(HasSubstr("2 to 20 replicas, where the ScalableApp had 2 to 40"),
                                            HasSubstr("knows no Canary")));
}

TEST(Release, RecreateAndAPausedRolloutStayWhatTheyAre) {
  json app = web();
  app["spec"]["rollout"] = {{"strategy", "Recreate"}, {"paused", true}};
  const json deployment = json::parse(translate_back(app, replica_set(app, "bcdfghjklm", 5), {}).deployment);
  EXPECT_EQ(deployment["spec"]["strategy"], json({{"type", "Recreate"}}));
  EXPECT_EQ(deployment["metadata"]["annotations"][kReleasingAnnotation], kReleasingToStayPaused);
}

TEST(Release, ARolloutThatIsNotOverIsTold) {
  const json app = web();
  const std::vector<json> settled{replica_set(app, "bcdfghjklm", 5), replica_set(app, "zzzzzzzzzz", 0)};
  EXPECT_EQ(unfinished_rollout(app, settled), "");
  EXPECT_EQ(&running_replica_set(app, settled), &settled[0]);
  const std::vector<json> moving{replica_set(app, "bcdfghjklm", 5), replica_set(app, "zzzzzzzzzz", 1)};
  EXPECT_THAT(unfinished_rollout(app, moving), HasSubstr("of another revision, has 1 pods"));
  EXPECT_THAT(unfinished_rollout(app, {}), HasSubstr("bcdfghjklm is not rolled out"));
  json rolling = app;
  rolling["status"]["updatedRevision"] = "zzzzzzzzzz";
  EXPECT_THAT(unfinished_rollout(rolling, settled), HasSubstr("zzzzzzzzzz is not rolled out"));
}

TEST(Release, PodsStayBehindServicesThatFindThemByTheAppsLabel) {
  const auto service = [](const char* selector) { return json{{"spec", {{"selector", json::parse(selector)}}}}; };
  EXPECT_EQ(selector_without_revision(service(R"({"scalableapp.io/name":"web","scalableapp.io/revision":"x"})"), "web"),
            json({{"scalableapp.io/name", "web"}}));
  EXPECT_TRUE(selector_without_revision(service(R"({"scalableapp.io/name":"api"})"), "web").is_null());
  EXPECT_TRUE(selector_without_revision(service(R"({"app":"web"})"), "web").is_null());
  json running = replica_set(adopted(), "bcdfghjklm", 5);
  running["spec"]["selector"] = {{"matchLabels", {{"app", "web"}, {"pod-template-hash", "7d9c6b8f5"}}}};
  const std::vector<json> services{{{"scalableapp.io/name", "web"}}};
  const json deployment = json::parse(translate_back(adopted(), running, services).deployment);
  EXPECT_EQ(deployment["spec"]["template"]["metadata"]["labels"],
            json({{"app", "web"}, {"scalableapp.io/name", "web"}}));
}

TEST(Release, AGateIsShutUntilItsConditionIsTrue) {
  json pod = json::parse(R"({"metadata":{"name":"p"},"spec":{}})");
  EXPECT_FALSE(is_shut(pod)) << "it has none";
  pod["spec"]["readinessGates"] = {{{"conditionType", "scalableapp.io/warm"}}};
  EXPECT_TRUE(is_shut(pod));
  pod["status"]["conditions"] = {{{"type", "scalableapp.io/warm"}, {"status", "False"}}};
  EXPECT_TRUE(is_shut(pod));
  pod["status"]["conditions"] = {{{"type", "scalableapp.io/warm"}, {"status", "True"}}};
  EXPECT_FALSE(is_shut(pod));
  EXPECT_FALSE(is_leaving(pod));
  pod["metadata"]["annotations"]["scalableapp.io/draining-since"] = "2026-01-01T00:00:00Z";
  EXPECT_TRUE(is_leaving(pod));
}

}  // namespace
}  // namespace scalableapp::plugin
