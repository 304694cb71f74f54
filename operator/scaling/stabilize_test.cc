#include "operator/scaling/stabilize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;

api::ScalableAppSpec windows(int up, int down) {
  return test::app({}, {test::rules(up, {}), test::rules(down, {})});
}

struct Recommendation {
  int second;
  int replicas;
};
struct Row {
  const char* name;
  int up, down;  // Windows.
  int current;
  std::vector<Recommendation> recommendations;
  int want;
};
const Row kRows[] = {
    {"Down waits for the highest of the window", 0, 300, 10, {{0, 8}, {15, 5}, {30, 3}}, 10},
    {"The first recommendation is the current count", 0, 300, 10, {{0, 3}}, 10},
    {"Down follows when the window has passed",
     0,
     300,
     10,
     {{0, 10}, {15, 8}, {30, 5}, {300, 3}},
     8},
    {"A recommendation at the window's very begin is out", 0, 30, 10, {{0, 10}, {30, 3}}, 3},
    {"A recommendation just within the window counts", 0, 30, 10, {{0, 10}, {29, 3}}, 10},
    {"Up goes at once without a window", 0, 300, 4, {{0, 4}, {15, 9}}, 9},
    {"Up waits for the lowest of its window", 60, 0, 4, {{0, 4}, {15, 9}, {30, 7}}, 4},
    {"Up goes to the lowest of the window", 60, 0, 4, {{0, 4}, {60, 9}, {75, 7}, {90, 8}}, 7},
    {"A dip shorter than the window changes nothing", 0, 60, 8, {{0, 8}, {15, 2}, {30, 8}}, 8},
    {"A peak shorter than the window changes nothing", 60, 60, 4, {{0, 4}, {15, 9}, {30, 4}}, 4},
    {"Without windows the last one counts", 0, 0, 5, {{0, 9}, {1, 3}}, 3},
    {"Both windows hold a count between them", 60, 60, 5, {{0, 5}, {15, 9}, {30, 2}}, 5},
    {"A run counts by its end", 0, 60, 9, {{0, 9}, {15, 9}, {30, 9}, {89, 2}}, 9},
};

TEST(Stabilize, FollowsTheTable) {
  for (const Row& row : kRows) {
    auto spec = windows(row.up, row.down);
    spec.interval_seconds = 100;  // No gaps: they are a story of their own.
    std::vector<api::RecommendationRun> runs;
    WallTime now = kNow;
    for (const auto& [second, replicas] : row.recommendations) {
      now = kNow + seconds{second};
      record(now, row.current, replicas, spec, runs);
    }
    EXPECT_EQ(stabilize(now, row.current, spec.behavior, runs), row.want) << row.name;
  }
}

TEST(Stabilize, ARecommendationStandsThroughAGap) {
  const auto spec = windows(0, 60);
  std::vector<api::RecommendationRun> runs;
  record(kNow, 9, 9, spec, runs);
  const WallTime later = kNow + std::chrono::hours{1};
  record(later, 9, 2, spec, runs);
  EXPECT_EQ(stabilize(later, 9, spec.behavior, runs), 9)
      << "nobody watched: 9 may have been needed";
  for (int s = 2; s < 60; s += 2) {
    record(later + seconds{s}, 9, 2, spec, runs);
    ASSERT_EQ(stabilize(later + seconds{s}, 9, spec.behavior, runs), 9);
  }
  record(later + seconds{60}, 9, 2, spec, runs);
  EXPECT_EQ(stabilize(later + seconds{60}, 9, spec.behavior, runs), 2);
}

TEST(Stabilize, OnlyADifferentRecommendationIsNews) {
  const auto spec = windows(0, 60);
  std::vector<api::RecommendationRun> runs;
  EXPECT_TRUE(record(kNow, 3, 3, spec, runs));
  EXPECT_FALSE(record(kNow + seconds{2}, 3, 3, spec, runs));
  EXPECT_EQ(runs, (std::vector<api::RecommendationRun>{{3, kNow, kNow + seconds{2}}}));
  EXPECT_TRUE(record(kNow + seconds{4}, 3, 5, spec, runs));
  EXPECT_FALSE(record(kNow + seconds{6}, 5, 5, spec, runs));
}

TEST(Stabilize, AClockThatWasSetBackDoesNotHoldForLonger) {
  const auto spec = windows(0, 60);
  std::vector<api::RecommendationRun> runs{{9, kNow + seconds{3000}, kNow + seconds{3600}}};
  for (int s = 0; s < 60; s += 2) record(kNow + seconds{s}, 9, 2, spec, runs);
  record(kNow + seconds{60}, 9, 2, spec, runs);
  EXPECT_EQ(stabilize(kNow + seconds{60}, 9, spec.behavior, runs), 2);
}

// The bounded history answers as the list of all recommendations would.
TEST(StabilizeProperty, PrunedRunsAnswerLikeTheWholeHistory) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<>(low, high)(random);
    };
    const auto spec = windows(pick(0, 1) * pick(0, 120), pick(0, 300));
    std::vector<api::RecommendationRun> runs;
    std::vector<Recommendation> all;
    int wanted = 20, current = 20;
    for (int second = 0; second < 2000; second += pick(1, 4)) {
      wanted = std::clamp(wanted + pick(-3, 3), 0, 60);
      if (all.empty()) all.push_back({second, current});
      all.push_back({second, wanted});
      const WallTime now = kNow + seconds{second};
      record(now, current, wanted, spec, runs);
      int lowest = wanted, highest = wanted;
      for (const auto& [at, replicas] : all) {
        if (at > second - spec.behavior.scale_up.stabilization_window_seconds)
          lowest = std::min(lowest, replicas);
        if (at > second - spec.behavior.scale_down.stabilization_window_seconds)
          highest = std::max(highest, replicas);
      }
      const int want = std::clamp(current, lowest, highest);
      ASSERT_EQ(stabilize(now, current, spec.behavior, runs), want) << "second " << second;
      ASSERT_LT(runs.size(), kMostRuns) << "the walk was meant to stay under the bound";
      current = want;
    }
  }
}

// A load that falls (rises) steadily for a whole window needs every run: past the bound the answer
// may only err towards not scaling.
TEST(StabilizeProperty, PastTheBoundItErrsTowardsHolding) {
  for (const int slope : {-1, 1}) {
    const auto spec = windows(1800, 1800);
    std::vector<api::RecommendationRun> runs;
    std::vector<Recommendation> all{{0, 5000}};
    for (int second = 0; second < 6000; second += 2) {
      const int wanted = 5000 + slope * second / 2 + (second % 6 == 0 ? 3 : 0);
      all.push_back({second, wanted});
      const WallTime now = kNow + seconds{second};
      record(now, 5000, wanted, spec, runs);
      ASSERT_LE(runs.size(), kMostRuns);
      int lowest = wanted, highest = wanted;
      for (const auto& [at, replicas] : all) {
        if (at <= second - 1800) continue;
        lowest = std::min(lowest, replicas);
        highest = std::max(highest, replicas);
      }
      EXPECT_LE(stabilize(now, -1, spec.behavior, runs), lowest) << "second " << second;
      EXPECT_GE(stabilize(now, 1 << 20, spec.behavior, runs), highest) << "second " << second;
      EXPECT_GE(stabilize(now, -1, spec.behavior, runs), lowest - 200) << "and not by much";
      EXPECT_LE(stabilize(now, 1 << 20, spec.behavior, runs), highest + 200) << "and not by much";
    }
  }
}

}  // namespace
}  // namespace scalableapp::scaling
