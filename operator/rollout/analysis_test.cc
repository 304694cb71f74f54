#include "operator/rollout/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace scalableapp::rollout {
namespace {

using api::AnalysisMetricType;
using api::Verdict;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const WallTime kStart{seconds{1'000'000}};

api::AnalysisMetric metric(AnalysisMetricType type) {
  return {.name = "m", .type = type, .max_increase = type == AnalysisMetricType::kLatency ? 25.0 : 1.0};
}

// An analysis of one metric and what it is told, interval by interval.
struct Rollout {
  explicit Rollout(const api::AnalysisMetric& one) : analysis{.metrics = {one}} {}
  Rollout& see(Measurement measurement) {
    now += seconds{analysis.interval_seconds};
    measurement.at = now;
    status = measure(analysis, measurement, status);
    return *this;
  }
  const api::AnalysisMetricStatus& seen() const { return status.metrics.at(0); }
  Outcome told() const { return outcome(analysis, status); }

  api::Analysis analysis;
  api::AnalysisStatus status;
  WallTime now = kStart;
};

const std::vector<double> kBounds{0.1, 0.25, 0.5, 1};
Measurement requests(double updated, double updated_errors, double stable, double stable_errors) {
  return {.bounds = kBounds,
          .updated = {.requests = updated, .errors = updated_errors, .buckets = {updated, 0, 0, 0, 0}},
          .stable = {.requests = stable, .errors = stable_errors, .buckets = {stable, 0, 0, 0, 0}}};
}
Measurement durations(std::vector<double> updated, std::vector<double> stable) {
  const auto evidence = [](std::vector<double> buckets) {
    api::RevisionEvidence out;
    for (const double bucket : buckets) out.requests += bucket;
    out.buckets = std::move(buckets);
    return out;
  };
  return {.bounds = kBounds, .updated = evidence(std::move(updated)), .stable = evidence(std::move(stable))};
}

TEST(Analysis, MeasuresAtOnceAndThenEveryInterval) {
  Rollout rollout(metric(AnalysisMetricType::kRestarts));
  EXPECT_EQ(next_measurement(rollout.analysis, rollout.status, kStart), kStart);
  rollout.see({});
  EXPECT_EQ(next_measurement(rollout.analysis, rollout.status, kStart), rollout.now + seconds{10});
}

TEST(Analysis, TakesAnAnswerOnceOnlyHoweverOftenItIsShown) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  Measurement one = requests(50, 0, 50, 0);
  one.at = kStart;
  rollout.status = measure(rollout.analysis, one, rollout.status);
  const api::AnalysisStatus once = rollout.status;
  for (const milliseconds later : {milliseconds{0}, milliseconds{8999}}) {
    one.at = kStart + later;
    EXPECT_EQ(measure(rollout.analysis, one, once), once);
  }
  one.at = kStart + seconds{9};
  EXPECT_EQ(measure(rollout.analysis, one, once).updated.requests, 100);
}

TEST(Analysis, JudgesNoErrorsOfTooFewRequests) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  rollout.see(requests(12, 12, 1000, 0));
  EXPECT_EQ(rollout.seen().value, "12 of 100 requests");
  EXPECT_EQ(rollout.seen().last, Verdict::kNone);
  EXPECT_EQ(rollout.seen().measurements, 0);
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  EXPECT_EQ(rollout.told().message, "m is good in 0 of 3 measurements: 12 of 100 requests");
  rollout.see(requests(88, 0, 1000, 0));
  EXPECT_EQ(rollout.seen().last, Verdict::kFailed) << "those it had before count";
}

TEST(Analysis, OfFivePercentErrorsWhereTheStableRevisionHasFewFails) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  rollout.see(requests(213, 11, 840, 1));
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
  EXPECT_EQ(rollout.told().message,
            "m: 5.16% of 213 requests, stable 0.119% of 840; should be less than 1 percentage points above stable");
  EXPECT_EQ(rollout.status.message, rollout.told().message);
}

TEST(Analysis, OfErrorsThatBothRevisionsHaveSucceeds) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 3; ++i) rollout.see(requests(200, 40, 800, 160));
  EXPECT_EQ(rollout.told().verdict, Verdict::kSuccessful);
}

TEST(Analysis, TakesADifferenceThatIsCertainButSmallForNone) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 3; ++i) rollout.see(requests(5000, 45, 5000, 0));
  EXPECT_EQ(rollout.seen().successful, 3) << "0.9 points";
}

TEST(Analysis, WaitsForMoreRequestsWhereADifferenceMayBeChance) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  rollout.see(requests(100, 2, 100, 0));
  EXPECT_EQ(rollout.seen().value, "2% of 100 requests, stable 0% of 100 (may be chance)");
  EXPECT_EQ(rollout.seen().last, Verdict::kNone);
  EXPECT_EQ(rollout.seen().measurements, 1) << "it was looked at";
  for (int i = 0; i < 3; ++i) rollout.see(requests(200, 0, 200, 0));
  EXPECT_EQ(rollout.told().verdict, Verdict::kSuccessful) << "it was";
}

TEST(Analysis, DoesNotWaitForEver) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  rollout.see(requests(10'000, 2100, 110, 22 - 3));
  EXPECT_EQ(rollout.seen().last, Verdict::kSuccessful) << rollout.seen().value;
  EXPECT_THAT(rollout.seen().value, HasSubstr("(may be chance)"));
}

TEST(Analysis, JudgesNothingAnewWithoutNewRequests) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  rollout.see(requests(200, 0, 200, 0)).see(requests(0, 0, 200, 0));
  EXPECT_EQ(rollout.seen().successful, 1);
  EXPECT_EQ(rollout.seen().value, "no new requests");
  EXPECT_EQ(rollout.seen().last, Verdict::kSuccessful);
}

TEST(Analysis, ComparesWithWhatTheStableRevisionDidBeforeTheSwitch) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 5; ++i) rollout.see(requests(0, 0, 300, 0));
  EXPECT_EQ(rollout.seen().measurements, 0);
  rollout.see(requests(300, 15, 0, 0));
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
}

TEST(Analysis, IsHarderToAlarmWithEachLook) {
  Rollout first(metric(AnalysisMetricType::kErrorRate)), late(metric(AnalysisMetricType::kErrorRate));
  late.status.metrics = {{.name = "m", .measurements = 20}};
  const Measurement likely_bad = requests(200, 8, 200, 0);  // p = 0.0036.
  EXPECT_EQ(first.see(likely_bad).told().verdict, Verdict::kFailed);
  EXPECT_EQ(late.see(likely_bad).told().verdict, Verdict::kNone);
}

TEST(Analysis, OfTwiceTheResponseTimeFailsTheSecondTimeInARow) {
  Rollout rollout(metric(AnalysisMetricType::kLatency));
  const Measurement slow = durations({100, 80, 20, 0, 0}, {170, 30, 0, 0, 0});
  rollout.see(slow);
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  EXPECT_EQ(rollout.seen().value, "p99 475ms of 200 requests, stable 240ms of 200 (once more, to be sure)");
  rollout.see(slow);
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
  EXPECT_EQ(rollout.seen().value, "p99 475ms of 400 requests, stable 240ms of 400");
  EXPECT_THAT(rollout.told().message, HasSubstr("should be at most 25% above stable"));
}

TEST(Analysis, SlowRequestsOfOneIntervalAreChance) {
  Rollout rollout(metric(AnalysisMetricType::kLatency));
  rollout.see(durations({100, 80, 20, 0, 0}, {170, 30, 0, 0, 0}));
  rollout.see(durations({170, 30, 0, 0, 0}, {170, 30, 0, 0, 0}));
  EXPECT_THAT(rollout.seen().value, HasSubstr("(not in the last interval)"));
  rollout.see(durations({100, 80, 20, 0, 0}, {170, 30, 0, 0, 0}));
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
}

TEST(Analysis, NoLatencyIsJudgedWhileTheAppHasTooFewPods) {
  Rollout rollout(metric(AnalysisMetricType::kLatency));
  Measurement slow = durations({100, 80, 20, 0, 0}, {170, 30, 0, 0, 0});
  slow.is_short_of_pods = true;
  rollout.see(slow).see(slow).see(slow);
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  EXPECT_EQ(rollout.seen().measurements, 0);
  EXPECT_EQ(rollout.status.updated.requests, 600) << "what was counted is kept";
}

TEST(Analysis, AnAppIsShortOfPodsForTwoIntervalsAfterItHasScaledUp) {
  const api::Analysis analysis{.interval_seconds = 10};
  EXPECT_TRUE(is_short_of_pods(kStart, analysis, {}, 1));
  EXPECT_FALSE(is_short_of_pods(kStart, analysis, {}, 0));
  const api::ScalingHistory up{.scale_events = {{.change = 3, .time = kStart}}};
  EXPECT_TRUE(is_short_of_pods(kStart + seconds{19}, analysis, up, 0));
  EXPECT_FALSE(is_short_of_pods(kStart + seconds{20}, analysis, up, 0));
  EXPECT_FALSE(is_short_of_pods(kStart, analysis, {.scale_events = {{.change = -3, .time = kStart}}}, 0));
  EXPECT_TRUE(is_short_of_pods(kStart + seconds{5}, analysis, {.burst_over = kStart}, 0));
}

TEST(Analysis, OfASmallerIncreaseThanMattersSucceeds) {
  api::AnalysisMetric lenient = metric(AnalysisMetricType::kLatency);
  lenient.max_increase = 100;
  Rollout rollout(lenient);
  rollout.see(durations({100, 80, 20, 0, 0}, {170, 30, 0, 0, 0}));
  EXPECT_EQ(rollout.seen().last, Verdict::kSuccessful);
}

TEST(Analysis, TellsWhatItCanWhereBothQuantilesAreInOneBucket) {
  Rollout rollout(metric(AnalysisMetricType::kLatency));
  rollout.see(durations({995, 5, 0, 0, 0}, {1000, 0, 0, 0, 0}));
  EXPECT_EQ(rollout.seen().last, Verdict::kSuccessful);

  Rollout slower(metric(AnalysisMetricType::kLatency));
  for (int i = 0; i < 2; ++i) slower.see(durations({700, 300, 0, 0, 0}, {1000, 0, 0, 0, 0}));
  EXPECT_EQ(slower.told().verdict, Verdict::kFailed) << "by the bound before them";

  Rollout unclear(metric(AnalysisMetricType::kLatency));
  unclear.see(durations({97, 3, 0, 0, 0}, {985, 15, 0, 0, 0}));
  EXPECT_THAT(unclear.seen().value, HasSubstr("(may be chance: the histogram has no bound between 100ms and 250ms)"));
}

TEST(Analysis, ComparesWhatIsBeyondTheLastBoundByItsShare) {
  Rollout rollout(metric(AnalysisMetricType::kLatency));
  for (int i = 0; i < 2; ++i) rollout.see(durations({0, 0, 0, 900, 100}, {0, 0, 0, 980, 20}));
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
  EXPECT_EQ(rollout.seen().value, "10% of 2000 requests over 1s, the histogram's last bound, stable 2% of 2000");

  Rollout out_of_sight(metric(AnalysisMetricType::kLatency));
  for (int i = 0; i < 2; ++i) out_of_sight.see(durations({0, 0, 0, 900, 100}, {0, 0, 0, 1000, 0}));
  EXPECT_EQ(out_of_sight.told().verdict, Verdict::kFailed);
  EXPECT_THAT(out_of_sight.seen().value, HasSubstr("p99 over 1s of 2000 requests, stable 995ms"));
}

TEST(Analysis, CountsRestarts) {
  api::AnalysisMetric restarts = metric(AnalysisMetricType::kRestarts);
  restarts.max_restarts = 1;
  Rollout rollout(restarts);
  EXPECT_EQ(rollout.see({.restarts = 1}).seen().last, Verdict::kSuccessful);
  EXPECT_EQ(rollout.see({.restarts = 2}).told().message, "m: 2 restarts; should be at most 1");
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
}

struct RangeCase {
  api::Range success, failure;
  double value;
  Verdict verdict;
};
TEST(Analysis, JudgesAPrometheusValueByItsRanges) {
  const api::Range high{.at_least = 0.99}, low{.at_most = 0.95};
  for (const RangeCase& c : {RangeCase{high, {}, 0.995, Verdict::kSuccessful},
                             RangeCase{high, {}, 0.5, Verdict::kFailed},
                             RangeCase{{}, low, 0.97, Verdict::kSuccessful},
                             RangeCase{{}, low, 0.95, Verdict::kFailed},
                             RangeCase{high, low, 0.995, Verdict::kSuccessful},
                             RangeCase{high, low, 0.97, Verdict::kInconclusive},
                             RangeCase{high, low, 0.9, Verdict::kFailed}}) {
    api::AnalysisMetric own = metric(AnalysisMetricType::kPrometheus);
    own.success = c.success;
    own.failure = c.failure;
    Rollout rollout(own);
    EXPECT_EQ(rollout.see({.values = {{"m", c.value}}}).seen().last, c.verdict) << c.value;
    EXPECT_EQ(rollout.seen().measurements, 1);
  }
}

TEST(Analysis, IsInconclusiveOnceAValueHasBeenMissingFiveTimesInARow) {
  api::AnalysisMetric own = metric(AnalysisMetricType::kPrometheus);
  own.success = {.at_least = 1};
  Rollout rollout(own);
  const Measurement without{.missing = {{"m", "empty answer"}}};
  const Measurement nan{.values = {{"m", std::numeric_limits<double>::quiet_NaN()}}};
  for (int i = 0; i < 4; ++i) rollout.see(without);
  rollout.see({.values = {{"m", 2}}});
  EXPECT_EQ(rollout.seen().inconclusive, 0);
  for (int i = 0; i < 4; ++i) rollout.see(nan);
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  rollout.see(without);
  EXPECT_EQ(rollout.told().verdict, Verdict::kInconclusive);
  EXPECT_EQ(rollout.told().message, "m: empty answer; should be at least 1");
  EXPECT_EQ(rollout.seen().measurements, 1);
  rollout.see({.values = {{"m", 2}}});
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone) << "it is back";
}

TEST(Analysis, OfAnAppThatExposesNothingIsInconclusiveAfterAWhile) {
  for (const auto type : {AnalysisMetricType::kErrorRate, AnalysisMetricType::kLatency}) {
    Rollout rollout(metric(type));
    for (int i = 0; i < 5; ++i) {
      rollout.see({.missing = {{"", "no target exposes it"}}});
      EXPECT_EQ(rollout.told().verdict, Verdict::kNone) << i;
    }
    rollout.see({.missing = {{"", "no target exposes it"}}});
    EXPECT_EQ(rollout.told().verdict, Verdict::kInconclusive);
    EXPECT_THAT(rollout.told().message, HasSubstr("no target exposes it"));
  }
}

TEST(Analysis, OfAnAppWithoutAHistogramStillJudgesErrors) {
  const Measurement counted{
      .updated = {.requests = 500}, .stable = {.requests = 500}, .missing = {{"m", "no histogram"}}};
  EXPECT_EQ(Rollout(metric(AnalysisMetricType::kErrorRate)).see(counted).seen().last, Verdict::kSuccessful);
  EXPECT_EQ(Rollout(metric(AnalysisMetricType::kLatency)).see(counted).seen().value, "no histogram");
}

TEST(Analysis, IsInconclusiveWhereTheStableRevisionHasNeverHadTraffic) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 6; ++i) rollout.see(requests(200, 0, 0, 0));
  EXPECT_EQ(rollout.told().verdict, Verdict::kInconclusive);
  EXPECT_THAT(rollout.told().message, HasSubstr("stable 0 of 100 requests"));
  Rollout idle(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 20; ++i) idle.see(requests(0, 0, 0, 0));
  EXPECT_EQ(idle.told().verdict, Verdict::kNone) << "nobody asks anything: it waits";
}

TEST(Analysis, CountsGoodMeasurementsOfEachStepAnew) {
  Rollout rollout(metric(AnalysisMetricType::kErrorRate));
  for (int i = 0; i < 3; ++i) rollout.see(requests(200, 0, 200, 0));
  EXPECT_EQ(rollout.told().verdict, Verdict::kSuccessful);
  begin_step(rollout.status);
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  EXPECT_EQ(rollout.status.updated.requests, 600);
  EXPECT_EQ(rollout.seen().measurements, 3) << "a rollout of many steps has no more false alarms";
}

TEST(Analysis, BearsAsManyBadMeasurementsAsItsLimitSays) {
  Rollout rollout(metric(AnalysisMetricType::kRestarts));
  rollout.analysis.failure_limit = 1;
  rollout.see({.restarts = 1});
  EXPECT_EQ(rollout.told().verdict, Verdict::kNone);
  rollout.see({.restarts = 1});
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
  EXPECT_THAT(rollout.told().message, HasSubstr("(2 such measurements, failureLimit 1)"));
}

TEST(Analysis, FailsByOneMetricWhateverTheOthersSay) {
  api::AnalysisMetric own = metric(AnalysisMetricType::kPrometheus);
  own.name = "own";
  own.success = {.at_least = 3};
  own.failure = {.at_most = 1};
  Rollout rollout(own);
  rollout.analysis.metrics.push_back(metric(AnalysisMetricType::kRestarts));
  rollout.see({.restarts = 0, .values = {{"own", 2}}});
  EXPECT_EQ(rollout.told().verdict, Verdict::kInconclusive);
  rollout.see({.restarts = 1, .values = {{"own", 3}}});
  EXPECT_EQ(rollout.told().verdict, Verdict::kFailed);
}

TEST(Analysis, ForgetsMetricsThatAreNoLongerAskedFor) {
  Rollout rollout(metric(AnalysisMetricType::kRestarts));
  rollout.see({});
  rollout.analysis.metrics[0].name = "other";
  rollout.see({});
  EXPECT_THAT(rollout.status.metrics, SizeIs(1));
  EXPECT_EQ(rollout.seen().name, "other");
  EXPECT_EQ(rollout.seen().successful, 1);
}

TEST(CapacityChange, IsTheCostOfARequestBesideTheStableRevisions) {
  api::AnalysisStatus status;
  status.updated = {.requests = 200, .busy_seconds = 30, .cpu_seconds = 9};
  status.stable = {.requests = 800, .busy_seconds = 80, .cpu_seconds = 20};
  EXPECT_DOUBLE_EQ(*capacity_change(status, 100).cpu, 1.8);
  EXPECT_DOUBLE_EQ(*capacity_change(status, 100).busy, 1.5);
  EXPECT_FALSE(capacity_change(status, 201).cpu);
  status.stable.cpu_seconds = 0;
  EXPECT_FALSE(capacity_change(status, 100).cpu);
}

TEST(CapacityChange, IsToldWhereItMatters) {
  const auto told = [](std::optional<double> cpu, std::optional<double> busy, int max) {
    return describe({cpu, busy}, "web-1", 8, max);
  };
  EXPECT_EQ(told(1.8, {}, 10),
            "a request needs 1.8 times the CPU of revision web-1; about 15 replicas instead of 8 would be needed, and "
            "spec.replicas.max is 10");
  EXPECT_EQ(told(1.8, 3, 20),
            "a request needs 1.8 times the CPU of revision web-1; about 15 replicas instead of 8 would be needed");
  EXPECT_EQ(told(1.05, 2, 20),
            "a request takes 2 times as long as in revision web-1; about 16 replicas instead of 8 would be needed");
  EXPECT_EQ(told(0.7, {}, 10),
            "a request needs 0.7 times the CPU of revision web-1; about 6 replicas instead of 8 would do");
  EXPECT_EQ(told(12.34, {}, 100),
            "a request needs 12 times the CPU of revision web-1; about 99 replicas instead of 8 would be needed");
  EXPECT_THAT(told(1.05, 0.95, 10), IsEmpty());
  EXPECT_THAT(told({}, {}, 10), IsEmpty());
}

}  // namespace
}  // namespace scalableapp::rollout
