#include "operator/api/scalable_app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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
  const auto schedule = [](const json& other) {
    json object{{"name", "s"},
                {"cron", "0 8 * * *"},
                {"durationSeconds", 3600},
                {"replicas", {{"min", 3}}}};
    for (const auto& [name, value] : other.items()) object[name] = value;
    return object;
  };
  const char* const kCronForm =
      "spec.schedules[0].cron: must have five fields (minute, hour, day of month, month, day of "
      "week), such as 30 11 * * 1-5";
  const char* const kTimeZoneForm =
      "spec.schedules[0].timeZone: must be the name of a time zone, such as UTC or Europe/Berlin";
  const Case cases[] = {
      {"/spec/replicas/max", 1, "spec.replicas.max: must be at least spec.replicas.min (2)"},
      {"/spec/replicas/max", nullptr, "spec.replicas.max: must be a whole number from 1 to 100000"},
      {"/spec/replicas/max", 100'001,
       "spec.replicas.max: must be a whole number from 1 to 100000"},
      {"/spec/replicas/min", -1, "spec.replicas.min: must be a whole number from 0 to 100000"},
      {"/spec/replicas/min", 0,
       "spec.replicas.min: may be 0 only if there are metrics and each is a QueueLength or a "
       "Prometheus with target.type AverageValue: no other can be measured without pods"},
      {"/spec/replicas/override", 11,
       "spec.replicas.override: must be from spec.replicas.min (2) to spec.replicas.max (10)"},
      {"/spec/replicas/override", 1,
       "spec.replicas.override: must be from spec.replicas.min (2) to spec.replicas.max (10)"},
      {"/spec/replicas/override", -1,
       "spec.replicas.override: must be a whole number from 0 to 100000"},
      {"/spec/replicas/overrideUntil", "tomorrow",
       "spec.replicas.overrideUntil: must be a time such as 2026-01-31T12:00:00Z"},
      {"/spec/replicas/overrideUntil", 1'800'000'000,
       "spec.replicas.overrideUntil: must be a time such as 2026-01-31T12:00:00Z"},
      {"/spec/disruptionBudget", "Mine", "spec.disruptionBudget: must be Managed or None"},
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
      {"/spec/metrics/0/latency/model", "Guess",
       "spec.metrics[0].latency.model: must be Capacity or Ratio"},
      {"/spec/metrics/0/latency", json{{"target", "1s"}, {"query", "up"}, {"model", "Capacity"}},
       "spec.metrics[0].latency.model: must be Ratio where there is a query, whose load is not "
       "known"},
      {"/spec/metrics/0/fallback", json{{"failureSeconds", 60}},
       "spec.metrics[0].fallback.replicas: must be a whole number from 1 to 100000"},
      {"/spec/metrics/0/fallback", json{{"replicas", 11}},
       "spec.metrics[0].fallback.replicas: must be from spec.replicas.min (2) to "
       "spec.replicas.max (10)"},
      {"/spec/metrics/0/fallback", json{{"replicas", 1}},
       "spec.metrics[0].fallback.replicas: must be from spec.replicas.min (2) to "
       "spec.replicas.max (10)"},
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
      {"/spec/metrics/1",
       json{{"name", "b"},
            {"type", "QueueLength"},
            {"queueLength", {{"targetPerReplica", 2}, {"activationThreshold", "-1"}}}},
       "spec.metrics[1].queueLength.activationThreshold: must be a quantity of at least 0 such as "
       "5 or \"500m\""},
      {"/spec/metrics/1",
       json{{"name", "b"},
            {"type", "Prometheus"},
            {"prometheus",
             {{"query", "up"},
              {"target", {{"value", 1}, {"type", "Value"}}},
              {"activationThreshold", 0}}}},
       "spec.metrics[1].prometheus.activationThreshold: needs target.type to be AverageValue"},
      {"/spec/brownout", json{{"maxLevel", 10}}, "spec.brownout.maxLevel: must be a whole number from 1 to 9"},
      {"/spec/burst", json{{"thresholdPercent", 100}},
       "spec.burst.thresholdPercent: must be a whole number from 110 to 1000"},
      {"/spec/prediction", json{{"historyDays", 31}},
       "spec.prediction.historyDays: must be a whole number from 1 to 30"},
      {"/spec/schedules/0", schedule({{"cron", "0 8 * *"}}), kCronForm},
      {"/spec/schedules/0", schedule({{"cron", "@daily"}}), kCronForm},
      {"/spec/schedules/0", schedule({{"cron", " 0 8 * * *"}}), kCronForm},
      {"/spec/schedules/0", schedule({{"cron", "0 8 * * * "}}), kCronForm},
      {"/spec/schedules/0", schedule({{"cron", "0 8 * * * *"}}), kCronForm},
      {"/spec/schedules/0", schedule({{"cron", nullptr}}), kCronForm},
      {"/spec/schedules/0", schedule({{"timeZone", "../etc"}}), kTimeZoneForm},
      {"/spec/schedules/0", schedule({{"timeZone", "Europe/"}}), kTimeZoneForm},
      {"/spec/schedules/0", schedule({{"timeZone", "Europe//Berlin"}}), kTimeZoneForm},
      {"/spec/schedules/0", schedule({{"timeZone", ""}}), kTimeZoneForm},
      {"/spec/schedules/0", schedule({{"durationSeconds", 59}}),
       "spec.schedules[0].durationSeconds: must be a whole number from 60 to 604800"},
      {"/spec/schedules/0", schedule({{"replicas", nullptr}}),
       "spec.schedules[0].replicas: needs min or max"},
      {"/spec/schedules/0", schedule({{"replicas", {{"max", 0}}}}),
       "spec.schedules[0].replicas.max: must be a whole number from 1 to 100000"},
      {"/spec/schedules/0", schedule({{"replicas", {{"min", 5}, {"max", 4}}}}),
       "spec.schedules[0].replicas.min: must not be greater than max (4)"},
      {"/spec/schedules/0", schedule({{"replicas", {{"min", 11}}}}),
       "spec.schedules[0].replicas.min: must not be greater than spec.replicas.max (10)"},
      {"/spec/schedules", json::array({schedule({}), schedule({})}),
       "spec.schedules[1].name: \"s\" is used twice; names must differ"},
      {"/spec/scaleToZero", json{{"idleSeconds", -1}},
       "spec.scaleToZero.idleSeconds: must be a whole number from 0 to 86400"},
      {"/spec/scaleDown", json{{"drainSeconds", 601}},
       "spec.scaleDown.drainSeconds: must be a whole number from 0 to 600"},
      {"/spec/outliers", json{{"action", "Kill"}},
       "spec.outliers.action: must be Report or Eject"},
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
       "spec.readiness.warmUp.atLeast: must not be greater than atMost: no value could ever be "
       "within them"},
      {"/spec/readiness", json{{"gate", false}, {"warmUp", {{"query", "up"}, {"atLeast", 2}}}},
       "spec.readiness.warmUp: needs spec.readiness.gate to be true"},
      {"/spec/readiness", json{{"warmUp", json::object()}},
       "spec.readiness.warmUp: needs query or httpGet"},
      {"/spec/readiness", json{{"warmUp", {{"atLeast", 1}}}},
       "spec.readiness.warmUp: needs query or httpGet"},
      {"/spec/readiness", json{{"warmUp", {{"query", ""}, {"atLeast", 1}}}},
       "spec.readiness.warmUp.query: must be a PromQL query"},
      {"/spec/readiness", json{{"warmUp", {{"httpGet", {{"port", 80}}}, {"atMost", 1}}}},
       "spec.readiness.warmUp: needs query where there is atLeast, atMost or forSeconds"},
      {"/spec/readiness", json{{"warmUp", {{"httpGet", {{"port", 80}}}, {"forSeconds", 1}}}},
       "spec.readiness.warmUp: needs query where there is atLeast, atMost or forSeconds"},
      {"/spec/readiness", json{{"warmUp", {{"query", "up"}, {"atLeast", 1}, {"forSeconds", 3601}}}},
       "spec.readiness.warmUp.forSeconds: must be a whole number from 0 to 3600"},
      {"/spec/readiness", json{{"warmUp", {{"httpGet", json::object()}}}},
       "spec.readiness.warmUp.httpGet.port: must be a whole number from 1 to 65535"},
      {"/spec/readiness", json{{"warmUp", {{"httpGet", {{"port", 80}, {"path", "warm"}}}}}},
       "spec.readiness.warmUp.httpGet.path: must begin with / and have no spaces, such as /warm"},
      {"/spec/readiness", json{{"warmUp", {{"httpGet", {{"port", 80}, {"path", "/ HTTP/1.1\r\nHost: x"}}}}}},
       "spec.readiness.warmUp.httpGet.path: must begin with / and have no spaces, such as /warm"},
      {"/spec/readiness", json{{"slowStart", {{"maxPercent", 0}}}},
       "spec.readiness.slowStart.maxPercent: must be a whole number from 1 to 100"},
      {"/spec/readiness", json{{"slowStart", true}},
       "spec.readiness.slowStart: must hold fields of its own, or be {}"},
      {"/spec/readiness", json{{"gate", false}, {"slowStart", json::object()}},
       "spec.readiness.slowStart: needs spec.readiness.gate to be true"},
      {"/spec/readiness", json{{"failOpenSeconds", 0}},
       "spec.readiness.failOpenSeconds: must be a whole number from 1 to 86400"},
      {"/spec/readiness", json{{"gate", false}, {"failOpenSeconds", 60}},
       "spec.readiness.failOpenSeconds: needs spec.readiness.gate to be true"},
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

TEST(ScalableApp, ALatencyWithAQueryOfItsOwnGoesByRatio) {
  json object = minimal();
  const auto model = [&] {
    const auto app = decode_scalable_app(object);
    EXPECT_THAT(app->problems, IsEmpty());
    return app->spec.metrics.at(0).latency_model;
  };
  json& latency = object["spec"]["metrics"][0]["latency"];
  EXPECT_EQ(model(), LatencyModel::kCapacity);
  latency["model"] = "Ratio";
  EXPECT_EQ(model(), LatencyModel::kRatio);
  latency["query"] = "max(slowest_seconds)";
  EXPECT_EQ(model(), LatencyModel::kRatio);
  latency.erase("model");
  EXPECT_EQ(model(), LatencyModel::kRatio);
}

TEST(ScalableApp, AnOverrideMayEndByItself) {
  json object = minimal();
  object["spec"]["replicas"]["overrideUntil"] = "2026-01-31T19:00:00+01:00";
  const auto app = decode_scalable_app(object);
  EXPECT_THAT(app->problems, IsEmpty());
  EXPECT_FALSE(app->spec.override_replicas) << "kubectl scale --replicas=0 leaves it behind";
  EXPECT_EQ(app->spec.override_until, parse_rfc3339("2026-01-31T18:00:00Z").value());
}

TEST(ScalableApp, APodIsWarmByItsMetricOrItsOwnAnswerOrBoth) {
  json object = minimal();
  const auto warm_up = [&](const char* text) {
    object["spec"]["readiness"]["warmUp"] = json::parse(text);
    const auto app = decode_scalable_app(object);
    EXPECT_THAT(app->problems, IsEmpty());
    return app->spec.readiness.warm_up;
  };
  EXPECT_EQ(warm_up(R"({"query":"up","atLeast":1,"forSeconds":5})"),
            (WarmUpCondition{.query = "up", .range = {.at_least = 1}, .for_seconds = 5}));
  EXPECT_EQ(warm_up(R"({"httpGet":{"port":80}})"),
            (WarmUpCondition{.probe = WarmUpProbe{.path = "/", .port = 80, .timeout_seconds = 1}}));
  EXPECT_EQ(warm_up(R"({"query":"up","atMost":1,"httpGet":{"port":80,"path":"/warm?all","timeoutSeconds":2}})"),
            (WarmUpCondition{.query = "up",
                             .range = {.at_most = 1},
                             .probe = WarmUpProbe{.path = "/warm?all", .port = 80, .timeout_seconds = 2}}));
}

TEST(ScalableApp, AnEmptyBlockTurnsSlowStartOn) {
  json object = minimal();
  EXPECT_FALSE(decode_scalable_app(object)->spec.readiness.slow_start);
  object["spec"]["readiness"]["slowStart"] = json::object();
  EXPECT_EQ(decode_scalable_app(object)->spec.readiness.slow_start,
            (SlowStart{.max_percent = 25, .interval_seconds = 10}));
}

TEST(ScalableApp, AnEmptyBlockTurnsBurstAndPredictionOn) {
  json object = minimal();
  const auto off = decode_scalable_app(object)->spec;
  EXPECT_FALSE(off.burst);
  EXPECT_FALSE(off.prediction);
  object["spec"]["burst"] = json::object();
  object["spec"]["prediction"] = json::object();
  const auto on = decode_scalable_app(object)->spec;
  EXPECT_EQ(on.burst, (Burst{.threshold_percent = 200, .window_seconds = 60}));
  object["spec"]["brownout"] = json::object();
  EXPECT_EQ(decode_scalable_app(object)->spec.brownout,
            (Brownout{.max_level = 2, .raise_seconds = 10, .lower_seconds = 30}));
  EXPECT_EQ(on.prediction, (Prediction{.history_days = 15, .max_error_percent = 50}));
}

TEST(ScalableApp, PredictionNeedsAMetric) {
  json object = minimal();
  object["spec"]["prediction"] = json::object();
  object["spec"]["metrics"] = json::array();
  EXPECT_THAT(decode_scalable_app(object)->problems,
              ElementsAre("spec.prediction: needs at least one metric in spec.metrics"));
}

TEST(ScalableApp, PodsCanBeEjectedOnlyThroughTheirGate) {
  json object = minimal();
  object["spec"]["outliers"] = {{"action", "Eject"}};
  EXPECT_THAT(decode_scalable_app(object)->problems, IsEmpty());
  object["spec"]["readiness"] = {{"gate", false}};
  EXPECT_THAT(decode_scalable_app(object)->problems,
              ElementsAre("spec.outliers.action: Eject needs spec.readiness.gate to be true"));
}

TEST(ScalableApp, OnlyWhatCanBeMeasuredWithoutPodsScalesToZero) {
  const char* queue = R"({"name":"q","type":"QueueLength","queueLength":{"targetPerReplica":5}})";
  const char* average =
      R"({"name":"a","type":"Prometheus","prometheus":{"query":"up","target":{"value":5}}})";
  const char* value =
      R"({"name":"v","type":"Prometheus",
          "prometheus":{"query":"up","target":{"type":"Value","value":5}}})";
  const char* latency = R"({"name":"l","type":"Latency","latency":{"target":"200ms"}})";
  const char* cpu = R"({"name":"c","type":"CPU","cpu":{"targetUtilization":60}})";
  const auto may = [](std::initializer_list<const char*> metrics) {
    json object = minimal();
    object["spec"]["replicas"]["min"] = 0;
    object["spec"]["metrics"] = json::array();
    for (const char* metric : metrics) object["spec"]["metrics"].push_back(json::parse(metric));
    const auto app = decode_scalable_app(object);
    EXPECT_EQ(app->spec.min_replicas, 0);
    return app->problems.empty();
  };
  EXPECT_TRUE(may({queue}));
  EXPECT_TRUE(may({average}));
  EXPECT_TRUE(may({queue, average}));
  EXPECT_FALSE(may({}));
  EXPECT_FALSE(may({value}));
  EXPECT_FALSE(may({queue, latency}));
  EXPECT_FALSE(may({queue, cpu}));
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

// Numbers and times that a careless format would round.
ScalingHistory full_history() {
  const WallTime time = parse_rfc3339("2026-01-31T12:00:00.001Z").value();
  return {.recommendations = {{5, time, time + seconds{3}}},
          .scale_events = {{2, time}, {-1, time + milliseconds{999}}},
          .metrics = {{.name = "latency",
                       .missing_since = time,
                       .fallback_ended = time + milliseconds{7},
                       .service_seconds = 1.0 / 3,
                       .quantile_seconds = 0.1 + 0.2,
                       .servers = 4,
                       .proven_rate = 12345.678901234567,
                       .over_since = time - milliseconds{3},
                       .trial_since = time - milliseconds{1},
                       .trial_seconds = 5e-324,
                       .trial_rate = 1e300,
                       .trial_replicas = 7,
                       .not_capacity_bound = true},
                      {.name = "new"},
                      {.name = "backlog", .jobs_per_second = 2.0 / 7}},
          .burst_over = time + milliseconds{10},
          .idle_since = time + milliseconds{20},
          .warm_up_seconds = 11.000000000000002,
          .warm_up_seen = time + milliseconds{30},
          .revision = "j8mgwzhcgq",
          .brownout = {.level = 2,
                       .since = time + milliseconds{40},
                       .reason = "AtMaxReplicas",
                       .why = "at the maximum of 10",
                       .missed_since = time + milliseconds{50},
                       .room_since = time + milliseconds{60},
                       .lowered_at = time + milliseconds{70},
                       .relapses = 3},
          .expected_load = {.asked = "200% until 2026-01-31T12:00:00Z", .replicas = 8, .needed = 4}};
}

TEST(ScalableApp, AHistoryIsTheSameToTheBitAfterTheWayThroughText) {
  EXPECT_EQ(decode_history(encode_history(full_history())).value(), full_history());
  EXPECT_EQ(decode_history(encode_history({})).value(), ScalingHistory{});
  EXPECT_EQ(encode_history({}), "{}");
}

TEST(ScalableApp, WhatIsNoHistoryIsAnError) {
  for (const char* text : {"", "[]", "3", "{", "null"}) {
    const auto history = decode_history(text);
    ASSERT_FALSE(history) << text;
    EXPECT_EQ(history.error().code, ErrorCode::kDecode);
  }
}

TEST(ScalableApp, ANumberThatIsNoneIsNotWritten) {
  ScalingHistory history{.warm_up_seconds = std::numeric_limits<double>::infinity()};
  history.metrics = {{.name = "m", .servers = std::nan("")}};
  EXPECT_EQ(encode_history(history), R"({"metrics":[{"name":"m"}]})");
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
  status.history = full_history();
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
      {"3", "[]", R"({"history":{"metrics":[3,{"servers":"4","trialSince":1}],"idleSince":[]}})",
       R"({"metrics":"x","conditions":{"a":1},"history":[],"lastDecision":{"clamps":[1]},"replicas":"4"})"}) {
    object["status"] = json::parse(text);
    EXPECT_TRUE(decode_scalable_app(object)) << text;
  }
}

}  // namespace
}  // namespace scalableapp::api
