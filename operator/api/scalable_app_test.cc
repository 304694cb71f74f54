#include "operator/api/scalable_app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/revision.h"
#include "operator/api/workload.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

json minimal() {
  return json::parse(R"({"metadata":{"name":"web","namespace":"demo","uid":"u1"},
    "spec":{"replicas":{"min":2,"max":10},
      "metrics":[{"name":"lat","type":"Latency","latency":{"target":"200ms"}}],
      "template":{"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"250m"}}}]}}}})");
}

TEST(ScalableApp, AMinimalSpecGetsTheDefaultsOfTheCrd) {
  const auto app = decode_scalable_app(minimal());
  ASSERT_TRUE(app);
  EXPECT_THAT(app->problems, IsEmpty());
  EXPECT_DOUBLE_EQ(app->spec.metrics.at(0).target, 0.2);
  EXPECT_DOUBLE_EQ(app->spec.metrics.at(0).quantile, 0.99);
  EXPECT_EQ(app->spec.behavior.scale_down.stabilization_window_seconds, 300);
  EXPECT_EQ(app->spec.behavior.scale_up.policies.size(), 2u);
  EXPECT_EQ(app->spec.interval_seconds, 2);
  EXPECT_TRUE(app->spec.readiness.gate);
  EXPECT_DOUBLE_EQ(app->spec.cpu_request_cores, 0.25);
  EXPECT_EQ(app->spec.rollout.max_surge, (IntOrPercent{25, true}));
}

TEST(ScalableApp, EachMistakeIsNamedWithItsFieldAndWhatItShouldBe) {
  struct Case {
    const char* pointer;
    json value;
    const char* want;
  };
  const Case cases[] = {
      {"/spec/replicas/max", 1, "spec.replicas.max: must be at least spec.replicas.min (2)"},
      {"/spec/replicas/min", 0, "spec.replicas.min: must be a whole number from 1"},
      {"/spec/metrics/0/latency/target", "fast",
       "spec.metrics[0].latency.target: must be a duration over 0 such as 200ms"},
      {"/spec/metrics/0/latency/quantile", 1.5,
       "spec.metrics[0].latency.quantile: must be over 0 and under 1"},
      {"/spec/metrics/0/type", "Memory",
       "spec.metrics[0].type: must be Latency, CPU, QueueLength or Prometheus"},
      {"/spec/metrics/0/type", "CPU", "spec.metrics[0].cpu: must be set for type CPU"},
      {"/spec/metrics/1", minimal()["spec"]["metrics"][0],
       "spec.metrics[1].name: \"lat\" is used twice"},
      {"/spec/rollout", json{{"maxSurge", 0}, {"maxUnavailable", "0%"}},
       "spec.rollout.maxSurge: must not be 0"},
      {"/spec/rollout", json{{"maxSurge", "some"}},
       "spec.rollout.maxSurge: must be a whole number or a percentage"},
      {"/spec/readiness", json{{"warmUp", {{"query", "up"}}}},
       "spec.readiness.warmUp: needs atLeast or atMost"},
      {"/spec/behavior", json{{"scaleUp", {{"tolerance", 2}}}},
       "spec.behavior.scaleUp.tolerance: must be from 0"},
      {"/spec/template", json::object(), "spec.template.spec.containers: must name at least one"},
  };
  for (const Case& one : cases) {
    json object = minimal();
    object[json::json_pointer(one.pointer)] = one.value;
    const auto app = decode_scalable_app(object);
    ASSERT_TRUE(app) << one.want;
    EXPECT_THAT(app->problems, Contains(HasSubstr(one.want)));
  }
}

TEST(ScalableApp, ASpecOfAnyShapeIsReadWithoutHarm) {
  for (const char* text :
       {R"({"metadata":{"name":"x"}})", R"({"metadata":{"name":"x"},"spec":[]})",
        R"({"metadata":{"name":"x"},"spec":{"metrics":{},"replicas":3,"behavior":"fast"}})"}) {
    const auto app = decode_scalable_app(json::parse(text));
    ASSERT_TRUE(app) << text;
    EXPECT_FALSE(app->problems.empty());
  }
  EXPECT_FALSE(decode_scalable_app(json::parse("[]")));
}

TEST(ScalableApp, StatusSurvivesTheWayToTheServerAndBack) {
  ScalableAppStatus status{
      .observed_generation = 3, .selector = "a=b", .replicas = 4, .desired_replicas = 5};
  status.metrics = {{.name = "cpu",
                     .type = "CPU",
                     .current = "72%",
                     .target = "60%",
                     .proposed_replicas = 5,
                     .age_seconds = 1}};
  const WallTime time = parse_rfc3339("2026-01-31T12:00:00.250Z").value();
  status.last_decision = LastDecision{3, 5, "MetricAboveTarget", "3 -> 5", {"maxReplicas"}, time};
  status.conditions = {{"Ready", ConditionStatus::kTrue, 3,
                        parse_rfc3339("2026-01-31T12:00:00Z").value(), "AllReplicasReady", ""}};
  status.history = {{{5, time, time + seconds{3}}}, {{2, time}}};
  json object = minimal();
  object["status"] = json::parse(encode_status(status));
  EXPECT_EQ(decode_scalable_app(object)->status, status);
}

TEST(Revision, DependsOnTheTemplateAndNothingElse) {
  const auto one = decode_scalable_app(minimal());
  json scaled = minimal();
  scaled["spec"]["replicas"]["max"] = 20;
  json changed = minimal();
  changed["spec"]["template"]["spec"]["containers"][0]["image"] = "i:2";
  const auto hash = [](const json& object) {
    return revision_hash(decode_scalable_app(object)->spec.template_json, 0);
  };
  EXPECT_EQ(hash(minimal()), hash(scaled));
  EXPECT_NE(hash(minimal()), hash(changed));
  EXPECT_NE(revision_hash(one->spec.template_json, 0), revision_hash(one->spec.template_json, 1));
  EXPECT_EQ(hash(minimal()).size(), 10u);
}

TEST(Revision, TheReplicaSetBearsOwnerLabelsAndGate) {
  const auto app = decode_scalable_app(minimal());
  const json body = json::parse(replica_set_body(*app, "r1", 3));
  EXPECT_EQ(body["metadata"]["name"], "web-r1");
  EXPECT_EQ(body["metadata"]["ownerReferences"][0]["uid"], "u1");
  EXPECT_EQ(body["spec"]["replicas"], 3);
  EXPECT_EQ(body["spec"]["selector"]["matchLabels"][kRevisionLabel], "r1");
  EXPECT_EQ(body["spec"]["template"]["metadata"]["labels"][kAppLabel], "web");
  EXPECT_EQ(body["spec"]["template"]["spec"]["readinessGates"][0]["conditionType"], kWarmGate);
}

TEST(Pod, TroubleIsToldInTheKubeletsWords) {
  const auto pod = decode_pod(
      json::parse(R"({"metadata":{"name":"p","labels":{"a":"b","scalableapp.io/name":"web"}},
    "spec":{"readinessGates":[{"conditionType":"scalableapp.io/warm"}]},
    "status":{"phase":"Pending","containerStatuses":[{"restartCount":2,"state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}],
      "conditions":[{"type":"ContainersReady","status":"False"}]}})"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->trouble, "ImagePullBackOff: no such image");
  EXPECT_EQ(pod->restart_count, 2);
  EXPECT_TRUE(pod->has_warm_gate);
  EXPECT_EQ(pod->metadata.labels.size(), 1u);
}

}  // namespace
}  // namespace scalableapp::api
