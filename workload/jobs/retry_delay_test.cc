#include "workload/jobs/retry_delay.h"

#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

constexpr milliseconds kBase{100};
constexpr milliseconds kCap{1000};

TEST(RetryDelay, DoublesWithEachFailureUpToTheCap) {
  EXPECT_EQ(retry_delay(1, kBase, kCap, 0.9999), milliseconds(99));
  EXPECT_EQ(retry_delay(2, kBase, kCap, 0.9999), milliseconds(199));
  EXPECT_EQ(retry_delay(4, kBase, kCap, 0.9999), milliseconds(799));
  EXPECT_EQ(retry_delay(5, kBase, kCap, 0.9999), milliseconds(999));
  EXPECT_EQ(retry_delay(1'000'000, kBase, kCap, 0.9999), milliseconds(999));
}

TEST(RetryDelay, IsHalfByChance) {
  EXPECT_EQ(retry_delay(1, kBase, kCap, 0), milliseconds(50));
  EXPECT_EQ(retry_delay(9, kBase, kCap, 0), milliseconds(500));
}

}  // namespace
}  // namespace scalableapp::workload
