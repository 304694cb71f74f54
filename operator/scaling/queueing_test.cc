// The formulas against values that are known otherwise. Sakasegawa's approximation is exact for one
// server. For more its mean wait is over that by Erlang's C by 0.035 of the service time at most, which
// is 6 % at a utilization of 0.9 or more; for 20 servers at 0.7, where 1.6 % of the service time is
// waited, it is half as much again. It errs towards more replicas.
#include "operator/scaling/queueing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace scalableapp::scaling {
namespace {

// Erlang's C by the recursion of Erlang's B, for whole servers.
double erlang_c(int servers, double utilization) {
  const double offered = servers * utilization;
  double blocked = 1;
  for (int i = 1; i <= servers; ++i) blocked = offered * blocked / (i + offered * blocked);
  return blocked / (1 - utilization * (1 - blocked));
}

TEST(ErlangC, AgreesWithTheTables) {
  // Two erlangs on three servers: 4/9. Eight on ten: 0.409.
  EXPECT_NEAR(erlang_c(3, 2.0 / 3), 4.0 / 9, 1e-9);
  EXPECT_NEAR(erlang_c(10, 0.8), 0.409, 0.001);
}

TEST(MeanWait, OfOneServerIsThatOfMM1) {
  // W = rho * service / (1 - rho).
  const Station station{.servers = 1, .service_seconds = 0.1};
  EXPECT_NEAR(mean_wait(station, 5), 0.1, 1e-12) << "0.5 * 0.1 / 0.5";
  EXPECT_NEAR(mean_wait(station, 8), 0.4, 1e-12) << "0.8 * 0.1 / 0.2";
  EXPECT_NEAR(mean_wait(station, 9), 0.9, 1e-12) << "0.9 * 0.1 / 0.1";
  EXPECT_EQ(mean_wait(station, 0), 0);
}

TEST(WaitQuantile, OfOneServerIsThatOfMM1) {
  // P(W > t) = rho exp(-(1 - rho) t / service).
  const Station station{.servers = 1, .service_seconds = 0.1};
  EXPECT_NEAR(wait_quantile(station, 5, 0.99), std::log(50.0) * 0.2, 1e-12);
  EXPECT_NEAR(wait_quantile(station, 8, 0.9), std::log(8.0) * 0.5, 1e-12);
  EXPECT_EQ(wait_quantile(station, 5, 0.5), 0) << "half of them do not wait at all";
  EXPECT_EQ(wait_quantile(station, 0, 0.99), 0);
}

TEST(Waits, OfSeveralServersAreNearErlangs) {
  for (const int servers : {1, 2, 3, 5, 10, 20, 50}) {
    for (const double utilization : {0.3, 0.5, 0.7, 0.8, 0.9, 0.95}) {
      const Station station{.servers = static_cast<double>(servers), .service_seconds = 1};
      const double rate = servers * utilization;
      const double exact = erlang_c(servers, utilization) / (servers * (1 - utilization));
      const double mean = mean_wait(station, rate);
      SCOPED_TRACE(testing::Message() << servers << " servers at " << utilization);
      EXPECT_NEAR(mean, exact, 0.035);
      EXPECT_GE(mean, 0.99 * exact);
      if (utilization >= 0.9) {
        EXPECT_LE(mean, 1.06 * exact);
      }
      const double quantile =
          std::max(0.0, std::log(100 * erlang_c(servers, utilization)) / (servers * (1 - utilization)));
      EXPECT_GE(wait_quantile(station, rate, 0.99), 0.99 * quantile);
      EXPECT_LE(wait_quantile(station, rate, 0.99), 1.06 * quantile + 0.3);
    }
  }
}

TEST(Waits, AreWithoutEndFromCapacityOn) {
  const Station station{.servers = 2, .service_seconds = 0.5};
  EXPECT_EQ(station.capacity(), 4);
  for (const double rate : {4.0, 4.1, 1e9}) {
    EXPECT_TRUE(std::isinf(mean_wait(station, rate))) << rate;
    EXPECT_TRUE(std::isinf(wait_quantile(station, rate, 0.99))) << rate;
  }
  EXPECT_GT(mean_wait(station, 3.999), 100);
}

TEST(Waits, RiseWithTheRateAndFallWithTheServers) {
  for (const double servers : {0.5, 1.0, 1.7, 4.0, 12.5}) {
    double mean = 0, quantile = 0;
    for (double utilization = 0.05; utilization < 1; utilization += 0.05) {
      const Station station{servers, 0.1};
      const double rate = utilization * station.capacity();
      EXPECT_GT(mean_wait(station, rate), mean);
      EXPECT_GE(wait_quantile(station, rate, 0.95), quantile);
      mean = mean_wait(station, rate), quantile = wait_quantile(station, rate, 0.95);
      EXPECT_LT(mean_wait({servers + 0.1, 0.1}, rate), mean);
    }
  }
}

TEST(RateForWait, IsTheHighestRateWithThatWait) {
  for (const double servers : {0.5, 1.0, 2.5, 8.0, 40.0}) {
    for (const double allowed : {0.01, 0.1, 1.0}) {
      const Station station{servers, 0.05};
      const double rate = rate_for_wait(station, 0.99, allowed, 0.999);
      ASSERT_GT(rate, 0) << servers << " servers, " << allowed << " s";
      EXPECT_LE(wait_quantile(station, rate, 0.99), 1.000001 * allowed);
      if (rate < 0.998 * station.capacity()) {
        EXPECT_GE(wait_quantile(station, rate, 0.99), 0.99 * allowed)
            << servers << " servers, " << allowed << " s";
      }
    }
  }
}

TEST(RateForWait, IsBoundByTheUtilization) {
  const Station station{4, 0.1};
  EXPECT_DOUBLE_EQ(rate_for_wait(station, 0.99, 1e6, 0.85), 34);
  EXPECT_LT(rate_for_wait(station, 0.99, 0.001, 0.85), 34);
}

TEST(RateForWait, OfNoWaitAllowedIsWhereHardlyAnybodyWaits) {
  const Station station{1, 0.1};
  EXPECT_NEAR(rate_for_wait(station, 0.9, 0, 0.85), 1, 1e-4) << "one in ten waits";
  EXPECT_EQ(rate_for_wait(station, 0.9, -0.001, 0.85), 0);
}

TEST(FitServers, InvertsTheMeanWait) {
  for (const double servers : {0.5, 1.0, 2.0, 3.7, 10.0, 64.0}) {
    for (const double utilization : {0.5, 0.7, 0.9, 0.99}) {
      const Station station{servers, 0.05};
      const double rate = utilization * station.capacity();
      const double wait = mean_wait(station, rate);
      if (wait < 1e-9) continue;  // Nobody waits: any larger number explains that, too.
      EXPECT_NEAR(fit_servers(rate, 0.05, 1, wait), servers, 0.001 * servers) << utilization;
    }
  }
}

TEST(FitServers, IsNeverFewerThanAreBusy) {
  EXPECT_GE(fit_servers(100, 0.1, 1, 1e9), 10);
  EXPECT_NEAR(fit_servers(100, 0.1, 1, 1e9), 10, 0.01);
  EXPECT_GT(fit_servers(100, 0.1, 1, 0), 10) << "nothing waits, so there are spare ones";
}

TEST(Variability, OfALognormalTimeIsTakenFromItsQuantile) {
  EXPECT_DOUBLE_EQ(variability_of(1, 0.99), 0.5) << "constant";
  // cv 0.3: sigma^2 = ln 1.09, the 99 % quantile is exp(2.3263 sigma - sigma^2 / 2) = 1.895 means.
  EXPECT_NEAR(variability_of(1.895, 0.99), 1.09 / 2, 0.005);
  // cv 1: sigma^2 = ln 2, exp(2.3263 * 0.8326 - 0.3466) = 4.906.
  EXPECT_NEAR(variability_of(4.906, 0.99), 1, 0.01);
}

TEST(Variability, OfConstantServiceHalvesTheWait) {
  EXPECT_DOUBLE_EQ(mean_wait({1, 0.1, 0.5}, 8), mean_wait({1, 0.1, 1}, 8) / 2);
}

}  // namespace
}  // namespace scalableapp::scaling
