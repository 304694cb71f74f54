#include "workload/protection/circuit_breaker.h"

#include <gtest/gtest.h>

#include <random>

namespace scalableapp::workload {
namespace {

using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;

constexpr Instant kStart = Instant{} + seconds(1000);

bool call(CircuitBreaker& breaker, Verdict verdict, Instant now, milliseconds took = milliseconds(1)) {
  const auto pass = breaker.try_enter(now);
  if (pass) breaker.leave(*pass, verdict, now + took, 0);
  return pass.has_value();
}

void fail_often(CircuitBreaker& breaker, Instant now, int times = 10) {
  for (int count = 0; count < times; ++count) call(breaker, Verdict::kFailure, now);
}

TEST(CircuitBreaker, OpensAtItsShareOfFailuresOnceThereAreEnoughCalls) {
  const struct {
    int good, failed;
    State state;
  } rows[] = {{0, 9, State::kClosed}, {0, 10, State::kOpen}, {5, 5, State::kOpen}, {6, 5, State::kClosed}};
  for (const auto& row : rows) {
    CircuitBreaker breaker({});
    for (int count = 0; count < row.good; ++count) call(breaker, Verdict::kSuccess, kStart);
    fail_often(breaker, kStart, row.failed);
    EXPECT_EQ(breaker.state(), row.state) << row.good << " " << row.failed;
  }
}

TEST(CircuitBreaker, ForgetsFailuresAfterTenSeconds) {
  CircuitBreaker breaker({});
  fail_often(breaker, kStart, 9);
  fail_often(breaker, kStart + seconds(10), 9);
  EXPECT_EQ(breaker.state(), State::kClosed);
  fail_often(breaker, kStart + seconds(19), 1);
  EXPECT_EQ(breaker.state(), State::kOpen);
}

TEST(CircuitBreaker, SlowSuccessesOpenItToo) {
  CircuitBreaker breaker({.slow_call = milliseconds(100)});
  for (int count = 0; count < 10; ++count) call(breaker, Verdict::kSuccess, kStart, milliseconds(100));
  EXPECT_EQ(breaker.state(), State::kOpen);
}

TEST(CircuitBreaker, CallsThatSayNothingDoNotCount) {
  CircuitBreaker breaker({});
  for (int count = 0; count < 100; ++count) call(breaker, Verdict::kNothing, kStart);
  fail_often(breaker, kStart, 9);
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreaker, HalfOpenLetsAFewThroughAndClosesWhenAllSucceed) {
  CircuitBreaker breaker({});
  fail_often(breaker, kStart);
  EXPECT_FALSE(breaker.try_enter(kStart + milliseconds(999)));
  EXPECT_EQ(breaker.tries_again_in(kStart + milliseconds(401)), milliseconds(600));

  const Instant later = kStart + milliseconds(1002);
  const auto first = breaker.try_enter(later);
  const auto second = breaker.try_enter(later);
  const auto third = breaker.try_enter(later);
  EXPECT_EQ(breaker.state(), State::kHalfOpen);
  EXPECT_FALSE(breaker.try_enter(later));
  breaker.leave(*first, Verdict::kNothing, later, 0);  // Its permit is free again.
  const auto fourth = breaker.try_enter(later);
  ASSERT_TRUE(fourth);
  for (const auto& pass : {second, third, fourth}) breaker.leave(*pass, Verdict::kSuccess, later, 0);
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreaker, EachFailureInHalfOpenDoublesThePauseUpToItsCap) {
  CircuitBreaker breaker({});
  Instant now = kStart;
  fail_often(breaker, now);
  for (const int expected : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_NEAR(to_seconds(breaker.tries_again_in(now)), expected, 0.01);
    now += seconds(expected) + milliseconds(10);
    EXPECT_TRUE(call(breaker, Verdict::kFailure, now));
    EXPECT_EQ(breaker.state(), State::kOpen);
  }
  now += seconds(31);
  for (int count = 0; count < 3; ++count) call(breaker, Verdict::kSuccess, now);
  fail_often(breaker, now);
  EXPECT_NEAR(to_seconds(breaker.tries_again_in(now)), 1, 0.01);  // Closed in between: from the start.
}

TEST(CircuitBreaker, JitterCutsThePauseByUpToHalf) {
  CircuitBreaker breaker({.min_calls = 1});
  breaker.leave(breaker.try_enter(kStart).value(), Verdict::kFailure, kStart, 0.5);
  EXPECT_EQ(breaker.tries_again_in(kStart), milliseconds(750));
}

TEST(CircuitBreaker, ACallFromBeforeTheCircuitOpenedDecidesNothing) {
  CircuitBreaker breaker({.half_open_calls = 1});
  const auto stale = breaker.try_enter(kStart);
  fail_often(breaker, kStart);
  const Instant later = kStart + seconds(2);
  const auto probe = breaker.try_enter(later);
  breaker.leave(*stale, Verdict::kFailure, later, 0);
  EXPECT_EQ(breaker.state(), State::kHalfOpen);
  breaker.leave(*probe, Verdict::kSuccess, later, 0);
  EXPECT_EQ(breaker.state(), State::kClosed);
}

// The difference on and off: a dependency that is down for a minute and answers after a second's time-out.
TEST(CircuitBreaker, SparesItsCallersTheTimeOutsOfAnOutage) {
  double waited_on = 0;
  double waited_off = 0;
  CircuitBreaker breaker({});
  for (int call_number = 0; call_number < 6000; ++call_number) {
    const Instant now = kStart + milliseconds(10 * call_number);
    if (call(breaker, Verdict::kFailure, now)) waited_on += 1;
    waited_off += 1;
  }
  EXPECT_LT(waited_on, 0.01 * waited_off);
}

TEST(CircuitBreaker, WhateverHappensItClosesSoonAfterTheDependencyIsWell) {
  for (const std::uint64_t seed : {11, 12, 13, 14}) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto chance = [&] { return std::uniform_real_distribution(0.0, 1.0)(random); };
    CircuitBreaker breaker({});
    Instant now = kStart;
    std::vector<CircuitBreaker::Pass> open;
    for (int step = 0; step < 5000; ++step) {
      now += milliseconds(static_cast<int>(chance() * 100));
      if (chance() < 0.6) {
        if (const auto pass = breaker.try_enter(now)) open.push_back(*pass);
      } else if (!open.empty()) {
        const double kind = chance();
        const auto verdict = kind < 0.6 ? Verdict::kFailure : kind < 0.8 ? Verdict::kSuccess : Verdict::kNothing;
        breaker.leave(open.back(), verdict, now, chance());
        open.pop_back();
      }
      ASSERT_LE(breaker.tries_again_in(now), seconds(30));
    }
    for (const auto& pass : open) breaker.leave(pass, Verdict::kSuccess, now, 0);
    now += seconds(31);
    for (int count = 0; count < 20; ++count) call(breaker, Verdict::kSuccess, now);
    EXPECT_EQ(breaker.state(), State::kClosed);
  }
}

}  // namespace
}  // namespace scalableapp::workload
