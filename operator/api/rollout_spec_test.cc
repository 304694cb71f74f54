#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

ScalableApp with_rollout(const char* rollout) {
  json object = json::parse(R"({"metadata":{"name":"web"},"spec":{"replicas":{"max":10},
      "template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  object["spec"]["rollout"] = json::parse(rollout);
  return decode_scalable_app(object).value();
}
RolloutSpec rollout_of(const char* rollout) {
  const ScalableApp app = with_rollout(rollout);
  EXPECT_THAT(app.problems, IsEmpty());
  return app.spec.rollout;
}

TEST(RolloutSpec, IsRollingBackByItselfUnlessToldOtherwise) {
  const RolloutSpec plain = rollout_of("{}");
  EXPECT_EQ(plain, RolloutSpec{});
  EXPECT_EQ(plain.strategy, RolloutStrategy::kRolling);
  EXPECT_TRUE(plain.automatic_rollback);
  EXPECT_FALSE(plain.analysis);
  const RolloutSpec other = rollout_of(
      R"({"strategy":"Recreate","rollback":"Manual","duringBurst":"Hold","scaleDown":"Allow","paused":true})");
  EXPECT_EQ(other.strategy, RolloutStrategy::kRecreate);
  EXPECT_FALSE(other.automatic_rollback);
  EXPECT_EQ(other.during_burst, DuringBurst::kHold);
  EXPECT_TRUE(other.scale_down_in_flight);
  EXPECT_TRUE(other.paused);
}

TEST(RolloutSpec, ACanaryHasStepsServicesAndARoute) {
  const RolloutSpec rollout = rollout_of(R"({"strategy":"Canary","analysis":{},"canary":{
      "steps":[{"setWeight":5},{"pause":{"durationSeconds":60}},{"pause":{}},{"analysis":{}}],
      "stableService":"web-stable","canaryService":"web-canary","httpRoute":"shop.example.com"}})");
  EXPECT_THAT(rollout.canary.steps,
              ElementsAre(CanaryStep{.set_weight = 5}, CanaryStep{.pause = true, .pause_seconds = 60},
                          CanaryStep{.pause = true}, CanaryStep{.analysis = true}));
  EXPECT_EQ(rollout.canary.stable_service, "web-stable");
  EXPECT_EQ(rollout.canary.canary_service, "web-canary");
  EXPECT_EQ(rollout.canary.http_route, "shop.example.com");
}

TEST(RolloutSpec, ABlueGreenNeedsNoMoreThanTheServiceThatSwitches) {
  const RolloutSpec rollout = rollout_of(R"({"strategy":"BlueGreen","blueGreen":{"activeService":"web"}})");
  EXPECT_EQ(rollout.blue_green,
            (BlueGreen{.active_service = "web", .auto_promotion = true, .scale_down_delay_seconds = 30}));
}

TEST(RolloutSpec, AnEmptyAnalysisLooksAtErrorsLatencyAndRestarts) {
  const Analysis analysis = rollout_of(R"({"analysis":{}})").analysis.value();
  EXPECT_EQ(analysis,
            (Analysis{.interval_seconds = 10,
                      .count = 3,
                      .failure_limit = 0,
                      .inconclusive_limit = 0,
                      .min_requests = 100,
                      .metrics = {{.name = "error-rate", .type = AnalysisMetricType::kErrorRate, .max_increase = 1},
                                  {.name = "latency", .type = AnalysisMetricType::kLatency, .max_increase = 25},
                                  {.name = "restarts", .type = AnalysisMetricType::kRestarts}}}));
}

TEST(RolloutSpec, ABareTypeHasTheBoundsOfTheDefaultOne) {
  const auto plain = rollout_of(R"({"analysis":{}})").analysis->metrics;
  EXPECT_EQ(rollout_of(R"({"analysis":{"metrics":[{"name":"error-rate","type":"ErrorRate"},
      {"name":"latency","type":"Latency","latency":{}},{"name":"restarts","type":"Restarts"}]}})").analysis->metrics,
            plain);
}

TEST(RolloutSpec, APrometheusMetricIsGoodOrBadByItsBounds) {
  const auto metrics = rollout_of(R"({"analysis":{"metrics":[{"name":"orders","type":"Prometheus",
      "prometheus":{"query":"up","success":{"atLeast":0.9},"failure":{"atMost":0.5}}}]}})").analysis->metrics;
  EXPECT_THAT(metrics, ElementsAre(AnalysisMetric{.name = "orders",
                                                  .type = AnalysisMetricType::kPrometheus,
                                                  .query = "up",
                                                  .success = {.at_least = 0.9},
                                                  .failure = {.at_most = 0.5}}));
}

TEST(RolloutSpec, EachMistakeIsToldOnceWithItsFieldAndWhatItShouldBe) {
  const char* const kOneOfThree = "must have exactly one of setWeight, pause and analysis";
  const char* const kService =
      "must be the name of a Service: at most 63 lower case letters, digits and -, the first a letter";
  struct Case {
    std::string rollout;
    std::string want;
  };
  const auto canary = [](const std::string& fields) {
    return R"({"strategy":"Canary","canary":{"steps":[{"setWeight":5}],)" + fields + "}}";
  };
  const auto step = [](const std::string& one) {
    return R"({"strategy":"Canary","canary":{"steps":[{"setWeight":5},)" + one + "]}}";
  };
  const auto blue_green = [](const std::string& fields) {
    return R"({"strategy":"BlueGreen","blueGreen":{)" + fields + "}}";
  };
  const auto metric = [](const std::string& one) {
    return R"({"analysis":{"metrics":[{"name":"m",)" + one + "}]}}";
  };
  const std::string in_canary = "spec.rollout.canary", in_step = "spec.rollout.canary.steps[1]",
                    in_blue_green = "spec.rollout.blueGreen", in_metric = "spec.rollout.analysis.metrics[0]";
  const Case cases[] = {
      {R"({"strategy":"Fast","canary":{}})",
       "spec.rollout.strategy: must be Rolling, Canary, BlueGreen or Recreate"},
      {R"({"strategy":"Canary"})", in_canary + ": must be set for strategy Canary"},
      {R"({"strategy":"Canary","canary":[]})", in_canary + ": must be set for strategy Canary"},
      {R"({"canary":{}})", in_canary + ": must not be set for another strategy than Canary"},
      {R"({"strategy":"BlueGreen"})", in_blue_green + ": must be set for strategy BlueGreen"},
      {R"({"strategy":"Recreate","blueGreen":{}})",
       in_blue_green + ": must not be set for another strategy than BlueGreen"},
      {R"({"strategy":"Canary","canary":{}})", in_canary + ".steps: must have 1 to 50 elements"},
      {R"({"strategy":"Canary","canary":{"steps":"fast"}})", in_canary + ".steps: must be a list"},
      {step("{}"), in_step + ": " + kOneOfThree},
      {step("5"), in_step + ": " + kOneOfThree},
      {step(R"({"setWeight":5,"pause":{}})"), in_step + ": " + kOneOfThree},
      {step(R"({"setWeight":101})"), in_step + ".setWeight: must be a whole number from 0 to 100"},
      {step(R"({"pause":60})"), in_step + ".pause: must hold fields of its own, or be {}"},
      {step(R"({"pause":{"durationSeconds":0}})"),
       in_step + ".pause.durationSeconds: must be a whole number from 1 to 604800"},
      {step(R"({"analysis":{}})"),
       in_step + ".analysis: needs spec.rollout.analysis; {} there has the defaults"},
      {canary(R"("stableService":"a")"), in_canary + ": needs both stableService and canaryService, or neither"},
      {canary(R"("canaryService":"a","httpRoute":"r")"),
       in_canary + ": needs both stableService and canaryService, or neither"},
      {canary(R"("stableService":"a","canaryService":"a")"),
       in_canary + ".canaryService: must be another Service than stableService"},
      {canary(R"("stableService":"Web","canaryService":"a")"), in_canary + ".stableService: " + kService},
      {canary(R"("stableService":"a","canaryService":"1a")"), in_canary + ".canaryService: " + kService},
      {canary(R"("stableService":"a","canaryService":"a-")"), in_canary + ".canaryService: " + kService},
      {canary(R"("stableService":"a","canaryService":")" + std::string(64, 'a') + '"'),
       in_canary + ".canaryService: " + kService},
      {canary(R"("httpRoute":"r")"),
       in_canary + ".httpRoute: needs stableService and canaryService, between which it divides the traffic"},
      {canary(R"("stableService":"a","canaryService":"b","httpRoute":"-r")"),
       in_canary + ".httpRoute: must be the name of an HTTPRoute: at most 253 lower case letters, digits, - and ."},
      {blue_green(""), in_blue_green + ".activeService: must name the Service that takes the traffic"},
      {blue_green(R"("activeService":"")"), in_blue_green + ".activeService: " + kService},
      {blue_green(R"("activeService":"a","previewService":"a")"),
       in_blue_green + ".previewService: must be another Service than activeService"},
      {blue_green(R"("activeService":"a","scaleDownDelaySeconds":-1)"),
       in_blue_green + ".scaleDownDelaySeconds: must be a whole number from 0 to 86400"},
      {R"({"analysis":true})", "spec.rollout.analysis: must hold fields of its own, or be {}"},
      {R"({"analysis":{"metrics":[]}})", "spec.rollout.analysis.metrics: must have 1 to 16 elements"},
      {R"({"analysis":{"count":0}})", "spec.rollout.analysis.count: must be a whole number from 1 to 1000"},
      {R"({"analysis":{"metrics":[{"name":"a","type":"Latency"},{"name":"a","type":"Restarts"}]}})",
       "spec.rollout.analysis.metrics[1].name: \"a\" is used twice; names must differ"},
      {metric(R"("type":"Speed")"), in_metric + ".type: must be ErrorRate, Latency, Restarts or Prometheus"},
      {metric(R"("type":"Restarts","latency":{})"), in_metric + ".latency: must not be set for type Restarts"},
      {metric(R"("type":"Restarts","restarts":3)"),
       in_metric + ".restarts: must hold fields of its own, or be {}"},
      {metric(R"("type":"ErrorRate","errorRate":{"maxIncreasePoints":0})"),
       in_metric + ".errorRate.maxIncreasePoints: must be over 0 and at most 100"},
      {metric(R"("type":"Latency","latency":{"maxIncreasePercent":1001})"),
       in_metric + ".latency.maxIncreasePercent: must be over 0 and at most 1000"},
      {metric(R"("type":"Latency","latency":{"quantile":99})"),
       in_metric + ".latency.quantile: must be over 0 and under 1"},
      {metric(R"("type":"Prometheus")"), in_metric + ".prometheus: must be set for type Prometheus"},
      {metric(R"("type":"Prometheus","prometheus":7)"),
       in_metric + ".prometheus: must hold fields of its own, or be {}"},
      {metric(R"("type":"Prometheus","prometheus":{"success":{"atLeast":1}})"),
       in_metric + ".prometheus.query: must be a PromQL query"},
      {metric(R"("type":"Prometheus","prometheus":{"query":"up","success":{}})"),
       in_metric + ".prometheus: needs atLeast or atMost in success or in failure"},
      {metric(R"("type":"Prometheus","prometheus":{"query":"up","failure":{"atLeast":2,"atMost":1}})"),
       in_metric + ".prometheus.failure.atLeast: must not be greater than atMost: no value could ever be within them"},
      {R"({"rollback":"Never"})", "spec.rollout.rollback: must be Automatic or Manual"},
      {R"({"duringBurst":"Stop"})", "spec.rollout.duringBurst: must be Continue or Hold"},
      {R"({"scaleDown":true})", "spec.rollout.scaleDown: must be Hold or Allow"},
      {R"({"paused":"yes"})", "spec.rollout.paused: must be true or false"},
  };
  for (const auto& [rollout, want] : cases) {
    EXPECT_THAT(with_rollout(rollout.c_str()).problems, ElementsAre(want)) << rollout;
  }
}

}  // namespace
}  // namespace scalableapp::api
