#include "operator/simulation/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::simulation {
namespace {

using ::testing::Optional;

TEST(HpaByTotal, SharesTheTotalAmongPods) {
  EXPECT_EQ(hpa_by_total(330, 70, 4), 5);   // 1.18 of the target; 4.7 pods.
  EXPECT_EQ(hpa_by_total(308, 70, 4), 4);   // 1.1: within the tolerance.
  EXPECT_EQ(hpa_by_total(252, 70, 4), 4);   // 0.9: within the tolerance.
  EXPECT_EQ(hpa_by_total(250, 70, 4), 4);   // Under it, and still 3.6 pods.
  EXPECT_EQ(hpa_by_total(210, 70, 4), 3);
  EXPECT_EQ(hpa_by_total(0, 70, 4), 0);
  EXPECT_EQ(hpa_by_total(100, 20, 0), 5);
}

TEST(HpaByCpu, MultipliesTheRatioByThePodsThatWereMeasured) {
  const HpaPod busy{0.1, 0.09, false}, idle{0.1, 0.02, false};
  EXPECT_THAT(hpa_by_cpu(std::vector{busy, busy, busy}, 0.6, 3), Optional(5));  // 1.5 * 3.
  EXPECT_THAT(hpa_by_cpu(std::vector{idle, idle, idle}, 0.6, 3), Optional(1));  // 0.33 * 3.
  const HpaPod near{0.1, 0.065, false};
  EXPECT_THAT(hpa_by_cpu(std::vector{near, near, near}, 0.6, 3), Optional(3));
}

TEST(HpaByCpu, CountsStartingPodsAsUnusedOnTheWayUp) {
  const HpaPod busy{0.1, 0.09, false}, starting{0.1, std::nullopt, true};
  // 0.27 of 0.5 requested is 0.9 of the target: within the tolerance.
  EXPECT_THAT(hpa_by_cpu(std::vector{busy, busy, busy, starting, starting}, 0.6, 5), Optional(5));
  // 0.27 of 0.4: 1.125 of the target, times 4.
  EXPECT_THAT(hpa_by_cpu(std::vector{busy, busy, busy, starting}, 0.6, 4), Optional(5));
}

TEST(HpaByCpu, CountsPodsWithoutASampleAsFullOnTheWayDownAndUnusedOnTheWayUp) {
  const HpaPod idle{0.1, 0.02, false}, busy{0.1, 0.09, false}, missing{0.1, std::nullopt, false};
  // (0.04 + 2 * 0.06) / 0.4 / 0.6 = 0.67, times 4.
  EXPECT_THAT(hpa_by_cpu(std::vector{idle, idle, missing, missing}, 0.6, 4), Optional(3));
  // 0.18 / 0.4 / 0.6 = 0.75: the direction flips, nothing happens.
  EXPECT_THAT(hpa_by_cpu(std::vector{busy, busy, missing, missing}, 0.6, 4), Optional(4));
}

TEST(HpaByCpu, IsSilentWithoutASampleOrARequest) {
  EXPECT_EQ(hpa_by_cpu(std::vector{HpaPod{0.1, std::nullopt, true}}, 0.6, 1), std::nullopt);
  EXPECT_EQ(hpa_by_cpu(std::vector{HpaPod{0, 0.1, false}}, 0.6, 1), std::nullopt);
}

class HpaBehaviorTest : public ::testing::Test {
 protected:
  int next(int second, int current, std::vector<std::optional<int>> proposals) {
    return behavior_.next(seconds{second}, current, proposals, 2, 50);
  }
  HpaBehavior behavior_;
};

TEST_F(HpaBehaviorTest, RisesByFourPodsOrADoublingEvery15Seconds) {
  EXPECT_EQ(next(0, 3, {60}), 7);
  EXPECT_EQ(next(15, 7, {60}), 14);
  EXPECT_EQ(next(30, 14, {60}), 28);
  EXPECT_EQ(next(45, 28, {60}), 50);  // 56 at the most, but for the maximum.
}

TEST_F(HpaBehaviorTest, FallsToTheHighestOfTheLast300Seconds) {
  EXPECT_EQ(next(0, 20, {20}), 20);
  EXPECT_EQ(next(15, 20, {5}), 20);
  EXPECT_EQ(next(30, 20, {9}), 20);
  EXPECT_EQ(next(285, 20, {5}), 20);
  EXPECT_EQ(next(300, 20, {5}), 9);
  EXPECT_EQ(next(315, 9, {5}), 9);
  EXPECT_EQ(next(330, 9, {5}), 5);
  EXPECT_EQ(next(900, 5, {0}), 2);  // The minimum.
}

TEST_F(HpaBehaviorTest, TakesTheHighestAndNeverFallsWhileAMetricIsMissing) {
  EXPECT_EQ(next(0, 4, {3, 6}), 6);
  EXPECT_EQ(next(15, 6, {std::nullopt, 8}), 8);
  EXPECT_EQ(next(400, 8, {std::nullopt, 3}), 8);
  EXPECT_EQ(next(800, 8, {std::nullopt}), 8);
  EXPECT_EQ(next(815, 8, {3}), 3);
}

TEST(KedaActivation, StartsOnePodAndEndsTheLastAfterTheCooldown) {
  KedaActivation keda;
  EXPECT_EQ(keda.poll(seconds{0}, false, 0, 0), std::nullopt);
  EXPECT_THAT(keda.poll(seconds{30}, true, 0, 0), Optional(1));
  EXPECT_EQ(keda.poll(seconds{60}, true, 1, 0), std::nullopt);
  EXPECT_EQ(keda.poll(seconds{330}, false, 1, 0), std::nullopt);
  EXPECT_THAT(keda.poll(seconds{360}, false, 1, 0), Optional(0));
}

TEST(KedaActivation, LeavesAnAppWithAMinimumToHpa) {
  KedaActivation keda;
  for (int second = 0; second < 3600; second += 30) {
    EXPECT_EQ(keda.poll(seconds{second}, false, 3, 1), std::nullopt);
  }
}

TEST(KpaDecider, SharesTheConcurrencyOfTheStableWindow) {
  KpaDecider kpa(2.8);
  EXPECT_EQ(kpa.next(seconds{2}, 1, 2.7, 2.7, 1, 100), 1);
  EXPECT_EQ(kpa.next(seconds{4}, 3, 8.4, 8.4, 1, 100), 3);
  EXPECT_EQ(kpa.next(seconds{6}, 3, 8.5, 2, 1, 100), 4);
  EXPECT_FALSE(kpa.is_panicking());
}

TEST(KpaDecider, PanicsWhenTheShortWindowNeedsTwiceThePodsAndThenNeverFallsFor60Seconds) {
  KpaDecider kpa(2.8);
  kpa.next(seconds{0}, 1, 2.8, 2.8, 1, 100);
  EXPECT_EQ(kpa.next(seconds{2}, 1, 3, 5.7, 1, 100), 3);
  EXPECT_TRUE(kpa.is_panicking());
  EXPECT_EQ(kpa.next(seconds{4}, 3, 3, 2.8, 1, 100), 3);
  EXPECT_EQ(kpa.next(seconds{6}, 3, 3, 14, 1, 100), 5);   // Up within the panic.
  EXPECT_EQ(kpa.next(seconds{62}, 5, 3, 0, 1, 100), 5);   // 60 s after the threshold was exceeded.
  EXPECT_EQ(kpa.next(seconds{64}, 5, 3, 0, 1, 100), 2);
  EXPECT_FALSE(kpa.is_panicking());
}

TEST(KpaDecider, FallsToHalfOfTheReadyPodsAtATime) {
  KpaDecider kpa(1);
  kpa.next(seconds{0}, 1, 0, 0, 1, 100);
  EXPECT_EQ(kpa.next(seconds{2}, 9, 0, 0, 1, 100), 4);
  EXPECT_EQ(kpa.next(seconds{4}, 4, 0, 0, 1, 100), 2);
  EXPECT_EQ(kpa.next(seconds{6}, 2, 0, 0, 1, 100), 1);
}

TEST(KpaDecider, BeginsInPanicWhereSeveralPodsRun) {
  KpaDecider kpa(1);
  EXPECT_EQ(kpa.next(seconds{0}, 8, 2, 2, 1, 100), 8);
  EXPECT_EQ(kpa.next(seconds{60}, 8, 2, 2, 1, 100), 8);
  EXPECT_EQ(kpa.next(seconds{62}, 8, 2, 2, 1, 100), 4);
}

}  // namespace
}  // namespace scalableapp::simulation
