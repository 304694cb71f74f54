#include "operator/plugin/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Manifest, ScalarsAreWhatTheCoreSchemaSays) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"v: 5", R"({"v":5})"},
      {"v: '5'", R"({"v":"5"})"},
      {"v: \"true\"", R"({"v":"true"})"},
      {"v: true", R"({"v":true})"},
      {"v: yes", R"({"v":"yes"})"},
      {"v: null", R"({"v":null})"},
      {"v: ~", R"({"v":null})"},
      {"v:", R"({"v":null})"},
      {"v: ''", R"({"v":""})"},
      {"v: 0.5", R"({"v":0.5})"},
      {"v: .5", R"({"v":0.5})"},
      {"v: 1e3", R"({"v":1000.0})"},
      {"v: -7", R"({"v":-7})"},
      {"v: 0x1F", R"({"v":31})"},
      {"v: 0o17", R"({"v":15})"},
      {"v: 007", R"({"v":7})"},
      {"v: 1_000", R"({"v":"1_000"})"},
      {"v: 100m", R"({"v":"100m"})"},
      {"v: 25%", R"({"v":"25%"})"},
      {"v: .", R"({"v":"."})"},
      {"v: e3", R"({"v":"e3"})"},
      {"v: 1.2.3", R"({"v":"1.2.3"})"},
      {"v: 99999999999999999999", R"({"v":1e+20})"},
      {"v: |\n  a\n  b\n", R"({"v":"a\nb\n"})"},
      {"v: &x [1, 2]\nw: *x", R"({"v":[1,2],"w":[1,2]})"},
      {"{\"v\": [1, \"2\", {}]}", R"({"v":[1,"2",{}]})"},
  };
  for (const auto& [yaml, json] : cases) {
    const auto texts = yaml_to_json(yaml, "a.yaml");
    ASSERT_TRUE(texts) << yaml << ": " << texts.error().message;
    EXPECT_THAT(*texts, ElementsAre(json)) << yaml;
  }
}

TEST(Manifest, JsonBecomesYamlThatReadsTheSame) {
  const char* json =
      R"({"a":{"b":[{"c":1,"d":"x"},[1,[2]],{},[],"web:2"]},"empty":{},"flag":true,"k: y":"- x","none":null,)"
      R"("ratio":0.5,"text":["yes","0x1F","on","25%","1e3","a b","#","","null","a\nb","ü","web-1.2/x"]})";
  const auto yaml = json_to_yaml(json);
  ASSERT_TRUE(yaml);
  EXPECT_THAT(*yaml, HasSubstr("a:\n  b:\n  - c: 1\n    d: x\n  - - 1\n"));
  EXPECT_THAT(*yaml, HasSubstr("- \"yes\"\n"));
  EXPECT_THAT(*yaml, HasSubstr("- web-1.2/x\n"));
  const auto back = yaml_to_json(*yaml, "a.yaml");
  ASSERT_TRUE(back) << back.error().message << "\n" << *yaml;
  EXPECT_THAT(*back, ElementsAre(json)) << *yaml;
  EXPECT_EQ(json_to_yaml("{").error().code, ErrorCode::kDecode);
}

TEST(Manifest, SaysWhereTheYamlIsBroken) {
  EXPECT_THAT(yaml_to_json("a: [1,\nb: }", "a.yaml").error().message, HasSubstr("a.yaml line 2"));
  EXPECT_THAT(yaml_to_json("a: 1\na: 2", "a.yaml").error().message,
              HasSubstr("a.yaml line 2, column 1: \"a\" is there twice"));
  std::string bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) bomb += (n > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(yaml_to_json(bomb, "a.yaml").error().message, HasSubstr("too large"));
}

TEST(Manifest, TakesTheScalableAppAmongSeveralDocuments) {
  const auto app =
      read_manifest(std::string("kind: Service\napiVersion: v1\n---\n") + kWeb + "---\n", "a.yaml");
  ASSERT_TRUE(app) << app.error().message;
  EXPECT_EQ(app->metadata.name, "web");
  EXPECT_EQ(app->metadata.namespace_name, "default");
  EXPECT_EQ(app->spec.behavior.scale_down.stabilization_window_seconds, 30);
  EXPECT_EQ(app->spec.behavior.scale_up.policies.size(), 2U) << "the CRD's defaults";
  EXPECT_DOUBLE_EQ(app->spec.cpu_request_cores, 0.1);
}

TEST(Manifest, RefusesNoneAndSeveral) {
  EXPECT_THAT(read_manifest("kind: Service", "a.yaml").error().message,
              HasSubstr("a.yaml: must have a document of kind ScalableApp; found: Service"));
  EXPECT_THAT(read_manifest("", "a.yaml").error().message, HasSubstr("found: nothing"));
  EXPECT_THAT(read_manifest("- 1", "a.yaml").error().message, HasSubstr("found: none"));
  EXPECT_THAT(read_manifest(std::string(kWeb) + "---\n" + kWeb, "a.yaml").error().message,
              HasSubstr("must have one ScalableApp, not 2"));
  EXPECT_THAT(read_manifest("kind: ScalableApp\napiVersion: v1", "a.yaml").error().message,
              HasSubstr("apiVersion: must be scalableapp.io/v1alpha1"));
}

TEST(Manifest, ListsEveryProblemOfTheSpecOnItsOwnLine) {
  const auto app = read_manifest(
      "apiVersion: scalableapp.io/v1alpha1\nkind: ScalableApp\nmetadata: {name: web}\n"
      "spec: {replicas: {min: 1, max: '5'}, paused: 1, template: {spec: {containers: [{name: "
      "a}]}}}\n",
      "a.yaml");
  ASSERT_FALSE(app);
  EXPECT_THAT(app.error().message,
              testing::StartsWith("a.yaml: spec.replicas.max: must be a whole number"));
  EXPECT_THAT(app.error().message, HasSubstr("\na.yaml: spec.paused: must be true or false"));
}

TEST(Manifest, ChangesFieldsInPlaceAndKeepsCommentsAndOrder) {
  const auto changed =
      change_manifest(kWeb, "a.yaml",
                      {{{"spec", "replicas", "min"}, "4"},
                       {{"spec", "metrics", "0", "cpu", "targetUtilization"}, "55"},
                       {{"spec", "behavior", "scaleDown", "stabilizationWindowSeconds"}, "60"},
                       {{"spec", "behavior", "scaleUp", "tolerance"}, "0.05"},
                       {{"spec", "behavior", "scaleUp", "policies"},
                        "[{type: Percent, value: 50, periodSeconds: 15}]"},
                       {{"spec", "burst", "thresholdPercent"}, "200"}});
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_THAT(*changed,
              HasSubstr("replicas: {min: 4, max: 10}  # Ten is what the database stands.\n"));
  EXPECT_THAT(*changed, testing::StartsWith("# The shop's front.\n"));
  const auto app = read_manifest(*changed, "a.yaml");
  ASSERT_TRUE(app) << app.error().message << "\n" << *changed;
  EXPECT_EQ(app->spec.min_replicas, 4);
  EXPECT_DOUBLE_EQ(app->spec.metrics[0].target, 0.55);
  EXPECT_EQ(app->spec.behavior.scale_down.stabilization_window_seconds, 60);
  EXPECT_DOUBLE_EQ(app->spec.behavior.scale_up.tolerance, 0.05);
  EXPECT_EQ(app->spec.behavior.scale_up.policies,
            (std::vector<api::ScalingPolicy>{{api::PolicyType::kPercent, 50, 15}}));
  ASSERT_TRUE(app->spec.burst);
  EXPECT_EQ(app->spec.burst->threshold_percent, 200);
}

TEST(Manifest, ChangesWhatComesAfterOtherDocuments) {
  const auto changed = change_manifest(std::string("kind: Service\n---\n") + kWeb, "a.yaml",
                                       {{{"spec", "replicas", "max"}, "12"}});
  ASSERT_TRUE(changed);
  EXPECT_THAT(*changed, HasSubstr("{min: 2, max: 12}"));
  EXPECT_THAT(*changed, testing::StartsWith("kind: Service\n---\n"));
}

}  // namespace
}  // namespace scalableapp::plugin
