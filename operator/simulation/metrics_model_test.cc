#include "operator/simulation/metrics_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::simulation {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;

TEST(HistogramQuantile, IsLinearWithinABucket) {
  std::array<double, kBuckets> buckets{};
  EXPECT_EQ(histogram_quantile(0.5, buckets), std::nullopt);
  buckets[0] = 10;  // Up to 5 ms.
  EXPECT_THAT(histogram_quantile(0.5, buckets), Optional(DoubleNear(0.0025, 1e-12)));
  buckets[9] = 10;  // 200 to 250 ms.
  EXPECT_THAT(histogram_quantile(0.5, buckets), Optional(DoubleNear(0.005, 1e-12)));
  EXPECT_THAT(histogram_quantile(0.75, buckets), Optional(DoubleNear(0.225, 1e-12)));
  buckets[kBuckets - 1] = 1;  // Over 10 s: the highest bound is all that is known.
  EXPECT_THAT(histogram_quantile(0.99, buckets), Optional(10.0));
}

TEST(Extrapolation, ReachesTheWindowsEdgesThatAreNear) {
  // Scrapes at 1, 3, 5, 7, 9 of a 10 s window.
  EXPECT_THAT(extrapolation(10, 8, 5, 1, 1, 100, 40), DoubleNear(10.0 / 8 / 10, 1e-12));
}

TEST(Extrapolation, OfANewPodReachesHalfAnIntervalBeyondItsScrapes) {
  // Scrapes at 7 and 9: 6 s without any before.
  EXPECT_THAT(extrapolation(10, 2, 2, 7, 1, 100, 40), DoubleNear(4.0 / 2 / 10, 1e-12));
}

TEST(Extrapolation, DoesNotTakeACounterBelowZero) {
  // It was at 5 and grew by 20 in 2 s: it began 0.5 s before.
  EXPECT_THAT(extrapolation(10, 2, 2, 7, 1, 5, 20), DoubleNear(3.5 / 2 / 10, 1e-12));
}

class MetricsModelTest : public ::testing::Test {
 protected:
  MetricsModelTest() {
    metric_.name = "latency";
    metric_.type = api::MetricType::kLatency;
    metric_.window_seconds = 10;
  }
  void begin(int replicas, bool is_queue = false) {
    fleet_.emplace(Fleet::Options{.app = "web", .concurrency = 1000, .is_queue = is_queue, .cpu_seconds_per_request = 0.01},
                   outcomes_);
    fleet_->begin(replicas);
  }
  // `rate` evenly spaced requests of `service` seconds, until `end`.
  void run_until(milliseconds end, double rate = 0, float service = 0.1F) {
    for (; now_ < end; now_ += kTick) {
      fleet_->step(now_);
      Fleet* const fleets[] = {&*fleet_};
      metrics_.scrape(now_, fleets);
      for (; rate > 0 && next_ < in_seconds(now_ + kTick); next_ += 1 / rate) {
        fleet_->arrive({next_, service, false}, chance_ += std::uint64_t{1} << 62);
      }
      fleet_->advance(in_seconds(now_));
    }
  }
  const scaling::MetricReading& read() {
    const Fleet* const fleets[] = {&*fleet_};
    metrics_.read(now_, metric_, fleets, reading_);
    return reading_;
  }
  Outcomes outcomes_{1, false, 1000, 1};
  std::optional<Fleet> fleet_;
  MetricsModel metrics_{milliseconds{2000}, milliseconds{60000}};
  api::MetricSpec metric_;
  scaling::MetricReading reading_;
  milliseconds now_{0};
  double next_ = 0.05;
  std::uint64_t chance_ = 0;
};

TEST_F(MetricsModelTest, APodIsUnknownUntilItWasScrapedTwice) {
  begin(2);
  run_until(milliseconds{100}, 40);
  EXPECT_FALSE(read().value);
  EXPECT_FALSE(read().idle);
  EXPECT_EQ(read().missing, "empty answer: no pod was scraped twice within the window");
  run_until(milliseconds{4200}, 40);
  EXPECT_TRUE(read().value);
  EXPECT_EQ(read().loads.size(), 2U);
}

TEST_F(MetricsModelTest, ASteadyLoadIsSeenAsItIs) {
  begin(2);
  run_until(milliseconds{30000}, 40);
  read();
  EXPECT_THAT(reading_.arrivals_per_second, Optional(DoubleNear(40, 1)));
  EXPECT_THAT(reading_.in_flight, Optional(DoubleNear(4, 1)));  // 40/s for 0.1 s.
  EXPECT_THAT(reading_.value, Optional(DoubleNear(0.1, 0.05)));
  ASSERT_EQ(reading_.loads.size(), 2U);
  for (const auto& [name, load] : reading_.loads) {
    EXPECT_THAT(load.requests_per_second, DoubleNear(20, 1)) << name;
    EXPECT_THAT(load.concurrency, DoubleNear(2, 0.1)) << name;
    EXPECT_EQ(load.errors_per_second, 0);
    EXPECT_TRUE(load.quantile_seconds);
  }
  const Fleet* const fleets[] = {&*fleet_};
  EXPECT_THAT(metrics_.requests_per_second(now_, fleets, milliseconds{10000}), DoubleNear(40, 1));

  metric_.type = api::MetricType::kCpu;
  ASSERT_EQ(read().per_pod.size(), 2U);
  EXPECT_THAT(reading_.per_pod.begin()->second, DoubleNear(0.2, 0.01));
}

TEST_F(MetricsModelTest, ArrivalsCountWhatPilesUp) {
  begin(1);
  run_until(milliseconds{20000}, 10);
  run_until(milliseconds{26000}, 90, 20);  // Nothing of it is finished.
  EXPECT_THAT(read().in_flight, Optional(testing::Gt(300)));
  EXPECT_THAT(read().arrivals_per_second, Optional(DoubleNear(90, 20)));
}

TEST_F(MetricsModelTest, IsIdleOnceNothingWasFinishedAndNothingIsInFlight) {
  begin(1);
  run_until(milliseconds{10000}, 10);
  EXPECT_FALSE(read().idle);
  run_until(milliseconds{25000});
  EXPECT_TRUE(read().idle);
  EXPECT_FALSE(read().value);
}

TEST_F(MetricsModelTest, WhatIsStuckIsNotIdle) {
  begin(1);
  run_until(milliseconds{10000}, 10, 500);
  EXPECT_FALSE(read().idle);
  EXPECT_FALSE(read().value);
  EXPECT_EQ(read().missing, "empty answer: no request was finished within 10s");
  EXPECT_TRUE(read().loads.empty());
}

TEST_F(MetricsModelTest, APodThatIsGoneStaysInTheWindowAndThenLeaves) {
  begin(2);
  run_until(milliseconds{20000}, 40);
  fleet_->scale(now_, 1);
  run_until(milliseconds{25500}, 40);
  EXPECT_EQ(fleet_->pods().size(), 1U);
  EXPECT_EQ(read().loads.size(), 2U);
  run_until(milliseconds{40000}, 40);
  EXPECT_EQ(read().loads.size(), 1U);
}

TEST_F(MetricsModelTest, JobsThatFreeWorkersTakeAreNoBacklog) {
  begin(1, true);
  metric_.type = api::MetricType::kQueueLength;
  run_until(milliseconds{20000}, 10);
  EXPECT_THAT(read().value, Optional(0.0));
}

TEST_F(MetricsModelTest, AQueueHasALengthAndRates) {
  begin(1, true);
  metric_.type = api::MetricType::kQueueLength;
  metric_.drain_seconds = 30;
  run_until(milliseconds{100});
  EXPECT_THAT(read().value, Optional(0.0));
  fleet_->scale(now_, 0);
  run_until(milliseconds{20000}, 10);
  EXPECT_THAT(read().value, Optional(DoubleNear(180, 11)));
  EXPECT_THAT(read().arrivals_per_second, Optional(DoubleNear(10, 1)));
  EXPECT_THAT(read().completions_per_second, Optional(0.0));
  metric_.drain_seconds.reset();
  EXPECT_FALSE(read().arrivals_per_second);
}

}  // namespace
}  // namespace scalableapp::simulation
