#include "operator/api/scalable_app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace scalableapp::api {
namespace {

using nlohmann::json;
using testing::ElementsAre;
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

TEST(ScalableApp, AnOverrideOfZeroIsNone) {
  json object = minimal();
  object["spec"]["replicas"]["override"] = 0;
  const auto app = decode_scalable_app(object);
  ASSERT_TRUE(app);
  EXPECT_TRUE(app->problems.empty());
  EXPECT_FALSE(app->spec.override_replicas);
}

TEST(ScalableApp, EachMistakeIsToldOnceWithItsFieldAndWhatItShouldBe) {
  struct Case {
    const char* pointer;
    json value;
    const char* want;
  };
  const json lat = minimal()["spec"]["metrics"][0];
  const json cpu{{"targetUtilization", 60}};
  const Case cases[] = {
      {"/spec/replicas/max", 1, "spec.replicas.max: must be at least spec.replicas.min (2)"},
      {"/spec/replicas/max", nullptr, "spec.replicas.max: must be a whole number from 1 to 100000"},
      {"/spec/replicas/min", 0, "spec.replicas.min: must be a whole number from 1 to 100000"},
      {"/spec/replicas/override", 11,
       "spec.replicas.override: must be from spec.replicas.min (2) to spec.replicas.max (10)"},
      {"/spec/replicas/override", 1,
       "spec.replicas.override: must be from spec.replicas.min (2) to spec.replicas.max (10)"},
      {"/spec/replicas/override", -1,
       "spec.replicas.override: must be a whole number from 0 to 100000"},
      {"/spec/metrics", "cpu", "spec.metrics: must be a list"},
      {"/spec/metrics/0/name", "", "spec.metrics[0].name: must have 1 to 63 characters"},
      {"/spec/metrics/0/type", "Memory",
       "spec.metrics[0].type: must be Latency, CPU, QueueLength or Prometheus"},
      {"/spec/metrics/0/latency", nullptr, "spec.metrics[0].latency: must be set for type Latency"},
      {"/spec/metrics/0/cpu", cpu, "spec.metrics[0].cpu: must not be set for type Latency"},
      {"/spec/metrics/1", lat, "spec.metrics[1].name: \"lat\" is used twice; names must differ"},
      {"/spec/metrics/0/latency/target", "fast",
       "spec.metrics[0].latency.target: must be a duration over 0 such as 200ms"},
      {"/spec/metrics/0/latency/target", 200,
       "spec.metrics[0].latency.target: must be a duration over 0 such as 200ms"},
      {"/spec/metrics/0/latency/quantile", 1.5,
       "spec.metrics[0].latency.quantile: must be over 0 and under 1"},
      {"/spec/metrics/0/latency/query", 3, "spec.metrics[0].latency.query: must be text"},
      {"/spec/metrics/1", json{{"name", "b"}, {"type", "CPU"}, {"cpu", {{"targetUtilization", 0}}}},
       "spec.metrics[1].cpu.targetUtilization: must be a whole number from 1 to 1000"},
      {"/spec/metrics/1",
       json{{"name", "b"}, {"type", "QueueLength"}, {"queueLength", {{"targetPerReplica", "0"}}}},
       "spec.metrics[1].queueLength.targetPerReplica: must be a quantity over 0 such as 100, "
       "\"0.5\" or \"500m\""},
      {"/spec/metrics/1",
       json{{"name", "b"}, {"type", "Prometheus"}, {"prometheus", {{"target", {{"value", 1}}}}}},
       "spec.metrics[1].prometheus.query: must be a PromQL query"},
      {"/spec/metrics/1",
       json{{"name", "b"},
            {"type", "Prometheus"},
            {"prometheus", {{"query", "up"}, {"target", {{"value", 1}, {"type", "Utilization"}}}}}},
       "spec.metrics[1].prometheus.target.type: must be Value or AverageValue"},
      {"/spec/behavior", json{{"scaleUp", {{"tolerance", 2}}}},
       "spec.behavior.scaleUp.tolerance: must be from 0 to under 1, such as 0.1"},
      {"/spec/behavior", json{{"scaleDown", {{"selectPolicy", "Fast"}}}},
       "spec.behavior.scaleDown.selectPolicy: must be Max, Min or Disabled"},
      {"/spec/behavior", json{{"scaleDown", {{"policies", {{{"type", "Pods"}, {"value", 1}}}}}}},
       "spec.behavior.scaleDown.policies[0].periodSeconds: must be a whole number from 1 to 1800"},
      {"/spec/readiness", json{{"gate", "on"}}, "spec.readiness.gate: must be true or false"},
      {"/spec/readiness", json{{"warmUp", {{"query", "up"}}}},
       "spec.readiness.warmUp: needs atLeast or atMost"},
      {"/spec/readiness", json{{"warmUp", {{"query", "up"}, {"atLeast", 2}, {"atMost", 1}}}},
       "spec.readiness.warmUp.atLeast: must not be greater than atMost: no pod could ever be warm"},
      {"/spec/readiness", json{{"gate", false}, {"warmUp", {{"query", "up"}, {"atLeast", 2}}}},
       "spec.readiness.warmUp: needs spec.readiness.gate to be true"},
      {"/spec/rollout", json{{"maxSurge", 0}, {"maxUnavailable", "0%"}},
       "spec.rollout.maxSurge: must not be 0 when maxUnavailable is 0: nothing could ever be "
       "replaced"},
      {"/spec/rollout", json{{"maxSurge", "some"}},
       "spec.rollout.maxSurge: must be a whole number or a percentage from \"0%\" to \"9999%\""},
      {"/spec/rollout", json{{"maxUnavailable", "101%"}},
       "spec.rollout.maxUnavailable: must be a whole number or a percentage from \"0%\" to "
       "\"100%\""},
      {"/spec/rollout", json{{"minReadySeconds", 600}},
       "spec.rollout.progressDeadlineSeconds: must be greater than minReadySeconds (600)"},
      {"/spec/intervalSeconds", 61, "spec.intervalSeconds: must be a whole number from 1 to 60"},
      {"/spec/intervalSeconds", 18446744073709551615u,
       "spec.intervalSeconds: must be a whole number from 1 to 60"},
      {"/spec/template", json::object(),
       "spec.template.spec.containers: must name at least one container"},
      {"/spec/template/spec/containers/0/name", nullptr,
       "spec.template.spec.containers[0].name: must be set"},
      {"/spec/template/spec/containers/1", json{{"name", "c"}},
       "spec.template.spec.containers[1].name: \"c\" is used twice; names must differ"},
      {"/spec/template/spec/restartPolicy", "Never",
       "spec.template.spec.restartPolicy: must be Always"},
      {"/spec/template/metadata", "web",
       "spec.template.metadata: must be an object with labels and annotations"},
      {"/spec/template/metadata", json{{"labels", {{kAppLabel, "x"}}}},
       "spec.template.metadata.labels: must not have scalableapp.io/name: the operator sets it"},
  };
  for (const Case& one : cases) {
    json object = minimal();
    object[json::json_pointer(one.pointer)] = one.value;
    const auto app = decode_scalable_app(object);
    ASSERT_TRUE(app) << one.want;
    EXPECT_THAT(app->problems, ElementsAre(one.want));
  }
}

TEST(ScalableApp, OneMistakeDoesNotHideAnother) {
  json object = minimal();
  object["spec"]["replicas"]["min"] = "two";
  object["spec"]["metrics"][0]["latency"] = {
      {"target", "fast"}, {"quantile", 9}, {"windowSeconds", 1}};
  object["spec"]["paused"] = "no";
  object["spec"]["template"]["spec"]["containers"] = json::array();
  EXPECT_EQ(decode_scalable_app(object)->problems.size(), 6u);
}

TEST(ScalableApp, TargetsAreInTheMetricsOwnUnit) {
  json object = minimal();
  object["spec"]["metrics"] = json::parse(R"([
    {"name":"a","type":"Latency","latency":{"target":"1m30.5s","quantile":0.5}},
    {"name":"b","type":"CPU","cpu":{"targetUtilization":60}},
    {"name":"c","type":"QueueLength","queueLength":{"queue":"jobs","targetPerReplica":"2.5"}},
    {"name":"d","type":"Prometheus","prometheus":{"query":"up","target":{"type":"Value","value":"500m"}}},
    {"name":"e","type":"Prometheus","prometheus":{"query":"up","target":{"value":100}}}])");
  const auto metrics = decode_scalable_app(object)->spec.metrics;
  EXPECT_THAT(
      metrics,
      ElementsAre(
          MetricSpec{.name = "a", .type = MetricType::kLatency, .quantile = 0.5, .target = 90.5},
          MetricSpec{.name = "b", .type = MetricType::kCpu, .target = 0.6},
          MetricSpec{.name = "c",
                     .type = MetricType::kQueueLength,
                     .queue = "jobs",
                     .target = 2.5,
                     .target_type = TargetType::kAverageValue},
          MetricSpec{.name = "d", .type = MetricType::kPrometheus, .query = "up", .target = 0.5},
          MetricSpec{.name = "e",
                     .type = MetricType::kPrometheus,
                     .query = "up",
                     .target = 100,
                     .target_type = TargetType::kAverageValue}));
}

TEST(ScalableApp, OnlyTheOperatorsOwnAnnotationsAreKept) {
  json object = minimal();
  object["metadata"]["annotations"] = {{"kubectl.kubernetes.io/last-applied-configuration", "{}"},
                                       {"scalableapp.io/x", "y"}};
  EXPECT_EQ(decode_scalable_app(object)->metadata.annotations,
            (std::map<std::string, std::string>{{"scalableapp.io/x", "y"}}));
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
  EXPECT_EQ(encode_status(decode_scalable_app(object)->status), encode_status(status));
}

TEST(ScalableApp, BytesThatAreNoTextDoNotCostTheStatus) {
  ScalableAppStatus status;
  status.metrics = {{.name = "m", .missing = "answer: \xff\xfe"}};
  const json written = json::parse(encode_status(status), nullptr, false);
  ASSERT_TRUE(written.is_object());
  EXPECT_EQ(written["metrics"][0]["missing"], "answer: \uFFFD\uFFFD");
}

TEST(ScalableApp, AStatusOfAnyShapeIsReadWithoutHarm) {
  json object = minimal();
  for (
      const char* text :
      {"3", "[]",
       R"({"metrics":"x","conditions":{"a":1},"history":[],"lastDecision":{"clamps":[1]},"replicas":"4"})"}) {
    object["status"] = json::parse(text);
    EXPECT_TRUE(decode_scalable_app(object)) << text;
  }
}

}  // namespace
}  // namespace scalableapp::api
