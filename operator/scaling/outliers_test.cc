#include "operator/scaling/outliers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Pod {
  double mean_seconds = 0.05;
  double error_share = 0;
  double rate = 20;
};
Observation observe(const std::vector<Pod>& pods) {
  MetricReading reading = test::reading("latency", 0.15);
  double weighted = 0, total = 0;
  for (std::size_t i = 0; i < pods.size(); ++i) {
    const Pod& pod = pods[i];
    PodLoad load{.requests_per_second = pod.rate,
                 .errors_per_second = pod.rate * pod.error_share,
                 .concurrency = pod.rate * pod.mean_seconds,
                 .quantile_seconds = 3 * pod.mean_seconds};
    reading.loads[fmt::format("pod-{}", i)] = load;
    weighted += pod.rate * *load.quantile_seconds, total += pod.rate;
  }
  reading.value = total > 0 ? weighted / total : 0;
  return test::observe(static_cast<int>(pods.size()), {reading});
}
api::ScalableAppSpec app(api::OutlierAction action = api::OutlierAction::kReport, int percent = 20) {
  auto spec = test::app({test::latency(0.2)});
  spec.outliers = {action, percent};
  return spec;
}
std::vector<std::string> named(const std::vector<Outlier>& outliers, bool ejected_only = false) {
  std::vector<std::string> names;
  for (const Outlier& outlier : outliers) {
    if (outlier.eject || !ejected_only) names.push_back(outlier.pod);
  }
  return names;
}
std::vector<std::string> found(const std::vector<Pod>& pods) {
  return named(find_outliers(kNow, app(), observe(pods)));
}
std::vector<std::string> ejected(const std::vector<Pod>& pods, int percent = 20) {
  return named(find_outliers(kNow, app(api::OutlierAction::kEject, percent), observe(pods)), true);
}
// `count` pods as they should be, and then these.
std::vector<Pod> with(int count, std::vector<Pod> odd) {
  std::vector<Pod> pods(static_cast<std::size_t>(count));
  pods.insert(pods.end(), odd.begin(), odd.end());
  return pods;
}
const Pod kSlow{.mean_seconds = 0.6};
const Pod kFailing{.error_share = 0.8};

TEST(Outliers, APodThatIsMuchSlowerIsOne) {
  const auto outliers = find_outliers(kNow, app(), observe(with(4, {kSlow})));
  ASSERT_THAT(named(outliers), ElementsAre("pod-4"));
  EXPECT_EQ(outliers[0].why, "a request takes 600ms on average, 50ms on the others");
  EXPECT_FALSE(outliers[0].eject) << "it is only reported unless asked for";
}

TEST(Outliers, APodThatFailsMuchMoreOftenIsOne) {
  const auto outliers = find_outliers(kNow, app(), observe(with(4, {kFailing})));
  ASSERT_THAT(named(outliers), ElementsAre("pod-4"));
  EXPECT_EQ(outliers[0].why, "80% of its requests fail, 0% on the others");
}

TEST(Outliers, ASlowPodThatIsQuickEnoughIsNone) {
  EXPECT_THAT(found(with(4, {{.mean_seconds = 0.1}})), IsEmpty()) << "twice the others";
  std::vector<Pod> quick(5, Pod{.mean_seconds = 0.001});
  quick[2].mean_seconds = 0.01;
  EXPECT_THAT(found(quick), IsEmpty()) << "ten times the others, but far below the target";
}

TEST(Outliers, AFewErrorsAreNone) { EXPECT_THAT(found(with(4, {{.error_share = 0.1}})), IsEmpty()); }

TEST(Outliers, WhatAllPodsDoIsNone) {
  EXPECT_THAT(found(std::vector<Pod>(5, kSlow)), IsEmpty());
  EXPECT_THAT(found(std::vector<Pod>(5, kFailing)), IsEmpty());
}

TEST(Outliers, OfFewerThanThreePodsNobodyCanTell) {
  EXPECT_THAT(found(with(1, {kSlow})), IsEmpty());
  EXPECT_THAT(found({kSlow}), IsEmpty());
  EXPECT_THAT(found({}), IsEmpty());
  EXPECT_THAT(found(with(2, {kSlow})), ElementsAre("pod-2"));
}

TEST(Outliers, MoreThanAThirdAreHowTheAppIs) {
  EXPECT_THAT(found(with(4, {kSlow, kSlow})), ElementsAre("pod-4", "pod-5"));
  EXPECT_THAT(found(with(4, {kSlow, kSlow, kSlow})), IsEmpty());
  EXPECT_THAT(found(with(4, {kSlow, kFailing, kSlow})), IsEmpty()) << "slow or failing";
}

TEST(Outliers, APodWithFewRequestsSaysNothing) {
  EXPECT_THAT(found(with(4, {{.mean_seconds = 3, .rate = 0.5}})), IsEmpty());
}

TEST(Outliers, YoungPodsAreLeftOut) {
  Observation observation = observe(with(4, {kSlow}));
  observation.pods[4].ready_since = kNow - seconds{5};
  EXPECT_THAT(find_outliers(kNow, app(), observation), IsEmpty()) << "caches fill, code is compiled";
  observation.pods[4].ready_since = kNow - seconds{60};
  EXPECT_THAT(named(find_outliers(kNow, app(), observation)), ElementsAre("pod-4"));
}

TEST(Outliers, PodsThatDoNotServeAreLeftOut) {
  Observation observation = observe(with(4, {kSlow}));
  observation.pods[4].serving = false;
  EXPECT_THAT(find_outliers(kNow, app(), observation), IsEmpty());
}

TEST(Outliers, WithoutLoadsThereAreNone) {
  EXPECT_THAT(find_outliers(kNow, app(), test::observe(5, {test::reading("latency", 3)})), IsEmpty());
  EXPECT_THAT(find_outliers(kNow, app(), test::observe(5, {test::missing("latency")})), IsEmpty());
  EXPECT_THAT(find_outliers(kNow, test::app({test::cpu()}), observe(with(4, {kSlow}))), IsEmpty());
}

TEST(Ejection, IsBoundByTheShare) {
  const auto pods = with(14, {kSlow, kSlow, kSlow, kSlow, kSlow, kSlow});
  EXPECT_EQ(ejected(pods, 20).size(), 4U) << "of 20 pods";
  EXPECT_EQ(ejected(pods, 10).size(), 2U);
  EXPECT_EQ(ejected(pods, 100).size(), 6U);
  EXPECT_EQ(found(pods).size(), 6U) << "all are reported";
}

TEST(Ejection, OfASmallAppIsOnePod) {
  EXPECT_THAT(ejected(with(3, {kSlow})), ElementsAre("pod-3"));
  EXPECT_EQ(ejected(with(4, {kSlow, kSlow})).size(), 1U);
}

TEST(Ejection, TakesTheWorstFirst) {
  EXPECT_THAT(ejected(with(5, {{.mean_seconds = 0.3}, {.mean_seconds = 2}})), ElementsAre("pod-6"));
  EXPECT_THAT(ejected(with(5, {{.mean_seconds = 2}, {.mean_seconds = 0.3}})), ElementsAre("pod-5"));
  EXPECT_THAT(ejected(with(5, {kSlow, kSlow})), ElementsAre("pod-5")) << "of equals by name";
}

// --- the decision

TEST(OneBadPod, DoesNotScaleTheFleet) {
  auto spec = app();
  api::ScalingHistory history;
  WallTime now = kNow;
  for (int i = 0; i < 60; ++i) history = decide(now += seconds{2}, spec, observe(with(6, {})), history).history;
  const int usual = decide(now, spec, observe(with(6, {})), history).replicas;
  ASSERT_LE(usual, 6);
  // Its latency alone brings the app's far over the target.
  Observation observation = observe(with(5, {{.mean_seconds = 3}}));
  observation.readings[0].value = 9;
  for (int i = 0; i < 60; ++i) {
    const Decision decision = decide(now += seconds{2}, spec, observation, history);
    history = decision.history;
    ASSERT_LE(decision.replicas, 6) << i << ": " << decision.message;
    ASSERT_THAT(named(decision.outliers), ElementsAre("pod-5"));
  }
}

TEST(OneBadPod, IsNamedInACondition) {
  const auto condition = [](const Observation& observation) {
    const Decision decision = decide(kNow, app(), observation, {});
    return *std::ranges::find(decision.conditions, "PodOutliers", &api::Condition::type);
  };
  api::Condition bad = condition(observe(with(5, {kSlow})));
  EXPECT_EQ(bad.status, api::ConditionStatus::kTrue);
  EXPECT_EQ(bad.reason, "OutliersFound");
  EXPECT_THAT(bad.message, HasSubstr("pod-5: a request takes 600ms on average"));
  EXPECT_EQ(condition(observe(with(5, {}))).status, api::ConditionStatus::kFalse);
}

TEST(OneBadPod, StillCountsWithItsLoad) {
  const Decision decision = decide(kNow, app(), observe(with(5, {kSlow})), {});
  EXPECT_THAT(decision.message, HasSubstr("at 120 req/s")) << "its clients will not go away";
}

}  // namespace
}  // namespace scalableapp::scaling
