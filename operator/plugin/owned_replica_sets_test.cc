#include "operator/plugin/owned_replica_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/revision.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

json pod_template(const char* image) {
  return {{"metadata", {{"labels", {{"app", "web"}}}}},
          {"spec", {{"containers", {{{"name", "web"}, {"image", image}}}}, {"restartPolicy", "Always"}}}};
}

api::ScalableApp app(const char* image) {
  const json object{{"metadata", {{"name", "web"}, {"namespace", "shop"}, {"uid", "a-1"}, {"generation", 1}}},
                    {"spec", {{"replicas", {{"max", 9}}}, {"template", pod_template(image)}}}};
  return *api::decode_scalable_app(object);
}

// As a Deployment left it.
json replica_set(const char* name, const char* image, int replicas, const char* revision) {
  json made = pod_template(image);
  made["metadata"]["creationTimestamp"] = nullptr;
  made["metadata"]["labels"]["pod-template-hash"] = "7d9c6b8f5";
  return {{"metadata",
           {{"name", name}, {"uid", std::string("uid-") + name}, {"resourceVersion", "77"},
            {"labels", {{"app", "web"}, {"pod-template-hash", "7d9c6b8f5"}}},
            {"annotations", {{"deployment.kubernetes.io/revision", revision}}}}},
          {"spec",
           {{"replicas", replicas},
            {"selector", {{"matchLabels", {{"app", "web"}, {"pod-template-hash", "7d9c6b8f5"}}}}},
            {"template", made}}}};
}

json patched(json object, const std::string& patch) {
  object.merge_patch(json::parse(patch));
  return object;
}

TEST(OwnedReplicaSets, TheOneOfTheAppsTemplateBecomesItsUpdatedRevision) {
  const api::ScalableApp web = app("web:2");
  const std::vector<json> left{replica_set("web-a", "web:1", 0, "3"), replica_set("web-b", "web:2", 5, "4")};
  const TakeOvers taken = take_over(web, left);
  ASSERT_EQ(taken.replica_sets.size(), 2U);
  EXPECT_EQ(taken.replica_sets[0].name, "web-b");
  EXPECT_EQ(taken.replica_sets[0].uid, "uid-web-b");
  EXPECT_EQ(taken.replica_sets[0].replicas, 5);
  EXPECT_EQ(taken.replica_sets[0].revision, api::revision_of(web.spec, 0));
  const json labels{{"scalableapp.io/name", "web"}, {"scalableapp.io/revision", taken.replica_sets[0].revision}};
  EXPECT_EQ(json::parse(taken.replica_sets[0].patch),
            json({{"metadata",
                   {{"uid", "uid-web-b"}, {"resourceVersion", "77"},
                    {"labels", labels},
                    {"annotations", {{"scalableapp.io/template-hash", api::template_hash(web.spec.template_json)},
                                     {"scalableapp.io/template", web.spec.template_json},
                                     {"scalableapp.io/revision-number", "4"}}},
                    {"ownerReferences", {{{"apiVersion", "scalableapp.io/v1alpha1"}, {"kind", "ScalableApp"},
                                          {"name", "web"}, {"uid", "a-1"}, {"controller", true},
                                          {"blockOwnerDeletion", true}}}}}},
                  {"spec", {{"template",
                             {{"metadata", {{"labels", labels}}},
                              {"spec", {{"readinessGates", {{{"conditionType", "scalableapp.io/warm"}}}}}}}}}}}));
  EXPECT_THAT(taken.left_alone, IsEmpty());
}

TEST(OwnedReplicaSets, AnOlderOneIsTheRevisionThatItsTemplateWouldBe) {
  const std::vector<json> left{replica_set("web-a", "web:1", 0, "3"), replica_set("web-b", "web:2", 5, "4"),
                               replica_set("web-c", "web:0", 0, "2")};
  const TakeOvers taken = take_over(app("web:2"), left);
  ASSERT_EQ(taken.replica_sets.size(), 3U);
  EXPECT_EQ(taken.replica_sets[1].revision, api::revision_of(app("web:1").spec, 0));
  std::vector<std::string> numbers;
  for (const TakeOver& one : taken.replica_sets) {
    numbers.push_back(json::parse(one.patch)["metadata"]["annotations"]["scalableapp.io/revision-number"]);
  }
  EXPECT_THAT(numbers, ElementsAre("4", "3", "2"));
}

TEST(OwnedReplicaSets, TakingOverTwiceAsksForTheSame) {
  const api::ScalableApp web = app("web:2");
  const json left = replica_set("web-b", "web:2", 5, "4");
  const std::string patch = take_over(web, std::vector{left}).replica_sets[0].patch;
  const json taken = patched(left, patch);
  EXPECT_EQ(take_over(web, std::vector{taken}).replica_sets[0].patch, patch);
}

TEST(OwnedReplicaSets, OfTwoWithOneTemplateTheEmptyOneIsLeftAlone) {
  const std::vector<json> left{replica_set("web-a", "web:2", 0, "4"), replica_set("web-b", "web:2", 5, "4")};
  const TakeOvers taken = take_over(app("web:2"), left);
  ASSERT_EQ(taken.replica_sets.size(), 1U);
  EXPECT_EQ(taken.replica_sets[0].name, "web-b");
  EXPECT_THAT(taken.left_alone, ElementsAre("web-a"));
}

TEST(OwnedReplicaSets, OtherGatesAndOwnersStay) {
  json left = replica_set("web-b", "web:2", 5, "4");
  left["spec"]["template"]["spec"]["readinessGates"] = {{{"conditionType", "example.com/lb"}}};
  left["metadata"]["ownerReferences"] = {{{"kind", "Group"}, {"name", "g"}, {"uid", "g-1"}}};
  const json patch = json::parse(take_over(app("web:2"), std::vector{left}).replica_sets[0].patch);
  EXPECT_EQ(patch["spec"]["template"]["spec"]["readinessGates"],
            json({{{"conditionType", "example.com/lb"}}, {{"conditionType", "scalableapp.io/warm"}}}));
  EXPECT_EQ(patch["metadata"]["ownerReferences"].size(), 2U);
  const json selector{{"matchLabels", {{"app", "web"}}}};
  const json back = patched(patched(left, patch.dump()), give_back(left, std::vector{selector}).template_patch);
  EXPECT_EQ(template_of(back), template_of(left));
  EXPECT_EQ(back["spec"]["template"]["spec"]["readinessGates"], left["spec"]["template"]["spec"]["readinessGates"]);
}

TEST(OwnedReplicaSets, WhatWasAdoptedIsGivenBackAsItWas) {
  const json left = replica_set("web-b", "web:2", 5, "4");
  const json taken = patched(left, take_over(app("web:2"), std::vector{left}).replica_sets[0].patch);
  const json selector{{"matchLabels", {{"app", "web"}}}};
  const GiveBack back = give_back(taken, std::vector{selector});
  EXPECT_THAT(back.labels, ElementsAre("scalableapp.io/name", "scalableapp.io/revision"));
  const json given = patched(taken, back.template_patch);
  EXPECT_EQ(given["spec"]["template"]["metadata"]["labels"], left["spec"]["template"]["metadata"]["labels"]);
  EXPECT_FALSE(given["spec"]["template"]["spec"].contains("readinessGates"));
}

TEST(OwnedReplicaSets, LabelsThatASelectorNeedsStay) {
  json born = json::parse(api::replica_set_body(app("web:2"), "bcdfghjklm", 3));
  const json by_name{{"matchLabels", {{"scalableapp.io/name", "web"}}}};
  EXPECT_THAT(give_back(born, std::vector{by_name}).labels, IsEmpty());
  // Adopted once, but the Deployment to come selects by the app's name.
  const json left = replica_set("web-b", "web:2", 0, "4");
  EXPECT_THAT(give_back(left, std::vector{by_name}).labels, ElementsAre("scalableapp.io/revision"));
  EXPECT_EQ(template_of(born), app("web:2").spec.template_json);
}

}  // namespace
}  // namespace scalableapp::plugin
