#include "operator/scaling/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
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

std::string error_of(const std::string& input) {
  const auto read = parse_record(R"({"time":"2027-01-15T08:00:00Z","input":)" + input + "}");
  return read ? "" : read.error().message;
}

TEST(Record, MembersThatNobodyReadsAreRefusedByTheirPath) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"observation":{},"obs":1})", "input.obs"},
      {R"({"observation":{"currentReplica":3}})", "input.observation.currentReplica"},
      {R"({"observation":{"readings":[{"name":"a","lateny":1}]}})", "input.observation.readings[0].lateny"},
      {R"({"observation":{"pods":[{"name":"a"},{"ready":true}]}})", "input.observation.pods[1].ready"},
      {R"({"observation":{"readings":[{"loadByPod":{"a":{"rps":1}}}]}})",
       "input.observation.readings[0].loadByPod.a.rps"},
      {R"({"observation":{"forecasts":[{"when":1}]}})", "input.observation.forecasts[0].when"},
      {R"({"observation":{"schedules":[{"min":1}]}})", "input.observation.schedules[0].min"},
      {R"({"observation":{},"history":{"events":[]}})", "input.history.events"},
      {R"({"observation":{},"history":{"metrics":[{"rate":1}]}})", "input.history.metrics[0].rate"},
      {R"({"observation":{},"history":{"recommendations":[{"to":1}]}})", "input.history.recommendations[0].to"},
      {R"({"observation":{},"history":{"scaleEvents":[{"at":1}]}})", "input.history.scaleEvents[0].at"},
      {R"({"observation":{}},"tiem":1)", "tiem"},
  };
  for (const auto& [input, path] : cases) {
    EXPECT_EQ(error_of(input), std::string("record: ") + path + ": unknown member") << input;
  }
}

TEST(Record, NumbersThatCannotBeAreRefused) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"currentReplicas":-1})", "currentReplicas must be a whole number from 0 to 1000000"},
      {R"({"currentReplicas":1000001})", "currentReplicas must be a whole number from 0 to 1000000"},
      {R"({"currentReplicas":18446744073709551615})", "currentReplicas must be a whole number from"},
      {R"({"currentReplicas":1.5})", "currentReplicas must be a whole number from"},
      {R"({"schedules":[{"minReplicas":-1}]})", "schedules[0].minReplicas must be a whole number from"},
      {R"({"readings":[{"ageMilliseconds":-1}]})", "readings[0].ageMilliseconds must be a number from 0 to"},
      {R"({"readings":[{"ageMilliseconds":1e300}]})", "readings[0].ageMilliseconds must be a number from 0 to"},
      {R"({"readings":[{"arrivalsPerSecond":-1}]})", "readings[0].arrivalsPerSecond must be a number from 0 on"},
      {R"({"readings":[{"inFlight":-1}]})", "readings[0].inFlight must be a number from 0 on"},
      {R"({"readings":[{"loadByPod":{"a":{"concurrency":-1}}}]})",
       "readings[0].loadByPod.a.concurrency must be a number from 0 on"},
      {R"({"readings":[{"coresByPod":{"a":"1"}}]})", "readings[0].coresByPod.a must be a number"},
      {R"({"readings":[{"coresByPod":{"a":null}}]})", "readings[0].coresByPod.a must be a number"},
      {R"({"readings":[{"coresByPod":3}]})", "readings[0].coresByPod must be an object"},
      {R"({"readings":[{"value":"many"}]})", "readings[0].value must be a number or one of nan, inf and -inf"},
      {R"({"pods":[{"cpuRequestCores":-0.1}]})", "pods[0].cpuRequestCores must be a number from 0 on"},
      {R"({"pods":[3]})", "pods[0] must be an object"},
      {R"({"pods":{}})", "pods must be a list"},
  };
  for (const auto& [observation, message] : cases) {
    EXPECT_THAT(error_of(fmt::format(R"({{"observation":{}}})", observation)),
                testing::StartsWith(std::string("record: input.observation.") + message))
        << observation;
  }
  EXPECT_EQ(error_of(R"({"observation":{},"history":{"recommendations":[{"replicas":3000000000}]}})"),
            "record: input.history.recommendations[0].replicas must be a whole number from 0 to 1000000");
  EXPECT_EQ(error_of(R"({"observation":{},"history":3})"), "record: input.history must be an object");
}

TEST(Record, IsReadWhateverTheHistoryAndTheReadingsHold) {
  api::ScalingHistory history{.burst_over = kNow, .idle_since = kNow, .warm_up_seconds = 7.5, .warm_up_seen = kNow};
  history.recommendations = {{.replicas = 3, .from = kNow - seconds{5}, .until = kNow}};
  history.brownout = {.level = 1, .since = kNow, .reason = "AtMaxReplicas", .why = "full", .missed_since = kNow,
                      .room_since = kNow, .lowered_at = kNow, .relapses = 2};
  history.expected_load = {.asked = "much", .replicas = 1, .needed = 2};
  history.scale_events = {{.change = -2, .time = kNow}};
  history.metrics = {{.name = "m", .missing_since = kNow, .fallback_ended = kNow, .learned_until = kNow,
                      .service_seconds = 0.1, .quantile_seconds = 0.2, .servers = 3, .proven_rate = 4,
                      .over_since = kNow, .servers_before = 5, .proven_rate_before = 6, .trial_since = kNow,
                      .trial_seconds = 7, .trial_rate = 8, .trial_replicas = 9, .not_capacity_bound = true,
                      .load_per_second = 10, .recent_load_per_second = 11, .jobs_per_second = 12}};
  Observation observation = test::observe(3, {reading("a", HUGE_VAL), reading("b", -HUGE_VAL), reading("c", -5)});
  observation.readings[2].per_pod["x"] = -0.5;
  observation.readings[2].completions_per_second = -1;
  observation.rollout_in_flight = true;
  observation.pods_refused_since = kNow;
  observation.expected_load = "300% until 2027-01-15T09:00:00Z";
  api::ScalableApp object;
  object.metadata.name = "web";
  object.spec = app({test::latency()});
  object.spec.brownout = api::Brownout{};
  object.spec.paused = object.spec.dry_run = true;
  Decision decision = decide(kNow, object.spec, observation, history);
  decision.outliers = {{.pod = "x", .why = "slow", .eject = true}};
  const auto input = parse_record(render_record(kNow, object, observation, history, decision));
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->history, history);
  EXPECT_EQ(input->observation, observation);
}

}  // namespace
}  // namespace scalableapp::scaling
