#include "workload/cache/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "workload/testing/eventually.h"

namespace scalableapp::workload {
namespace {

using Outcome = SingleFlight::Outcome;

// Work that goes on until the test says so.
class Gate {
 public:
  SingleFlight::Work work(Result<std::string> result) {
    return [this, result = std::move(result)] {
      ++begun;
      opened_.wait();
      return result;
    };
  }
  void open() { promise_.set_value(); }
  std::atomic<int> begun = 0;

 private:
  std::promise<void> promise_;
  std::shared_future<void> opened_ = promise_.get_future().share();
};

TEST(SingleFlight, OneWorksAndTheOthersGetWhatItGot) {
  SingleFlight flights(seconds(60));
  Gate gate;
  std::vector<std::future<Outcome>> callers;
  std::atomic<int> asked = 0;
  for (int index = 0; index < 20; ++index) {
    callers.push_back(std::async(std::launch::async, [&] {
      ++asked;
      return flights.run("a", gate.work("value"));
    }));
  }
  ASSERT_TRUE(eventually([&] { return asked == 20 && gate.begun >= 1; }));
  EXPECT_EQ(gate.begun, 1);
  EXPECT_EQ(flights.run("b", [] { return Result<std::string>("other"); }).result, "other") << "keys do not wait";
  gate.open();
  for (auto& caller : callers) EXPECT_EQ(caller.get().result, "value");
}

TEST(SingleFlight, AnErrorIsGivenToAllAndNotKept) {
  SingleFlight flights(seconds(60));
  Gate gate;
  const Error down{ErrorCode::kUnavailable, "database down"};
  auto first = std::async(std::launch::async, [&] { return flights.run("a", gate.work(tl::unexpected(down))); });
  ASSERT_TRUE(eventually([&] { return gate.begun == 1; }));
  auto second = std::async(std::launch::async, [&] { return flights.run("a", gate.work(tl::unexpected(down))); });
  gate.open();
  EXPECT_EQ(first.get().result.error(), down);
  EXPECT_EQ(second.get().result.error(), down);
  EXPECT_EQ(flights.run("a", [] { return Result<std::string>("up again"); }).result, "up again");
}

TEST(SingleFlight, WhoHangsIsReplacedByOneOfThoseWhoWait) {
  SingleFlight flights(milliseconds(50));
  Gate gate;
  auto hangs = std::async(std::launch::async, [&] { return flights.run("a", gate.work("late")); });
  ASSERT_TRUE(eventually([&] { return gate.begun == 1; }));
  // Waits no longer than its patience, then works itself or learns that it took too long.
  EXPECT_TRUE(eventually([&] {
    const auto outcome = flights.run("a", [] { return Result<std::string>("mine"); });
    return outcome.result == "mine" && !outcome.is_shared;
  }));
  gate.open();
  EXPECT_EQ(hangs.get().result, "late");
}

TEST(SingleFlight, WhoWaitsOnOneHangingAfterTheOtherGivesUp) {
  SingleFlight flights(milliseconds(50));
  Gate gate;
  std::vector<std::future<Outcome>> hanging;
  std::atomic<bool> gave_up = false;
  // Each that is given up is followed by one that hangs as well.
  EXPECT_TRUE(eventually([&] {
    hanging.push_back(std::async(std::launch::async, [&] {
      auto outcome = flights.run("a", gate.work("late"));
      if (!outcome.result && outcome.result.error().code == ErrorCode::kTimeout) gave_up = true;
      return outcome;
    }));
    return gave_up.load();
  }));
  gate.open();
}

TEST(SingleFlight, WhoThrowsLeavesAnErrorBehindAndBlocksNobody) {
  SingleFlight flights(seconds(60));
  Gate gate;
  auto dies = std::async(std::launch::async, [&] {
    return flights.run("a", [&]() -> Result<std::string> {
      (void)gate.work("")();
      throw std::runtime_error("bug");
    });
  });
  ASSERT_TRUE(eventually([&] { return gate.begun == 1; }));
  std::atomic<bool> asks = false;
  auto waits = std::async(std::launch::async, [&] {
    asks = true;
    return flights.run("a", [] { return Result<std::string>("mine"); });
  });
  ASSERT_TRUE(eventually([&] { return asks.load(); }));
  gate.open();
  EXPECT_THROW(dies.get(), std::runtime_error);
  const auto outcome = waits.get();
  EXPECT_TRUE(outcome.result == "mine" || outcome.result.error().code == ErrorCode::kInternal);
}

TEST(SingleFlight, WhoAsksAfterTheKeyWasForgottenDoesNotGetWhatWasBegunBefore) {
  SingleFlight flights(seconds(60));
  Gate gate;
  auto before = std::async(std::launch::async, [&] { return flights.run("a", gate.work("old")); });
  ASSERT_TRUE(eventually([&] { return gate.begun == 1; }));
  flights.forget("a");
  EXPECT_EQ(flights.run("a", [] { return Result<std::string>("new"); }).result, "new");
  gate.open();
  EXPECT_EQ(before.get().result, "old");
}

}  // namespace
}  // namespace scalableapp::workload
