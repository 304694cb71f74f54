#include "workload/cache/local_tier.h"

#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

constexpr Instant kStart{};
constexpr auto kLater = kStart + seconds(10);

TEST(LocalTier, WhatWasDroppedOnItsWayIsNotPutIn) {
  LocalTier tier(100'000);
  const auto stamp = tier.stamp("a");
  tier.drop("a");  // The key was written after the value was read.
  EXPECT_FALSE(tier.put("a", stamp, {"old"}, kLater, kLater));
  EXPECT_FALSE(tier.find("a", kStart).has_value());
  EXPECT_TRUE(tier.put("a", tier.stamp("a"), {"new"}, kLater, kLater));
  EXPECT_EQ(tier.find("a", kStart)->value.text, "new");
}

TEST(LocalTier, ADropOfOneKeyLeavesOthersAlone) {
  LocalTier tier(100'000);
  const auto stamp = tier.stamp("b");
  tier.drop("a");
  EXPECT_TRUE(tier.put("b", stamp, {"1"}, kLater, kLater));
}

TEST(LocalTier, ClearingRefusesAllThatIsOnItsWay) {
  LocalTier tier(100'000);
  ASSERT_TRUE(tier.put("a", tier.stamp("a"), {"1"}, kLater, kLater));
  const auto stamp = tier.stamp("b");
  tier.clear();
  EXPECT_FALSE(tier.find("a", kStart).has_value());
  EXPECT_FALSE(tier.put("b", stamp, {"1"}, kLater, kLater));
  EXPECT_EQ(tier.bytes(), 0U);
}

}  // namespace
}  // namespace scalableapp::workload
