#include "operator/api/revision.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "operator/api/workload.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

ScalableApp app_of(const json& pod_template) {
  return decode_scalable_app(
             json{{"metadata",
                   {{"name", "web"}, {"namespace", "demo"}, {"uid", "u1"}, {"generation", 4}}},
                  {"spec", {{"replicas", {{"max", 3}}}, {"template", pod_template}}}})
      .value();
}

json pod_template() {
  return json::parse(
      R"({"metadata":{"labels":{"team":"shop"}},"spec":{"containers":[{"name":"c","image":"i"}]}})");
}

// Fixed for good: another hash would roll out every app when the operator is upgraded.
TEST(Revision, HasTheNameItHadInEveryRelease) {
  EXPECT_EQ(revision_hash("{}", 0), "l7t7jbdt44");
  EXPECT_EQ(revision_hash("{}", 1), "7wl8c45dlc");
  EXPECT_EQ(template_hash("{}"), "08f44b07b5901a25");
  EXPECT_EQ(template_hash(""), "cbf29ce484222325");   // FNV-1a's published offset basis.
  EXPECT_EQ(template_hash("a"), "af63dc4c8601ec8c");  // A published test vector of FNV-1a, 64 bit.
}

TEST(Revision, NamesAreTenSafeLetters) {
  std::mt19937 random(1);
  std::set<std::string> names;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = revision_hash(std::to_string(random()), i % 3);
    ASSERT_EQ(name.size(), 10u);
    ASSERT_EQ(name.find_first_not_of("bcdfghjklmnpqrstvwxz2456789"), std::string::npos) << name;
    names.insert(name);
  }
  EXPECT_GT(names.size(), 19'900u);  // The numbers themselves may repeat.
}

TEST(Revision, AnotherCollisionCountGivesAnotherName) {
  std::set<std::string> names;
  for (int count = 0; count < 1000; ++count) names.insert(revision_hash("{}", count));
  EXPECT_EQ(names.size(), 1000u);
}

TEST(Revision, DependsOnWhatTheTemplateSaysNotOnHowItIsWritten) {
  const auto hash = [](const json& value) {
    return revision_hash(app_of(value).spec.template_json, 0);
  };
  json with_null = pod_template();
  with_null["metadata"]["creationTimestamp"] = nullptr;
  with_null["spec"]["containers"][0]["resources"] = nullptr;
  EXPECT_EQ(hash(with_null), hash(pod_template()));
  EXPECT_EQ(
      hash(json::parse(
          R"({"spec":{"containers":[{"image":"i","name":"c"}]},"metadata":{"labels":{"team":"shop"}}})")),
      hash(pod_template()));
  json changed = pod_template();
  changed["spec"]["containers"][0]["image"] = "i:2";
  EXPECT_NE(hash(changed), hash(pod_template()));
}

TEST(Revision, IsAnotherOneWithoutTheGate) {
  ScalableApp app = app_of(pod_template());
  const std::string gated = revision_of(app.spec, 0);
  EXPECT_EQ(gated, revision_hash(app.spec.template_json, 0));
  app.spec.readiness.gate = false;
  EXPECT_NE(revision_of(app.spec, 0), gated);
  EXPECT_NE(revision_of(app.spec, 1), revision_of(app.spec, 0));
}

TEST(Revision, TheReplicaSetsNameLeavesRoomForAPods) {
  ScalableApp app;
  app.metadata.name = std::string(60, 'a');
  EXPECT_EQ(replica_set_name(app, "bcdfghjklm").size(), 57u);
  app.metadata.name = "web";
  EXPECT_EQ(replica_set_name(app, "bcdfghjklm"), "web-bcdfghjklm");
  app.metadata.name =
      std::string(45, 'a') + ".b";  // Cut after the dot, which may not stand before a dash.
  EXPECT_EQ(replica_set_name(app, "bcdfghjklm"), std::string(45, 'a') + "-bcdfghjklm");
  EXPECT_EQ(replica_set_prefix(app.metadata.name), std::string(45, 'a'));
}

TEST(ReplicaSetBody, CountsOnFromTheRevisionsThatWereADeployments) {
  const auto number_after = [](const char* before) {
    ScalableApp app = app_of(pod_template());
    app.metadata.annotations[kRevisionsBeforeAnnotation] = before;
    const json body = json::parse(replica_set_body(app, "r1", 3));
    return body["metadata"]["annotations"][kRevisionNumberAnnotation].get<std::string>();
  };
  EXPECT_EQ(number_after("12"), "16");
  for (const char* nonsense : {"", "many", "-3", "9999999999999999999999"}) EXPECT_EQ(number_after(nonsense), "4");
}

TEST(ReplicaSetBody, IsTheTemplateWithOwnerLabelsAndGate) {
  const ScalableApp app = app_of(pod_template());
  const json want = json::parse(R"({
    "apiVersion":"apps/v1","kind":"ReplicaSet",
    "metadata":{"name":"web-r1","namespace":"demo",
      "labels":{"team":"shop","scalableapp.io/name":"web","scalableapp.io/revision":"r1"},
      "annotations":{"scalableapp.io/revision-number":"4","scalableapp.io/template-hash":""},
      "ownerReferences":[{"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp","name":"web","uid":"u1",
        "controller":true,"blockOwnerDeletion":true}]},
    "spec":{"replicas":3,
      "selector":{"matchLabels":{"scalableapp.io/name":"web","scalableapp.io/revision":"r1"}},
      "template":{
        "metadata":{"labels":{"team":"shop","scalableapp.io/name":"web","scalableapp.io/revision":"r1"}},
        "spec":{"containers":[{"name":"c","image":"i"}],"readinessGates":[{"conditionType":"scalableapp.io/warm"}]}}}})");
  json body = json::parse(replica_set_body(app, "r1", 3));
  json& hash = body["metadata"]["annotations"][kTemplateHashAnnotation];
  EXPECT_EQ(hash, template_hash(app.spec.template_json));
  hash = "";
  EXPECT_EQ(body["metadata"]["annotations"][kTemplateAnnotation], app.spec.template_json);
  body["metadata"]["annotations"].erase(kTemplateAnnotation);
  EXPECT_EQ(body, want);
}

TEST(ReplicaSetBody, KeepsTheAppsChangeCauseAndNoOtherAnnotation) {
  ScalableApp app = app_of(pod_template());
  app.metadata.annotations = {{"kubernetes.io/change-cause", "v2"}, {"example.com/other", "x"}};
  const json annotations =
      json::parse(replica_set_body(app, "r1", 3))["metadata"]["annotations"];
  EXPECT_EQ(annotations["kubernetes.io/change-cause"], "v2");
  EXPECT_EQ(annotations.size(), 4u);
}

TEST(ReplicaSetBody, LeavesOutATemplateThatIsTooLongForAnAnnotation) {
  json large = pod_template();
  large["metadata"]["annotations"]["example.com/config"] = std::string(kLongestTemplateKept, 'x');
  const json annotations = json::parse(replica_set_body(app_of(large), "r1", 3))["metadata"]["annotations"];
  EXPECT_FALSE(annotations.contains(kTemplateAnnotation));
  EXPECT_TRUE(annotations.contains(kTemplateHashAnnotation));
}

TEST(ReplicaSetBody, IsTheSameBytesEachTime) {
  EXPECT_EQ(replica_set_body(app_of(pod_template()), "r1", 3),
            replica_set_body(app_of(pod_template()), "r1", 3));
}

TEST(ReplicaSetBody, HasNoGateWhereItIsOffAndKeepsGatesOfOthers) {
  json own = pod_template();
  own["spec"]["readinessGates"] = json::parse(R"([{"conditionType":"example.com/lb"}])");
  ScalableApp app = app_of(own);
  const auto gates = [&] {
    return json::parse(
        replica_set_body(app, "r1", 1))["spec"]["template"]["spec"]["readinessGates"];
  };
  EXPECT_EQ(gates().dump(),
            R"([{"conditionType":"example.com/lb"},{"conditionType":"scalableapp.io/warm"}])");
  app.spec.readiness.gate = false;
  EXPECT_EQ(gates().dump(), R"([{"conditionType":"example.com/lb"}])");
}

TEST(ReplicaSetBody, TellsItsPodsWhenToFailOpenAndIsTheSameRevision) {
  ScalableApp app = app_of(pod_template());
  const auto annotations = [&] {
    return json::parse(replica_set_body(app, "r1", 1))["spec"]["template"]["metadata"].value("annotations", json());
  };
  EXPECT_EQ(annotations(), json());
  const std::string before = revision_of(app.spec, 0);
  app.spec.readiness.fail_open_seconds = 60;
  EXPECT_EQ(annotations(), (json{{"scalableapp.io/fail-open-seconds", "60"}}));
  EXPECT_EQ(revision_of(app.spec, 0), before);
  json pod = json::parse(replica_set_body(app, "r1", 1))["spec"]["template"];
  pod["metadata"]["name"] = "web-1";
  EXPECT_EQ(decode_pod(pod)->fail_open_seconds, 60);
  app.spec.readiness.gate = false;
  EXPECT_EQ(annotations(), json());
}

TEST(ReplicaSetBody, ComesOutOfATemplateOfAnyShape) {
  for (const char* text : {"null", "[]", "3", R"({"metadata":"x","spec":"y"})",
                           R"({"metadata":{"labels":[]},"spec":{"readinessGates":{}}})"}) {
    ScalableApp app = app_of(json::parse(text));
    app.spec.readiness.fail_open_seconds = 60;
    const json body = json::parse(replica_set_body(app, "r1", 1));
    EXPECT_EQ(body["spec"]["template"]["metadata"]["labels"][kRevisionLabel], "r1") << text;
  }
}

TEST(ReplicaSetBody, IsReadBackAsTheReplicaSetItIs) {
  const ScalableApp app = app_of(pod_template());
  const auto replica_set = decode_replica_set(json::parse(replica_set_body(app, "r1", 3)));
  ASSERT_TRUE(replica_set);
  EXPECT_EQ(replica_set->spec_replicas, 3);
  EXPECT_EQ(replica_set->template_hash, template_hash(app.spec.template_json));
  EXPECT_EQ(replica_set->metadata.owners.at(0).uid, "u1");
  EXPECT_TRUE(replica_set->metadata.owners.at(0).controller);
}

}  // namespace
}  // namespace scalableapp::api
