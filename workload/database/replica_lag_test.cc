#include "workload/database/replica_lag.h"

#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

constexpr Instant kStart{std::chrono::hours(1)};

Instant at(int second) { return kStart + seconds(second); }

TEST(LogHistory, AReplicaThatHasAllThatIsKnownHasNoLag) {
  LogHistory history;
  EXPECT_EQ(history.lag(at(0), 0), Instant::duration{});
  history.add(at(0), 100);
  EXPECT_EQ(history.lag(at(0), 100), Instant::duration{});
  EXPECT_EQ(history.lag(at(9), 120), Instant::duration{});  // Replayed since the primary was asked.
}

TEST(LogHistory, AReplicaIsAsOldAsTheFirstThatItLacks) {
  LogHistory history;
  history.add(at(0), 100);
  history.add(at(5), 200);
  history.add(at(6), 300);
  EXPECT_EQ(history.lag(at(10), 100), seconds(5));
  EXPECT_EQ(history.lag(at(10), 199), seconds(5));
  EXPECT_EQ(history.lag(at(10), 200), seconds(4));
}

TEST(LogHistory, AnIdlePrimaryMakesNoLag) {
  LogHistory history;
  for (int second = 0; second < 100; ++second) history.add(at(second), 100);
  EXPECT_EQ(history.lag(at(100), 100), Instant::duration{});
  history.add(at(100), 200);
  EXPECT_EQ(history.lag(at(101), 100), seconds(1));
}

TEST(LogHistory, LagGrowsWhileThePrimaryIsGone) {
  LogHistory history;
  history.add(at(0), 100);
  history.add(at(1), 200);
  EXPECT_EQ(history.lag(at(60), 150), seconds(59));
  EXPECT_EQ(history.lag(at(60), 200), Instant::duration{});
}

TEST(LogHistory, APrimaryMadeAnewBeginsItsHistoryAnew) {
  LogHistory history;
  history.add(at(0), 500);
  history.add(at(1), 100);
  EXPECT_EQ(history.lag(at(9), 100), Instant::duration{});
  EXPECT_EQ(history.written(), 100U);
}

TEST(LogHistory, ForgetsWhatIsOlderThanAnHourOfSamples) {
  LogHistory history;
  for (int second = 0; second < 10'000; ++second) history.add(at(second), static_cast<Lsn>(100 + second));
  EXPECT_EQ(history.lag(at(10'000), 0), seconds(3600));
}

}  // namespace
}  // namespace scalableapp::workload
