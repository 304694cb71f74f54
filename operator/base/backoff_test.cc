#include "operator/base/backoff.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <utility>

namespace scalableapp {
namespace {

constexpr MonotonicTime kStart{seconds{1000}};

TEST(Backoff, DoublesUpToItsCap) {
  Backoff shortest;
  Backoff longest;
  MonotonicTime now = kStart;
  for (const auto& [at_least, at_most] : std::initializer_list<std::pair<int, int>>{
           {800, 1600}, {1600, 3200}, {3200, 6400}, {6400, 12'800}, {12'800, 25'600},
           {25'600, 30'000}, {15'000, 30'000}, {15'000, 30'000}}) {
    EXPECT_EQ(shortest.next(now, 0), milliseconds{at_least});
    EXPECT_NEAR(static_cast<double>(longest.next(now, 0.99999).count()), at_most, 1);
    now += milliseconds{at_most};
  }
}

TEST(Backoff, ClientsThatReachedTheCapDoNotComeBackTogether) {
  std::set<milliseconds> delays;
  for (const double chance : {0.0, 0.25, 0.5, 0.75}) {
    Backoff backoff;
    for (int i = 0; i < 20; ++i) backoff.next(kStart, chance);
    delays.insert(backoff.next(kStart, chance));
  }
  EXPECT_EQ(delays, (std::set{milliseconds{15'000}, milliseconds{18'750}, milliseconds{22'500},
                              milliseconds{26'250}}));
}

TEST(Backoff, JitterAddsUpToItsDelayAndNeverExceedsTheCap) {
  EXPECT_EQ(Backoff{}.next(kStart, 0.5), milliseconds{1200});
  EXPECT_EQ(Backoff{}.next(kStart, 0.9999), milliseconds{1599});
  Backoff backoff({.first = milliseconds{20'000}});
  EXPECT_EQ(backoff.next(kStart, 0.9), milliseconds{29'000});
}

TEST(Backoff, TheJitterOfOneDelayDoesNotStretchTheNext) {
  Backoff backoff;
  backoff.next(kStart, 0.99);
  EXPECT_EQ(backoff.next(kStart + seconds{2}, 0), milliseconds{1600});
}

TEST(Backoff, StartsOverAfterAQuietTimeCountedFromTheEndOfTheLastDelay) {
  Backoff backoff;
  backoff.next(kStart, 0);
  const MonotonicTime waited = kStart + milliseconds{800};
  Backoff sooner = backoff;
  EXPECT_EQ(sooner.next(waited + milliseconds{119'999}, 0), milliseconds{1600});
  EXPECT_EQ(backoff.next(waited + milliseconds{120'000}, 0), milliseconds{800});
}

TEST(Backoff, StartsOverOnceItWorked) {
  Backoff backoff;
  backoff.next(kStart, 0);
  backoff.next(kStart, 0);
  backoff.reset();
  EXPECT_EQ(backoff.next(kStart, 0), milliseconds{800});
}

}  // namespace
}  // namespace scalableapp
