#include "operator/scaling/smooth_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace scalableapp::scaling {
namespace {

constexpr double kWindowSeconds = 5;
constexpr double kCalmSeconds = 30;

// A figure every 2 s, of a window of 5 s.
class Load {
 public:
  void see(double per_second, int for_seconds = 2) {
    for (int passed = 0; passed < for_seconds; passed += 2) {
      smooth_load(per_second, kWindowSeconds, kCalmSeconds, seconds{2}, memory_);
      latest_ = per_second;
    }
  }
  double calm() const { return memory_.load_per_second; }
  double certain() const { return certain_load(latest_, kWindowSeconds, memory_); }
  double growth() const { return load_growth(latest_, kWindowSeconds, memory_); }

 private:
  api::MetricMemory memory_;
  double latest_ = 0;
};

// What comes at random within a window.
double counted(double per_second, std::mt19937& random) {
  std::poisson_distribution<> count(per_second * kWindowSeconds);
  return count(random) / kWindowSeconds;
}

TEST(SmoothLoad, TheFirstFigureIsTaken) {
  Load load;
  load.see(120);
  EXPECT_EQ(load.calm(), 120);
  EXPECT_EQ(load.certain(), 120);
  EXPECT_EQ(load.growth(), 0);
}

TEST(SmoothLoad, NoiseIsNoChange) {
  for (const double per_second : {5.0, 50.0, 1000.0}) {
    std::mt19937 random(1);
    Load load;
    load.see(per_second, 60);
    const double deviation = std::sqrt(per_second / kWindowSeconds);
    int off = 0;
    for (int i = 0; i < 1800; ++i) {  // An hour.
      load.see(counted(per_second, random));
      ASSERT_NEAR(load.calm(), per_second, 2 * deviation) << "figure " << i << " of " << per_second;
      off += std::abs(load.certain() - per_second) > deviation ? 1 : 0;
    }
    EXPECT_LE(off, 40) << "figures of an hour, of " << per_second;
  }
}

TEST(SmoothLoad, AStepIsSeenAtOnceLessItsNoise) {
  for (const double to : {200.0, 1000.0}) {
    Load load;
    load.see(100, 120);
    load.see(to);
    EXPECT_LE(load.certain(), to);
    EXPECT_GE(load.certain(), to - 4 * std::sqrt(to / kWindowSeconds)) << "up to " << to;
    load.see(to, 120);
    EXPECT_NEAR(load.certain(), to, 0.02 * to);
  }
}

TEST(SmoothLoad, AStepDownIsSeenAtOnceToo) {
  Load load;
  load.see(1000, 120);
  load.see(100);
  EXPECT_GE(load.certain(), 100);
  EXPECT_LE(load.certain(), 100 + 4 * std::sqrt(1000 / kWindowSeconds));
  load.see(0, 120);
  EXPECT_NEAR(load.certain(), 0, 5) << "and none at all";
}

TEST(SmoothLoad, ALongGapMakesTheNewFigureTheLoad) {
  api::MetricMemory memory;
  smooth_load(100, kWindowSeconds, kCalmSeconds, seconds{2}, memory);
  smooth_load(80, kWindowSeconds, kCalmSeconds, seconds{3600}, memory);
  EXPECT_DOUBLE_EQ(memory.load_per_second, 80);
  EXPECT_DOUBLE_EQ(memory.recent_load_per_second, 80);
}

TEST(Growth, OfASteepRampIsNoMoreThanItsSlope) {
  Load load;
  load.see(200, 60);
  double per_second = 200;
  // 100 more each second.
  for (int second = 0; second < 30; second += 2) load.see(per_second += 2 * 100);
  EXPECT_GE(load.growth(), 0.4 * 100) << "the latest figure is in the mean, too";
  EXPECT_LE(load.growth(), 1.2 * 100) << "which is no more than 4 s late";
}

TEST(Growth, OfALoadThatIsDoneGrowingIsSoonNone) {
  Load load;
  load.see(200, 60);
  load.see(600, 4);
  EXPECT_GT(load.growth(), 0);
  load.see(600, 20);
  EXPECT_EQ(load.growth(), 0);
}

TEST(Growth, ThereIsNoneFromNoise) {
  for (const double per_second : {5.0, 50.0, 1000.0}) {
    std::mt19937 random(2);
    Load load;
    load.see(per_second, 60);
    for (int i = 0; i < 5 * 1800; ++i) {
      load.see(counted(per_second, random));
      ASSERT_EQ(load.growth(), 0) << "figure " << i << " of " << per_second;
    }
  }
}

TEST(Growth, OfAFallingLoadIsNone) {
  Load load;
  load.see(1000, 60);
  for (double per_second = 1000; per_second > 0; per_second -= 100) {
    load.see(per_second);
    EXPECT_EQ(load.growth(), 0) << per_second;
  }
}

TEST(Growth, OfAStepIsBounded) {
  for (const double to : {500.0, 5000.0, 1e9}) {
    Load load;
    load.see(100, 60);
    load.see(to);
    EXPECT_GT(load.growth(), 0) << to;
    EXPECT_LE(load.growth(), (to + 100) / 2 / 4) << "nobody knows how it goes on from " << to;
  }
}

}  // namespace
}  // namespace scalableapp::scaling
