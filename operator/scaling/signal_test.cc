// "Algorithm details" of the HPA documentation, as far as one metric is concerned. Each row of the
// tables is one documented rule with figures.
#include "operator/scaling/signal.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using testing::HasSubstr;

Signal evaluate_only(const api::ScalableAppSpec& spec, const Observation& observation) {
  api::MetricMemory memory;
  return evaluate(kNow, spec, spec.metrics[0],
                  observation.readings.empty() ? nullptr : &observation.readings[0], observation, {}, 0,
                  memory);
}

struct CpuRow {
  const char* name;
  std::vector<double> utilization;  // Of the request, one for each serving pod; NaN: no sample.
  int starting;                     // Pods that do not serve yet.
  int current;                      // 0: as many as there are pods.
  double target;
  int want;
  const char* why;
};
void PrintTo(const CpuRow& row, std::ostream* out) { *out << row.name << ": " << row.why; }

constexpr double kNoSample = test::kNan;
const CpuRow kCpuRows[] = {
    {"Twice the target doubles", {1.2, 1.2, 1.2}, 0, 0, 0.6, 6, "ceil(3 * 2.0)"},
    {"Half the target halves", {0.3, 0.3, 0.3, 0.3}, 0, 0, 0.6, 2, "ceil(4 * 0.5)"},
    {"A fraction of a pod is a pod", {0.9, 0.9, 0.9}, 0, 0, 0.6, 5, "ceil(3 * 1.5) = ceil(4.5)"},
    {"Binary noise costs no pod",
     {2.1, 2.1, 2.1},
     0,
     0,
     0.7,
     9,
     "2.1 / 0.7 is a hair over 3 in binary"},
    {"Pods are averaged", {0.2, 1.0}, 0, 0, 0.6, 2, "mean 0.6 is the target"},
    {"The upper edge of the tolerance stays", {0.66, 0.66, 0.66, 0.66}, 0, 0, 0.6, 4, "ratio 1.1"},
    {"Just over the tolerance scales up", {0.67, 0.67, 0.67, 0.67}, 0, 0, 0.6, 5, "ratio 1.117"},
    {"The lower edge of the tolerance stays", {0.54, 0.54, 0.54, 0.54}, 0, 0, 0.6, 4, "ratio 0.9"},
    {"Just under the tolerance scales down",
     {0.4, 0.4, 0.4, 0.4},
     0,
     0,
     0.6,
     3,
     "ratio 0.667: ceil(2.67)"},
    {"An app at rest keeps one pod", {0, 0, 0}, 0, 0, 0.6, 1, "no pod, no ratio to come back by"},
    {"A missing pod counts as the target on the way down",
     {0.2, 0.2, 0.2, kNoSample},
     0,
     0,
     0.6,
     2,
     "(3 * 0.2 + 0.6) / 4 = 0.3: ceil(4 * 0.5), not ceil(3 * 0.33)"},
    {"A missing pod counts as nothing on the way up",
     {1.2, 1.2, kNoSample},
     0,
     0,
     0.6,
     4,
     "2.4 / 3 = 0.8: ceil(3 * 1.33)"},
    {"Missing pods may bring an excess into the tolerance",
     {0.9, 0.9, kNoSample},
     0,
     0,
     0.6,
     3,
     "1.8 / 3 = 0.6 is the target"},
    {"Missing pods never turn up into down",
     {0.9, kNoSample, kNoSample},
     0,
     0,
     0.6,
     3,
     "0.9 / 3 = 0.3 would be down"},
    {"Missing pods may bring a lack into the tolerance",
     {0.4, kNoSample, kNoSample, kNoSample, kNoSample},
     0,
     0,
     0.6,
     5,
     "(0.4 + 4 * 0.6) / 5 = 0.56"},
    {"A missing pod within the tolerance changes nothing",
     {0.6, 0.6, kNoSample},
     0,
     0,
     0.6,
     3,
     "the pods that are known are on target"},
    {"A target over the request is what missing pods count as",
     {0.5, 0.5, kNoSample},
     0,
     0,
     1.5,
     2,
     "(1.0 + 1.5) / 3 / 1.5 = 0.56: ceil(1.67)"},
    {"Starting pods count as nothing on the way up",
     {1.2, 1.2},
     2,
     0,
     0.6,
     4,
     "2.4 / 4 is the target: what was added is on its way"},
    {"Starting pods never turn up into down", {0.9, 0.9}, 4, 0, 0.6, 6, "1.8 / 6 = 0.3"},
    {"Starting pods dampen but do not stop a scale up",
     {3.0, 3.0},
     2,
     0,
     0.6,
     10,
     "6.0 / 4 = 1.5: ceil(4 * 2.5)"},
    {"Starting pods are set aside on the way down",
     {0.3, 0.3, 0.3, 0.3},
     2,
     0,
     0.6,
     2,
     "ceil(4 * 0.5)"},
    {"Starting and missing pods add up on the way up",
     {2.4, 2.4, kNoSample},
     1,
     0,
     0.6,
     8,
     "4.8 / 4 = 1.2: ceil(4 * 2.0)"},
    {"More pods than asked for do not turn down into up",
     {0.48, 0.48, 0.48, 0.48, 0.48, 0.48},
     0,
     3,
     0.6,
     3,
     "ceil(6 * 0.8) = 5 > 3: the surge of a rollout is not demand (kubernetes#72775)"},
    {"Fewer pods than asked for do not turn up into down",
     {0.9, 0.9, 0.9, 0.9},
     0,
     10,
     0.6,
     10,
     "ceil(4 * 1.5) = 6 < 10: the rest is on its way"},
    {"The base is the pods that were averaged",
     {1.2, 1.2, 1.2},
     0,
     10,
     0.6,
     10,
     "3 * 2 = 6, not 10 * 2 (kubernetes#90461)"},
};

class CpuTable : public testing::TestWithParam<CpuRow> {};
INSTANTIATE_TEST_SUITE_P(Hpa, CpuTable, testing::ValuesIn(kCpuRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(CpuTable, ProposesWhatIsDocumented) {
  const CpuRow& row = GetParam();
  MetricReading reading;
  reading.name = "cpu";
  for (std::size_t i = 0; i < row.utilization.size(); ++i) {
    if (std::isnan(row.utilization[i])) continue;
    reading.per_pod[fmt::format("pod-{}", i)] = row.utilization[i] * 0.1;
  }
  Observation observation =
      test::observe(static_cast<int>(row.utilization.size()), {reading}, row.starting);
  if (row.current > 0) observation.current_replicas = row.current;
  EXPECT_EQ(evaluate_only(app({test::cpu(row.target)}), observation).proposal, row.want) << row.why;
}

struct ValueRow {
  const char* name;
  api::MetricSpec metric;
  double value;
  int serving;
  int current;
  int want;
  const char* why;
};
void PrintTo(const ValueRow& row, std::ostream* out) { *out << row.name << ": " << row.why; }

const ValueRow kValueRows[] = {
    {"A value of twice the target doubles", test::latency(), 0.4, 3, 3, 6, "ceil(3 * 2)"},
    {"A value over the target rounds up", test::latency(), 0.34, 3, 3, 6,
     "ceil(3 * 1.7) = ceil(5.1)"},
    {"A value of half the target halves", test::latency(), 0.1, 4, 4, 2, "ceil(4 * 0.5)"},
    {"A value at the upper edge stays", test::latency(), 0.22, 10, 10, 10, "ratio 1.1"},
    {"A value just over the edge scales", test::latency(), 0.2202, 10, 10, 12, "ceil(11.01)"},
    {"A value at the lower edge stays", test::latency(), 0.18, 10, 10, 10, "ratio 0.9"},
    {"A value is multiplied by the pods that serve", test::latency(), 0.6, 3, 6, 9,
     "three pods are three times too slow: the other three do not serve yet"},
    {"Pods on their way are not asked for again", test::latency(), 0.34, 3, 6, 6,
     "ceil(3 * 1.7) = 6 are already asked for"},
    {"A value never scales against its direction up", test::latency(), 0.3, 3, 9, 9,
     "ceil(4.5) = 5 < 9"},
    {"A value never scales against its direction down", test::latency(), 0.16, 6, 3, 3,
     "ceil(6 * 0.8) = 5 > 3"},
    {"A value of zero keeps one pod", test::latency(), 0, 3, 3, 1,
     "no pod, no ratio to come back by"},
    {"A value scales from zero by its ratio", test::metric("m", api::MetricType::kPrometheus, 200),
     500, 0, 0, 3, "ceil(2.5)"},
    {"A total is shared by the target", test::backlog(), 120, 3, 3, 6, "ceil(120 / 20)"},
    {"A total rounds up", test::backlog(), 121, 3, 3, 7, "ceil(6.05)"},
    {"A total within the tolerance stays", test::backlog(), 130, 6, 6, 6, "130 / (20 * 6) = 1.083"},
    {"A total over the tolerance scales", test::backlog(), 133, 6, 6, 7, "1.108: ceil(6.65)"},
    {"A total under the tolerance may still need all", test::backlog(), 107, 6, 6, 6,
     "0.892: ceil(5.35)"},
    {"A total under the tolerance scales down", test::backlog(), 100, 6, 6, 5, "0.833: ceil(5)"},
    {"A total does not ask who serves", test::backlog(), 100, 0, 2, 5, "ceil(100 / 20)"},
    {"A total of zero asks for nothing", test::backlog(), 0, 3, 3, 0, "the minimum decides"},
    {"A total scales from zero", test::backlog(), 50, 0, 0, 3, "ceil(2.5)"},
    {"A single job asks for one", test::backlog(), 1, 0, 0, 1, "ceil(0.05)"},
    {"An absurd total is a large number", test::backlog(), 1e300, 3, 3, 1'000'000, "no overflow"},
};

class ValueTable : public testing::TestWithParam<ValueRow> {};
INSTANTIATE_TEST_SUITE_P(Hpa, ValueTable, testing::ValuesIn(kValueRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(ValueTable, ProposesWhatIsDocumented) {
  const ValueRow& row = GetParam();
  Observation observation = test::observe(row.serving, {test::reading(row.metric.name, row.value)});
  observation.current_replicas = row.current;
  EXPECT_EQ(evaluate_only(app({row.metric}), observation).proposal, row.want) << row.why;
}

TEST(Signal, ToleranceIsOfEachDirection) {
  auto spec = app({test::latency()});
  spec.behavior.scale_up.tolerance = 0;
  spec.behavior.scale_down.tolerance = 0.3;
  const auto proposal = [&](double value) {
    return evaluate_only(spec, test::observe(50, {test::reading("latency", value)})).proposal;
  };
  EXPECT_EQ(proposal(0.204), 51) << "ratio 1.02";
  EXPECT_EQ(proposal(0.2), 50);
  EXPECT_EQ(proposal(0.15), 50) << "ratio 0.75";
  EXPECT_EQ(proposal(0.13), 33) << "ratio 0.65";
}

TEST(Signal, TerminatingAndFinishedPodsAreDiscarded) {
  MetricReading cpu;
  cpu.name = "cpu";
  cpu.per_pod = {{"pod-0", 0.12}, {"pod-1", 0.12}, {"pod-2", 0.0}, {"pod-3", 0.0}};
  Observation observation = test::observe(4, {cpu});
  observation.current_replicas = 2;
  observation.pods[2].terminating = true;
  observation.pods[3].finished = true;
  EXPECT_EQ(evaluate_only(app({test::cpu()}), observation).proposal, 4);
}

TEST(Signal, UtilizationIsOfTheSumOfRequests) {
  MetricReading cpu;
  cpu.name = "cpu";
  cpu.per_pod = {{"pod-0", 0.9}, {"pod-1", 0.0}};
  Observation observation = test::observe(2, {cpu});
  observation.pods[0].cpu_request_cores = 0.9;
  observation.pods[1].cpu_request_cores = 0.1;
  const Signal signal = evaluate_only(app({test::cpu()}), observation);
  EXPECT_DOUBLE_EQ(*signal.value, 0.9);
  EXPECT_EQ(signal.proposal, 3) << "ceil(2 * 1.5)";
}

TEST(Signal, StartUpWorkIsNoLoad) {
  MetricReading cpu;
  cpu.name = "cpu";
  cpu.age = seconds{1};
  cpu.per_pod = {{"pod-0", 0.06}, {"pod-1", 1.0}};
  Observation observation = test::observe(2, {cpu});
  observation.pods[1].started_at = kNow - seconds{20};
  observation.pods[1].ready_since = kNow - seconds{10};
  const auto spec = app({test::cpu()});
  EXPECT_EQ(evaluate_only(spec, observation).proposal, 2) << "the window began 11 s ago";

  observation.pods[1].ready_since = kNow - seconds{11};
  EXPECT_EQ(evaluate_only(spec, observation).proposal, 18) << "(0.06 + 1.0) / 0.2 / 0.6 * 2";

  observation.pods[1].started_at = kNow - seconds{400};
  observation.pods[1].ready_since = kNow - seconds{2};
  EXPECT_EQ(evaluate_only(spec, observation).proposal, 18)
      << "long past its start: not ready was load";
}

TEST(Signal, PodsWithoutARequestHaveNoUtilization) {
  MetricReading cpu;
  cpu.name = "cpu";
  cpu.per_pod = {{"pod-0", 0.1}};
  Observation observation = test::observe(1, {cpu});
  observation.pods[0].cpu_request_cores = 0;
  const Signal signal = evaluate_only(app({test::cpu()}), observation);
  EXPECT_FALSE(signal.proposal);
  EXPECT_THAT(signal.missing, HasSubstr("set resources.requests.cpu"));
}

TEST(Signal, WhatIsNoNumberIsMissingAndNeverZero) {
  const auto spec = app({test::latency()});
  const auto why = [&](const MetricReading& reading) {
    const Signal signal = evaluate_only(spec, test::observe(3, {reading}));
    EXPECT_FALSE(signal.proposal);
    EXPECT_FALSE(signal.waiting);
    return signal.missing;
  };
  EXPECT_EQ(why(test::reading("latency", test::kNan)), "the value is nan");
  EXPECT_EQ(why(test::reading("latency", HUGE_VAL)), "the value is inf");
  EXPECT_EQ(why(test::reading("latency", -1)), "the value is negative: -1");
  EXPECT_EQ(why(test::missing("latency", "Prometheus: HTTP 503")), "Prometheus: HTTP 503");
  EXPECT_EQ(why(test::reading("latency", 0.1, milliseconds{15'001})), "stale: 15s old, over 15s");
  EXPECT_EQ(why(MetricReading{.name = "latency"}), "no value yet");
  EXPECT_EQ(evaluate_only(spec, test::observe(3, {})).missing, "no reading yet");
  EXPECT_EQ(
      evaluate_only(app({test::cpu()}), test::observe(3, {MetricReading{.name = "cpu"}})).missing,
      "no value yet");
  MetricReading others{.name = "cpu"};
  others.per_pod["pod-of-another-revision"] = 0.1;
  EXPECT_EQ(evaluate_only(app({test::cpu()}), test::observe(3, {others})).missing,
            "no sample of any serving pod");
}

TEST(Signal, AValueOutlivesFailedQueriesUntilItIsStale) {
  const auto spec = app({test::latency()});
  MetricReading reading = test::reading("latency", 0.4, seconds{15});
  reading.missing = "no connection";
  EXPECT_EQ(evaluate_only(spec, test::observe(3, {reading})).proposal, 6);
  reading.age = seconds{16};
  EXPECT_EQ(evaluate_only(spec, test::observe(3, {reading})).missing,
            "stale: 16s old, over 15s; no connection");
}

TEST(Signal, AReadingIsStaleAfterThreeRoundsOrAWindow) {
  EXPECT_EQ(stale_after(test::latency(), 2), seconds{15}) << "window 10 s + 5 s";
  EXPECT_EQ(stale_after(test::latency(), 30), seconds{90});
  const auto spec = app({test::latency()});
  EXPECT_TRUE(
      evaluate_only(spec, test::observe(3, {test::reading("latency", 0.1, seconds{15})})).proposal);
}

TEST(Signal, NoTrafficProposesTheMinimum) {
  auto spec = app({test::latency()});
  spec.min_replicas = 2;
  const Signal signal = evaluate_only(spec, test::observe(6, {test::idle("latency")}));
  EXPECT_TRUE(signal.idle);
  EXPECT_EQ(signal.proposal, 2);
  spec.min_replicas = 0;
  EXPECT_EQ(evaluate_only(spec, test::observe(6, {test::idle("latency")})).proposal, 1)
      << "no pod would ever see traffic again";
  MetricReading stale = test::idle("latency");
  stale.age = seconds{60};
  EXPECT_FALSE(evaluate_only(spec, test::observe(6, {stale})).proposal);
}

TEST(Signal, WithoutServingPodsRatiosWait) {
  for (const auto& metric : {test::latency(), test::cpu()}) {
    const Signal signal =
        evaluate_only(app({metric}), test::observe(0, {test::idle(metric.name)}, 3));
    EXPECT_TRUE(signal.waiting);
    EXPECT_FALSE(signal.proposal);
    EXPECT_EQ(signal.missing, "no pod serves yet") << "no traffic is no news while nobody serves";
  }
}

}  // namespace
}  // namespace scalableapp::scaling
