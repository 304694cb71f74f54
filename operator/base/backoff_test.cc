#include "operator/base/backoff.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

constexpr MonotonicTime kStart{seconds{1000}};

TEST(Backoff, DoublesUpToItsCap) {
  Backoff backoff;
  MonotonicTime now = kStart;
  for (const int want : {800, 1600, 3200, 6400, 12'800, 25'600, 30'000, 30'000, 30'000}) {
    const milliseconds delay = backoff.next(now, 0);
    EXPECT_EQ(delay, milliseconds{want});
    now += delay;
  }
}

TEST(Backoff, JitterAddsUpToItsDelayAndNeverExceedsTheCap) {
  EXPECT_EQ(Backoff{}.next(kStart, 0.5), milliseconds{1200});
  EXPECT_EQ(Backoff{}.next(kStart, 0.9999), milliseconds{1599});
  Backoff backoff({.first = milliseconds{20'000}});
  EXPECT_EQ(backoff.next(kStart, 0.9), milliseconds{30'000});
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
