#include "operator/scaling/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::percent;
using test::reading;
using test::rules;
using testing::HasSubstr;

TEST(Record, HasTheWholeDecisionInAFixedOrder) {
  api::ScalableApp object;
  object.metadata.namespace_name = "shop";
  object.metadata.name = "web";
  object.metadata.generation = 3;
  object.spec =
      app({test::latency(), test::backlog()}, {rules(0, {percent(50, 15)}), rules(0, {})}, 1, 100);
  const Observation observation = test::observe(
      12, {reading("latency", 0.34, milliseconds{250}), test::missing("backlog", "HTTP 503")});
  const Decision decision = decide(kNow, object.spec, observation, {});
  EXPECT_THAT(
      render_record(kNow, object, observation, {}, decision),
      testing::StartsWith(
      R"({"time":"2027-01-15T08:00:00.000000Z","namespace":"shop","name":"web","generation":3,)"
      R"("from":12,"to":18,"reason":"LimitedByPolicy",)"
      R"("message":"12 -> 18: latency 340ms over 200ms needs 21; )"
      R"(held to 18 by scaleUp policy 50%/15s",)"
      R"("minReplicas":1,"maxReplicas":100,"pods":{"serving":12,"starting":0,"terminating":0},)"
      R"("metrics":[{"name":"latency","type":"Latency","target":"200ms","current":"340ms",)"
      R"("value":0.34,"ageMilliseconds":250,"proposedReplicas":21},)"
      R"({"name":"backlog","type":"QueueLength","target":"20","ageMilliseconds":0,)"
      R"("missing":"HTTP 503"}],)"
      R"("steps":[{"name":"metrics","before":12,"after":21,)"
      R"("detail":"1 of 2 metrics have a value"},)"
      R"({"name":"scaleUpPolicy","before":21,"after":18,"detail":"scaleUp policy 50%/15s"}],)"
      R"("clamps":["scaleUpPolicy"],"input":{"observation":{"currentReplicas":12,)"));
}

TEST(Record, IsJsonWhateverTheServerSaid) {
  api::ScalableApp object;
  object.spec = app({test::latency()});
  const Observation observation =
      test::observe(3, {test::missing("latency", "bad \xff \"byte\"\n")});
  const std::string record =
      render_record(kNow, object, observation, {}, decide(kNow, object.spec, observation, {}));
  EXPECT_FALSE(nlohmann::json::parse(record, nullptr, false).is_discarded()) << record;
}

// Everything that a decision looks at, with numbers that no short text holds.
struct Case {
  api::ScalableApp object;
  Observation observation;
  api::ScalingHistory history;
};
Case everything() {
  Case all;
  all.object.metadata = {.name = "web", .namespace_name = "shop", .generation = 7};
  all.object.spec = app({test::latency(), test::cpu(), test::backlog()}, test::hpa_behavior(), 2, 50);
  all.object.spec.metrics[2].drain_seconds = 30;
  all.object.spec.burst = api::Burst{};
  all.object.spec.prediction = api::Prediction{};
  MetricReading latency = reading("latency", 0.1 + 0.2, milliseconds{731});
  MetricReading cpu{.name = "cpu", .age = milliseconds{12}};
  for (int i = 0; i < 5; ++i) {
    latency.loads[fmt::format("pod-{}", i)] = {100.0 / 3 + i, i == 4 ? 20.0 : 0.0, i == 4 ? 17.0 : 2.0 / 3, 0.25 / 3};
    cpu.per_pod[fmt::format("pod-{}", i)] = 0.07 / 3;
  }
  latency.in_flight = 41;
  latency.arrivals_per_second = 500.0 / 3;
  MetricReading backlog = reading("backlog", 1234);
  backlog.arrivals_per_second = 77.7;
  backlog.completions_per_second = 33.3;
  all.observation = test::observe(5, {latency, cpu, backlog}, 1);
  all.observation.pods[0].created = kNow - seconds{40};
  all.observation.pods[0].ready_since = kNow - milliseconds{29'877};
  all.observation.forecasts = {{"latency", kNow + seconds{30}, 1000.0 / 7, 0.125, "yesterday"}};
  all.observation.schedules = {{"dinner", 4, {}}, {"night", {}, 40}};
  for (int s = 100; s > 0; s -= 2) {
    all.history = decide(kNow - seconds{s}, all.object.spec, all.observation, all.history).history;
  }
  return all;
}

TEST(Record, IsDecidedAgainToTheSameBytes) {
  const Case all = everything();
  const Decision decision = decide(kNow, all.object.spec, all.observation, all.history);
  const std::string record = render_record(kNow, all.object, all.observation, all.history, decision);
  const auto input = parse_record(record);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->now, kNow);
  EXPECT_EQ(input->observation, all.observation);
  EXPECT_EQ(input->history, all.history);
  EXPECT_EQ(input->name, "web");
  const Decision again = decide(input->now, all.object.spec, input->observation, input->history);
  EXPECT_EQ(again, decision);
  EXPECT_EQ(render_record(input->now, all.object, input->observation, input->history, again), record);
}

TEST(Record, OfACaseWrittenByHandNeedsOnlyATimeAndAnInput) {
  const auto input = parse_record(
      R"({"time":"2027-01-15T08:00:00Z","input":{"observation":{"currentReplicas":3,"readings":[{"name":"needed","value":9}]}}})");
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->now, kNow);
  EXPECT_EQ(decide(input->now, app({test::needed()}), input->observation, input->history).replicas, 9);
}

TEST(Record, NamesTheMemberThatIsWrong) {
  const auto error = [](const char* text) {
    const auto input = parse_record(text);
    return input ? std::string("none") : input.error().message;
  };
  EXPECT_THAT(error("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(R"({"input":{"observation":{}}})"), HasSubstr("time must be"));
  EXPECT_THAT(error(R"({"time":"yesterday"})"), HasSubstr("time must be a time such as"));
  EXPECT_THAT(error(R"({"time":"2027-01-15T08:00:00Z"})"), HasSubstr("input must be an object"));
  EXPECT_THAT(error(R"({"time":"2027-01-15T08:00:00Z","input":{"observation":{"currentReplicas":"3"}}})"),
              HasSubstr("currentReplicas must be a whole number"));
}

}  // namespace
}  // namespace scalableapp::scaling
