#include "operator/simulation/pod_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "operator/simulation/random.h"

namespace scalableapp::simulation {
namespace {

using ::testing::DoubleNear;

TEST(Random, SaysTheSameOnEveryMachine) {
  Random random(1, 2);
  EXPECT_EQ(random.next(), 6695473370994778609U);
  EXPECT_EQ(random.next(), 18047994484133484728U);
  EXPECT_NE(Random(1, 3).next(), Random(1, 2).next());
  EXPECT_NE(Random(2, 2).next(), Random(1, 2).next());
}

// Mean and standard deviation of many draws.
template <typename Draw>
std::pair<double, double> moments(Draw draw) {
  constexpr int kDraws = 2'000'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = draw();
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kDraws;
  return {mean, std::sqrt(squares / kDraws - mean * mean)};
}

TEST(Exponential, HasMeanAndDeviationOne) {
  const Exponential exponential;
  Random random(5, 0);
  const auto [mean, deviation] = moments([&] { return exponential.draw(random); });
  EXPECT_THAT(mean, DoubleNear(1, 0.005));
  EXPECT_THAT(deviation, DoubleNear(1, 0.005));
}

TEST(Exponential, ExceedsThreeAsOftenAsItShould) {
  const Exponential exponential;
  Random random(6, 0);
  const auto [share, unused] = moments([&] { return exponential.draw(random) > 3 ? 1.0 : 0.0; });
  EXPECT_THAT(share, DoubleNear(std::exp(-3), 0.001));
}

TEST(Lognormal, HasTheMeanAndTheVariationThatItWasToldTo) {
  for (const double variation : {0.0, 0.3, 1.0, 2.0}) {
    const Lognormal lognormal(variation);
    Random random(7, 0);
    const auto [mean, deviation] = moments([&] { return lognormal.draw(random); });
    EXPECT_THAT(mean, DoubleNear(1, 0.01)) << variation;
    EXPECT_THAT(deviation, DoubleNear(variation, 0.03 * variation + 1e-6)) << variation;
  }
}

TEST(Buckets, HoldWhatIsAtMostTheirBound) {
  EXPECT_EQ(bucket_of(0), 0U);
  EXPECT_EQ(bucket_of(0.005), 0U);
  EXPECT_EQ(bucket_of(0.0051), 1U);
  EXPECT_EQ(bucket_of(0.25), 9U);
  EXPECT_EQ(bucket_of(10), 19U);
  EXPECT_EQ(bucket_of(10.1), 20U);
  EXPECT_EQ(bucket_of(1e9), 20U);
  for (double seconds = 1e-3; seconds < 20; seconds *= 1.01) {
    const auto bound = std::ranges::lower_bound(kLatencyBounds, seconds);
    EXPECT_EQ(bucket_of(seconds), static_cast<std::size_t>(bound - kLatencyBounds.begin()));
    const std::size_t fine = fine_bucket_of(seconds);
    EXPECT_LE(fine_bucket_begin(fine), seconds);
    EXPECT_GT(fine_bucket_begin(fine + 1), seconds);
  }
}

// Mean time in the queue with Poisson arrivals.
template <typename Service>
double mean_wait(int servers, double arrivals_per_second, Service service) {
  constexpr int kRequests = 3'000'000;
  Outcomes outcomes(1e9, false, kRequests / arrivals_per_second * 1.1, 10'000);
  Station station(outcomes);
  Counters counters;
  station.add_servers(counters, servers, 0);
  const Exponential exponential;
  Random gaps(11, 1), services(11, 2);
  double at = 0, work = 0;
  for (int i = 0; i < kRequests; ++i) {
    at += exponential.draw(gaps) / arrivals_per_second;
    const auto seconds = static_cast<float>(service(services));
    work += static_cast<double>(seconds);
    outcomes.arrived(at);
    station.arrive({at, seconds, false}, &counters);
    if (i % 100 == 0) station.advance(at);
  }
  station.advance(at + 1e6);
  EXPECT_EQ(counters.finished, kRequests);
  EXPECT_NEAR(counters.duration_seconds, outcomes.duration_seconds, 1e-3);
  return (outcomes.duration_seconds - work) / kRequests;
}

// A. K. Erlang (1917): the chance to wait, then the mean wait of M/M/c.
double erlang_wait(int servers, double arrivals_per_second, double service_seconds) {
  const double load = arrivals_per_second * service_seconds;
  double blocking = 1;  // Erlang B by its recursion.
  for (int i = 1; i <= servers; ++i) blocking = load * blocking / (i + load * blocking);
  const double use = load / servers;
  const double waits = blocking / (1 - use * (1 - blocking));
  return waits * service_seconds / (servers * (1 - use));
}

TEST(Station, WaitsAsLongAsAnMM1Queue) {
  const Exponential exponential;
  const double wait =
      mean_wait(1, 70, [&](Random& random) { return 0.01 * exponential.draw(random); });
  EXPECT_NEAR(erlang_wait(1, 70, 0.01), 0.7 / 30, 1e-12);
  EXPECT_NEAR(wait / erlang_wait(1, 70, 0.01), 1, 0.03);
}

TEST(Station, WaitsAsLongAsAnMMcQueue) {
  const Exponential exponential;
  for (const int servers : {2, 4, 16}) {
    const double rate = 80.0 * servers;
    const double wait =
        mean_wait(servers, rate, [&](Random& random) { return 0.01 * exponential.draw(random); });
    EXPECT_NEAR(wait / erlang_wait(servers, rate, 0.01), 1, 0.04) << servers;
  }
}

// F. Pollaczek (1930), A. Khinchin (1932).
TEST(Station, WaitsAsLongAsAnMG1QueueWithLognormalService) {
  for (const double variation : {0.0, 0.3, 1.5}) {
    const Lognormal lognormal(variation);
    const double wait =
        mean_wait(1, 70, [&](Random& random) { return 0.01 * lognormal.draw(random); });
    const double expected = 0.7 / 0.3 * 0.01 * (1 + variation * variation) / 2;
    EXPECT_NEAR(wait / expected, 1, 0.05) << variation;
  }
}

class StationTest : public ::testing::Test {
 protected:
  void arrive(double at, float service) {
    outcomes_.arrived(at);
    station_.arrive({at, service, false}, &counters_);
  }
  Outcomes outcomes_{1, false, 100, 1};
  Station station_{outcomes_, 3};
  Counters counters_;
};

TEST_F(StationTest, ServesFirstInFirstOutByWhicheverServerIsFree) {
  station_.add_servers(counters_, 2, 0);
  arrive(0, 4);
  arrive(0, 1);
  arrive(0, 1);  // Begun at 1, done at 2.
  station_.advance(0.5);
  EXPECT_EQ(station_.waiting(), 1);
  EXPECT_EQ(station_.in_progress(), 2);
  station_.advance(1.5);
  EXPECT_EQ(station_.waiting(), 0);
  EXPECT_EQ(counters_.finished, 1);
  station_.advance(4);
  EXPECT_EQ(counters_.finished, 3);
  EXPECT_EQ(counters_.duration_seconds, 4 + 1 + 2);
  EXPECT_EQ(outcomes_.seconds[0].missed, 2U);  // Over 1 s.
  EXPECT_TRUE(station_.is_empty());
}

TEST_F(StationTest, RefusesWhatMoreThanTheLimitWouldWait) {
  station_.add_servers(counters_, 1, 0);
  for (int i = 0; i < 6; ++i) arrive(0.5, 1);
  EXPECT_EQ(outcomes_.failed, 2);  // One is served, three wait.
  EXPECT_EQ(outcomes_.seconds[0].missed, 2U);
}

TEST_F(StationTest, LosesWhatItHasWhenItsPodEnds) {
  station_.add_servers(counters_, 1, 0);
  arrive(0, 1);
  arrive(0, 5);
  arrive(0, 1);
  station_.advance(2);
  station_.abandon_all();
  EXPECT_EQ(outcomes_.served, 1);
  EXPECT_EQ(outcomes_.failed, 2);
  EXPECT_TRUE(station_.is_empty());
}

TEST_F(StationTest, ServersThatLeaveEndWhatTheyBeganAndBeginNothing) {
  Counters other;
  station_.add_servers(counters_, 1, 0);
  station_.add_servers(other, 1, 0);
  arrive(0, 2);
  arrive(0, 2);
  arrive(0, 1);
  station_.advance(1);
  station_.remove_servers(other);
  EXPECT_EQ(station_.in_progress(other), 1);
  station_.advance(10);
  EXPECT_EQ(other.finished, 1);
  EXPECT_EQ(counters_.finished, 2);
}

TEST_F(StationTest, KnowsTheIntegralOfWhatIsInProgress) {
  station_.add_servers(counters_, 1, 0);
  arrive(1, 2);
  arrive(2, 2);
  station_.advance(4);
  // 1 request for 4 - 1 = 2 s until 3, the other since 2: 2 + 2.
  const double now = 4;
  EXPECT_EQ(now * static_cast<double>(counters_.arrived - counters_.finished) -
                counters_.arrived_at + counters_.finished_at,
            4);
}

}  // namespace
}  // namespace scalableapp::simulation
