#include "operator/rollout/analysis_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace scalableapp::rollout {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

api::RevisionEvidence of(double requests, double errors, std::vector<double> buckets = {}) {
  return {.requests = requests, .errors = errors, .buckets = std::move(buckets)};
}
double share(const api::RevisionEvidence& evidence) { return evidence.errors / evidence.requests; }

TEST(Evidence, IsSummedUpWhileTheShareOfTheTrafficStays) {
  api::AnalysisStatus status;
  for (int i = 0; i < 3; ++i) {
    add_counts({.bounds = {0.1}, .updated = of(100, 2, {90, 10}), .stable = of(500, 5, {400, 100})}, status);
  }
  EXPECT_EQ(status.updated, of(300, 6, {270, 30}));
  EXPECT_NEAR(status.stable.requests, 1500, 1e-9);
  EXPECT_NEAR(status.stable.errors, 15, 1e-9);
  EXPECT_THAT(status.stable.buckets, ElementsAre(DoubleNear(1200, 1e-9), DoubleNear(300, 1e-9)));
}

TEST(Evidence, OfAnOutageThatHitsBothWeighsTheSameOnBothSides) {
  api::AnalysisStatus status;
  for (int i = 0; i < 5; ++i) add_counts({.updated = {}, .stable = of(5000, 5)}, status);
  for (int i = 0; i < 5; ++i) add_counts({.updated = of(250, 0.25), .stable = of(4750, 4.75)}, status);
  add_counts({.updated = of(2500, 500), .stable = of(2500, 500)}, status);
  EXPECT_NEAR(share(status.stable), share(status.updated), 1e-9);
  EXPECT_LT(status.stable.requests, 25'000) << "it says as much as so many would";
  EXPECT_GT(status.stable.requests, 2500);
}

TEST(Evidence, OfTheStableRevisionStaysWhenItHasNoTrafficAnyMore) {
  api::AnalysisStatus status;
  for (int i = 0; i < 5; ++i) add_counts({.updated = {}, .stable = of(200, 2)}, status);
  add_counts({.updated = of(100, 1), .stable = of(100, 1)}, status);
  EXPECT_GE(status.stable.requests, kEnoughRequests) << "of the interval of the switch alone there is too little";
  for (int i = 0; i < 5; ++i) add_counts({.updated = of(200, 2), .stable = {}}, status);
  // Probes of the kubelet that the app counts are no traffic.
  for (int i = 0; i < 100; ++i) add_counts({.updated = of(200, 2), .stable = of(2, 0)}, status);
  EXPECT_GE(status.stable.requests, kEnoughRequests);
  EXPECT_NEAR(share(status.stable), 0.01, 0.002);
  EXPECT_EQ(status.updated.requests, 100 + 105 * 200 - (100 + 100 * 200) / 2) << "halved once";
}

TEST(Evidence, NeverCountsForMoreThanThereWas) {
  api::AnalysisStatus status;
  double all = 0;
  for (const auto& [updated, stable] : std::vector<std::pair<double, double>>{
           {0, 50}, {3, 700}, {900, 20}, {10, 10}, {500, 3000}, {1, 4000}, {4000, 1}, {1000, 2000}}) {
    add_counts({.updated = of(updated, 0), .stable = of(stable, stable / 100)}, status);
    all += stable;
    EXPECT_LE(status.stable.requests, all + 1e-6);
    EXPECT_GE(status.stable.requests, std::min(all, kEnoughRequests) - 1e-6);
    EXPECT_NEAR(share(status.stable), 0.01, 1e-9);
  }
}

TEST(Evidence, FadesSoThatWhatHasChangedShows) {
  api::AnalysisStatus status;
  for (int i = 0; i < 100; ++i) add_counts({.updated = of(1000, 1), .stable = of(1000, 1)}, status);
  EXPECT_LE(status.updated.requests, kMostRequests);
  EXPECT_LE(status.stable.requests, kMostRequests + 1e-6);
  for (int i = 0; i < 10; ++i) add_counts({.updated = of(1000, 50), .stable = of(1000, 1)}, status);
  EXPECT_GT(share(status.updated), 0.015);

  api::AnalysisStatus waiting;  // For the first request to the new revision, for days.
  for (int i = 0; i < 10'000; ++i) add_counts({.updated = {}, .stable = of(1000, 1)}, waiting);
  EXPECT_LE(waiting.stable.requests, kMostRequests);
}

TEST(Evidence, OfHistogramsWithOtherBoundsMeetsAtThoseThatTheyShare) {
  api::AnalysisStatus status;
  add_counts({.bounds = {0.1, 0.5, 1}, .updated = {}, .stable = of(100, 0, {40, 30, 20, 10})}, status);
  add_counts({.bounds = {0.1, 0.2, 1}, .updated = of(10, 0, {1, 2, 3, 4}), .stable = {}}, status);
  EXPECT_THAT(status.bounds, ElementsAre(0.1, 1));
  EXPECT_THAT(status.stable.buckets, ElementsAre(40, 50, 10));
  EXPECT_THAT(status.updated.buckets, ElementsAre(1, 5, 4));
  add_counts({.bounds = {0.3}, .updated = of(10, 0, {4, 6}), .stable = {}}, status);
  EXPECT_THAT(status.bounds, ElementsAre(0.3)) << "none shared: anew";
  EXPECT_THAT(status.updated.buckets, ElementsAre(4, 6));
  EXPECT_THAT(status.stable.buckets, IsEmpty());
  EXPECT_EQ(status.updated.requests, 20) << "the other counts are of any bounds";
}

TEST(Evidence, OfAStatusThatDoesNotFitTogetherBeginsAnew) {
  for (const api::AnalysisStatus& wrong :
       {api::AnalysisStatus{.bounds = {0.1, 1}, .updated = of(5, 0, {5})}, api::AnalysisStatus{.updated = of(5, 0, {5})},
        api::AnalysisStatus{.bounds = {1, 0.1}, .updated = of(6, 0, {1, 2, 3})}}) {
    api::AnalysisStatus status = wrong;
    add_counts({.bounds = {0.1}, .updated = of(10, 0, {4, 6}), .stable = {}}, status);
    EXPECT_THAT(status.updated.buckets, ElementsAre(4, 6));
    EXPECT_THAT(status.bounds, ElementsAre(0.1));
  }
}

TEST(HistogramQuantile, IsLinearWithinABucket) {
  const std::vector<double> bounds{0.1, 0.25, 0.5};
  EXPECT_NEAR(*histogram_quantile(0.5, bounds, {10, 20, 10, 0}), 0.175, 1e-12);
  EXPECT_NEAR(*histogram_quantile(0.1, bounds, {10, 20, 10, 0}), 0.04, 1e-12);
  EXPECT_NEAR(*histogram_quantile(0.99, bounds, {10, 20, 10, 0}), 0.49, 1e-12);
  EXPECT_EQ(*histogram_quantile(0.99, bounds, {10, 20, 10, 5}), 0.5) << "nothing is known beyond the last bound";
  EXPECT_FALSE(histogram_quantile(0.99, bounds, {0, 0, 0, 0}));
  EXPECT_FALSE(histogram_quantile(0.99, bounds, {}));
  EXPECT_FALSE(histogram_quantile(0.99, {}, {5}));
}

TEST(HistogramQuantile, KnowsHowManyWereSlower) {
  EXPECT_EQ(slower_than(0, {10, 20, 10, 5}), 35);
  EXPECT_EQ(slower_than(2, {10, 20, 10, 5}), 5);
  EXPECT_EQ(slower_than(2, {}), 0);
}

}  // namespace
}  // namespace scalableapp::rollout
