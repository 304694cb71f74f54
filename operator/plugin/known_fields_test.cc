#include "operator/plugin/known_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/plugin/manifest.h"
#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json schema() {
  return json::parse(R"({"type":"object","properties":{
    "kind":{"type":"string"},
    "spec":{"type":"object","properties":{
      "replicas":{"type":"object","properties":{"min":{"type":"integer"},"max":{"type":"integer"}}},
      "timeZone":{"type":"string"},
      "labels":{"type":"object","additionalProperties":{"type":"string"}},
      "template":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
                  "properties":{"spec":{"type":"object"}}},
      "metrics":{"type":"array","items":{"type":"object","properties":{
        "name":{"type":"string"},
        "latency":{"type":"object","properties":{"quantile":{"type":"number"}}}}}}}}}})");
}
std::vector<std::string> unknown(const char* app) {
  return unknown_fields(json::parse(app), schema());
}

TEST(KnownFields, AreThoseOfTheSchema) {
  EXPECT_THAT(unknown(R"({"kind":"A","spec":{"replicas":{"min":1,"max":2},
                          "metrics":[{"name":"m","latency":{"quantile":0.9}}]}})"),
              IsEmpty());
}

TEST(KnownFields, OthersAreNamedByTheirPath) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"sepc":{}})", "sepc: unknown field; did you mean spec?"},
      {R"({"spec":{"replicas":{"mim":1}}})",
       "spec.replicas.mim: unknown field; did you mean min?"},
      {R"({"spec":{"metrics":[{"name":"a"},{"latency":{"quantil":0.5}}]}})",
       "spec.metrics[1].latency.quantil: unknown field; did you mean quantile?"},
      {R"({"spec":{"timezone":"UTC"}})", "spec.timezone: unknown field; did you mean timeZone?"},
      {R"({"spec":{"time_zone":"UTC"}})", "spec.time_zone: unknown field; did you mean timeZone?"},
      {R"({"spec":{"coolDownPeriod":1}})", "spec.coolDownPeriod: unknown field"},
      {R"({"spec":{"replicas":{"no":1}}})", "spec.replicas.no: unknown field"},
      {R"({"spec":{"":1}})", "spec.: unknown field"},
  };
  for (const auto& [app, line] : cases) EXPECT_THAT(unknown(app), ElementsAre(line)) << app;
}

TEST(KnownFields, AreNotLookedForWhereTheSchemaLeavesTheFieldsFree) {
  for (const char* app : {
           R"({"metadata":{"managedFields":[{"f:spec":{}}]}})",
           R"({"status":{"anything":1}})",
           R"({"spec":{"labels":{"anything":"x"}}})",
           R"({"spec":{"template":{"anything":{"spec":1},"spec":{"volumes":[]}}}})",
       }) {
    EXPECT_THAT(unknown(app), IsEmpty()) << app;
  }
}

TEST(KnownFields, OfWhatIsNoObjectAreLeftToTheSpecsChecks) {
  for (const char* app :
       {R"([])", R"({"spec":3})", R"({"spec":{"metrics":{"name":1}}})",
        R"({"spec":{"timeZone":{"name":"UTC"}}})", R"({"spec":{"metrics":[1]}})"}) {
    EXPECT_THAT(unknown(app), IsEmpty()) << app;
  }
}

TEST(KnownFields, OfAManifestAreThoseOfTheCrd) {
  ASSERT_TRUE(read_manifest(kWeb, "app.yaml"));
  const auto refused = [](const std::string& spec) {
    const auto app = read_manifest(
        "apiVersion: scalableapp.io/v1alpha1\nkind: ScalableApp\nmetadata: {name: web}\nspec: "
        "{replicas: {max: 3}, template: {spec: {containers: [{name: a, image: a}]}}, " +
            spec + "}",
        "app.yaml");
    return app ? std::string() : app.error().message;
  };
  EXPECT_EQ(refused("paused: true"), "");
  EXPECT_EQ(refused("behavior: {scaleDown: {stabilisationWindowSeconds: 5}}"),
            "app.yaml: spec.behavior.scaleDown.stabilisationWindowSeconds: unknown field; did you "
            "mean stabilizationWindowSeconds?");
  EXPECT_EQ(refused("brust: {}"), "app.yaml: spec.brust: unknown field; did you mean burst?");
  EXPECT_EQ(refused("schedules: [{name: a, cron: '0 0 * * *', timezone: UTC, durationSeconds: 60, "
                    "replicas: {min: 2}}]"),
            "app.yaml: spec.schedules[0].timezone: unknown field; did you mean timeZone?");
  EXPECT_EQ(refused("metrics: [{name: l, type: Latency, latency: {target: 1s, quantil: 0.5}}]"),
            "app.yaml: spec.metrics[0].latency.quantil: unknown field; did you mean quantile?");
  const std::string both = refused("brust: {}, paused: 1");
  EXPECT_THAT(both, HasSubstr("spec.brust: unknown field"));
  EXPECT_THAT(both, HasSubstr("\napp.yaml: spec.paused: must be true or false"));
}

}  // namespace
}  // namespace scalableapp::plugin
