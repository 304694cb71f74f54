#include "workload/protection/concurrency_limit.h"

#include <gtest/gtest.h>

#include "workload/protection/queue_simulation.h"

namespace scalableapp::workload {
namespace {

constexpr Instant kStart = Instant{} + seconds(1000);
// What 8 threads at 20 ms a request can do.
constexpr double kCapacity = 400;
constexpr std::uint64_t kSeeds[] = {1, 2, 3, 4, 5};

SimulatedLoad load(double times_capacity, double seconds_count, double slower = 1) {
  return {.seconds = seconds_count,
          .arrivals_per_second = times_capacity * kCapacity,
          .service_seconds = 0.02 * slower};
}

double goodput(const SimulatedOutcome& outcome, double seconds_count) {
  return (outcome.good[0] + outcome.good[1] + outcome.good[2]) / seconds_count;
}

TEST(ConcurrencyLimit, InFiveTimesTheLoadItSavesCriticalRequestsAndTheirLatency) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    QueueSimulation without({}, seed);
    without.play(load(0.5, 5));
    const auto off = without.play(load(5, 60));
    EXPECT_LT(off.good_share(Priority::kCritical), 0.05);  // All are answered, and all too late.

    ConcurrencyLimit limit({});
    QueueSimulation with({.limit = &limit}, seed);
    const auto calm = with.play(load(0.5, 20));
    const auto on = with.play(load(5, 60));
    EXPECT_GT(on.good_share(Priority::kCritical), 0.99);
    EXPECT_GT(on.good_share(Priority::kNormal), on.good_share(Priority::kOptional) + 0.1);
    EXPECT_GT(goodput(on, 60), 0.95 * kCapacity);
    EXPECT_LT(on.quantile(0.99), 2 * calm.quantile(0.99));
    RecordProperty("p99_ms_off_calm_on",
                   std::to_string(off.quantile(0.99) * 1e3) + " " + std::to_string(calm.quantile(0.99) * 1e3) + " " +
                       std::to_string(on.quantile(0.99) * 1e3));
  }
}

TEST(ConcurrencyLimit, DoesNotTakeAQueueForNormalHoweverLongTheOverload) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    ConcurrencyLimit limit({});
    QueueSimulation simulation({.limit = &limit}, seed);
    simulation.play(load(5, 300));  // Overloaded from its first request on.
    const auto late = simulation.play(load(5, 30));
    EXPECT_GT(goodput(late, 30), 0.95 * kCapacity);
    EXPECT_LT(late.quantile(0.99), 0.15);
  }
}

TEST(ConcurrencyLimit, CriticalRequestsAloneCannotMakeItDriftEither) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    ConcurrencyLimit limit({});
    QueueSimulation simulation({.limit = &limit}, seed);
    auto all_critical = load(3, 120);
    all_critical.critical_share = 1;
    all_critical.optional_share = 0;
    simulation.play(all_critical);
    const auto late = simulation.play(all_critical);
    EXPECT_GT(goodput(late, 120), 0.95 * kCapacity);
    EXPECT_LT(late.quantile(0.99), 0.25);
  }
}

TEST(ConcurrencyLimit, RefusesNothingThatTheServiceCanDo) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    ConcurrencyLimit limit({});
    QueueSimulation simulation({.limit = &limit}, seed);
    const auto outcome = simulation.play(load(0.7, 60));
    EXPECT_GT(outcome.good_share(Priority::kNormal), 0.999);
    EXPECT_GT(outcome.good_share(Priority::kOptional), 0.99);
  }
}

TEST(ConcurrencyLimit, RecoversSecondsAfterTheLoadOrASlowDependencyIsGone) {
  for (const auto seed : kSeeds) {
    for (const auto& trouble : {load(5, 30), load(0.6, 30, 4)}) {
      SCOPED_TRACE(seed);
      ConcurrencyLimit limit({});
      QueueSimulation simulation({.limit = &limit}, seed);
      simulation.play(load(0.6, 10));
      simulation.play(trouble);
      simulation.play(load(0.6, 3));
      EXPECT_GT(simulation.play(load(0.6, 20)).good_share(Priority::kNormal), 0.995);
    }
  }
}

TEST(ConcurrencyLimit, StaysWithinItsBounds) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    ConcurrencyLimit limit({.min = 6, .max = 12});
    QueueSimulation simulation({.limit = &limit}, seed);
    for (const double times : {0.2, 0.9, 3.0, 8.0, 0.5}) {
      simulation.play(load(times, 5, times < 1 ? 1 : 3));
      EXPECT_GE(limit.limit(), 6);
      EXPECT_LE(limit.limit(), 12);
      EXPECT_LE(limit.in_flight(), 24);
    }
  }
}

TEST(ConcurrencyLimit, OptionalWorkIsRefusedFirstAndCriticalWorkLast) {
  EXPECT_EQ(admitted_below(Priority::kOptional, 20), 15);
  EXPECT_EQ(admitted_below(Priority::kNormal, 20), 20);
  EXPECT_EQ(admitted_below(Priority::kCritical, 20), 40);
  EXPECT_EQ(admitted_below(Priority::kOptional, 1), 1);

  ConcurrencyLimit limit({.min = 4, .max = 4});
  const auto admitted = [&](Priority priority) { return limit.try_acquire(priority, kStart).has_value(); };
  for (int count = 0; count < 3; ++count) EXPECT_TRUE(admitted(Priority::kOptional));
  EXPECT_FALSE(admitted(Priority::kOptional));
  EXPECT_TRUE(admitted(Priority::kNormal));
  EXPECT_FALSE(admitted(Priority::kNormal));
  for (int count = 0; count < 4; ++count) EXPECT_TRUE(admitted(Priority::kCritical));
  EXPECT_FALSE(admitted(Priority::kCritical));
  EXPECT_EQ(limit.in_flight(), 8);
}

// A thousand requests one after the other, each with that outcome, of that latency.
int limit_after(Ending outcome, milliseconds latency) {
  ConcurrencyLimit limit({});
  Instant now = kStart;
  for (int count = 0; count < 1000; ++count) {
    const auto place = limit.try_acquire(Priority::kNormal, now);
    now += latency;
    limit.release(place.value(), count % 2 == 0 ? outcome : Ending::kServed, now);
  }
  return limit.limit();
}

TEST(ConcurrencyLimit, RequestsGivenUpBehindItShrinkItAndFailedOnesSayNothing) {
  EXPECT_LT(limit_after(Ending::kDropped, milliseconds(10)), 6);
  EXPECT_EQ(limit_after(Ending::kFailed, milliseconds(10)), 20);
  EXPECT_EQ(limit_after(Ending::kServed, milliseconds(10)), 20);
}

TEST(GradientLimit, LearnsTheUnloadedLatencyAsTheMedianOfSixteenUncrowdedRequests) {
  GradientLimit limit({});
  for (int count = 0; count < 100; ++count) limit.served(kStart, false, kStart + seconds(1));
  EXPECT_FALSE(limit.unloaded_latency());
  for (int count = 1; count <= 16; ++count) {
    limit.served(kStart, true, kStart + milliseconds(count < 12 ? 20 : 90));
  }
  EXPECT_EQ(limit.unloaded_latency().value(), milliseconds(20));
}

// Not the limit, but the other cure for a queue of the dead: what waited too long is not worked on.
TEST(MaxWait, KeepsTheServiceFromWorkingForClientsThatHaveGone) {
  for (const auto seed : kSeeds) {
    SCOPED_TRACE(seed);
    const auto off = QueueSimulation({}, seed).play(load(5, 30));
    const auto on = QueueSimulation({.max_wait = milliseconds(150)}, seed).play(load(5, 30));
    EXPECT_LT(goodput(off, 30), 0.1 * kCapacity);
    EXPECT_GT(goodput(on, 30), 0.9 * kCapacity);
  }
}

}  // namespace
}  // namespace scalableapp::workload
