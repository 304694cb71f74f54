#include "operator/kube/work_queue.h"

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace scalableapp::kube {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

api::ObjectKey key(const std::string& name) { return {"default", name}; }

struct WorkQueueTest : testing::Test {
  // Takes all that is ready, without calling done.
  std::vector<std::string> take() {
    std::vector<std::string> names;
    while (queue.depth() > 0) names.push_back(queue.get({})->name);
    return names;
  }

  FakeClock clock;
  WorkQueue queue{clock};
};

TEST_F(WorkQueueTest, ServesInTheOrderOfTheFirstAdd) {
  for (const char* name : {"a", "b", "a", "c", "b"}) queue.add(key(name));
  EXPECT_EQ(queue.depth(), 3U);
  EXPECT_THAT(take(), ElementsAre("a", "b", "c"));
}

TEST_F(WorkQueueTest, AnItemAddedWhileAWorkerHasItWaitsUntilThatWorkerIsDone) {
  queue.add(key("a"));
  ASSERT_THAT(take(), ElementsAre("a"));
  queue.add(key("a"));
  queue.add(key("a"));
  EXPECT_EQ(queue.depth(), 0U);
  queue.done(key("a"));
  EXPECT_THAT(take(), ElementsAre("a"));
  queue.done(key("a"));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WorkQueueTest, ADelayedItemIsReadyAtItsTimeAndNotBefore) {
  queue.add_after(key("a"), seconds(2));
  clock.advance(milliseconds(1999));
  EXPECT_THAT(take(), IsEmpty());
  clock.advance(milliseconds(1));
  EXPECT_THAT(take(), ElementsAre("a"));
}

TEST_F(WorkQueueTest, AWorkerThatGoesOffWithAnItemLeavesTheNextDeadlineToAnother) {
  queue.add_after(key("a"), seconds(1));
  queue.add_after(key("b"), seconds(2));
  std::atomic<int> taken{0};
  std::vector<std::jthread> workers;
  std::stop_source stop;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      if (!queue.get(stop.get_token())) return;
      ++taken;
      taken.notify_all();
    });
  }
  clock.await_sleepers(1);
  clock.advance(seconds(1));
  taken.wait(0);
  clock.await_sleepers(1);
  clock.advance(seconds(1));
  taken.wait(1);
  EXPECT_EQ(taken, 2);
}

TEST_F(WorkQueueTest, TheEarliestOfSeveralDelaysWinsAndTheItemComesOnce) {
  queue.add_after(key("a"), seconds(5));
  queue.add_after(key("a"), seconds(2));
  queue.add_after(key("a"), seconds(9));
  clock.advance(seconds(2));
  EXPECT_THAT(take(), ElementsAre("a"));
  queue.done(key("a"));
  clock.advance(minutes(1));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WorkQueueTest, IsBehindOnceAnItemHasWaitedForLong) {
  EXPECT_FALSE(queue.is_behind());
  queue.add(key("a"));
  EXPECT_FALSE(queue.is_behind());
  clock.advance(WorkQueue::kBehind);
  EXPECT_TRUE(queue.is_behind());
  EXPECT_THAT(take(), ElementsAre("a"));
  EXPECT_FALSE(queue.is_behind());
}

TEST_F(WorkQueueTest, ARevisitTakesThePlaceOfAnEarlierOne) {
  queue.add_after(key("a"), seconds(2));
  queue.revisit_after(key("a"), seconds(6));
  clock.advance(seconds(3));
  EXPECT_EQ(queue.depth(), 0U);
  clock.advance(seconds(3));
  EXPECT_EQ(queue.depth(), 1U);
}

TEST_F(WorkQueueTest, ADelayThatIsNotPositiveIsNone) {
  queue.add_after(key("a"), seconds(0));
  queue.add_after(key("b"), seconds(-1));
  EXPECT_THAT(take(), ElementsAre("a", "b"));
}

TEST_F(WorkQueueTest, AddingAtOnceDoesNotCancelALaterVisit) {
  queue.add_after(key("a"), seconds(2));
  queue.add(key("a"));
  EXPECT_THAT(take(), ElementsAre("a"));
  queue.done(key("a"));
  clock.advance(seconds(2));
  EXPECT_THAT(take(), ElementsAre("a"));
}

TEST_F(WorkQueueTest, AnItemThatFailsIsKeptBackLongerEachTimeUntilItIsForgotten) {
  const auto delay = [&] {
    queue.add_rate_limited(key("a"));
    milliseconds waited{0};
    while (queue.depth() == 0) {
      clock.advance(milliseconds(5));
      waited += milliseconds(5);
    }
    queue.done(*queue.get({}));
    return waited.count();
  };
  EXPECT_EQ(delay(), 5);
  EXPECT_EQ(delay(), 10);
  EXPECT_EQ(delay(), 20);
  queue.forget(key("a"));
  EXPECT_EQ(delay(), 5);
}

TEST_F(WorkQueueTest, AnItemIsHeldBackForAsLongAsTheServerAskedWhoeverAddsIt) {
  queue.add_after(key("a"), seconds(1));  // A visit planned earlier.
  queue.add(key("a"));
  ASSERT_THAT(take(), ElementsAre("a"));
  queue.add(key("a"));  // An event while the worker is at it.
  queue.add_rate_limited(key("a"), seconds(7));
  queue.done(key("a"));
  queue.add(key("a"));
  queue.add_after(key("a"), seconds(2));
  queue.revisit_after(key("a"), seconds(3));
  clock.advance(milliseconds(6'999));
  EXPECT_THAT(take(), IsEmpty());
  clock.advance(milliseconds(1));
  EXPECT_THAT(take(), ElementsAre("a"));
  queue.done(key("a"));
  clock.advance(minutes(1));
  EXPECT_THAT(take(), IsEmpty()) << "what was asked for meanwhile is done with";
  queue.add(key("a"));
  EXPECT_THAT(take(), ElementsAre("a"));
}

TEST_F(WorkQueueTest, AnItemThatWaitsForAWorkerCanBeHeldBackToo) {
  queue.add(key("a"));
  queue.add(key("b"));
  queue.add_rate_limited(key("a"), seconds(1));
  EXPECT_THAT(take(), ElementsAre("b"));
  clock.advance(seconds(1));
  EXPECT_THAT(take(), ElementsAre("a"));
}

TEST_F(WorkQueueTest, AServerDoesNotHoldAnItemBackForLongerThanFailuresDo) {
  queue.add_rate_limited(key("a"), minutes(60));
  clock.advance(milliseconds(29'999));
  EXPECT_THAT(take(), IsEmpty());
  clock.advance(milliseconds(1));
  EXPECT_THAT(take(), ElementsAre("a"));
}

TEST_F(WorkQueueTest, AWaitingWorkerIsWokenByAnAdd) {
  std::optional<api::ObjectKey> got;
  std::jthread worker([&](std::stop_token stop) { got = queue.get(stop); });
  queue.add(key("a"));
  worker.join();
  EXPECT_EQ(got, key("a"));
}

TEST_F(WorkQueueTest, AWaitingWorkerIsWokenByADelayThatEnds) {
  std::optional<api::ObjectKey> got;
  std::jthread worker([&](std::stop_token stop) { got = queue.get(stop); });
  queue.add_after(key("late"), minutes(1));
  clock.await_sleepers(1);
  queue.add_after(key("soon"), seconds(1));
  clock.advance(seconds(1));
  worker.join();
  EXPECT_EQ(got, key("soon"));
}

TEST_F(WorkQueueTest, AnItemThatIsLateGetsAnotherWorker) {
  std::atomic<int> taken{0};
  // Neither calls done or comes back: each is stuck with what it has.
  const auto work = [&](std::stop_token stop) { taken += queue.get(stop) ? 1 : 0; };
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(work);
  for (const char* name : {"a", "b", "c"}) queue.add(key(name));
  while (taken < 3) {
    clock.advance(WorkQueue::kLate);
    std::this_thread::yield();
  }
}

TEST_F(WorkQueueTest, AStopEndsTheWaitAndLeavesWhatIsQueued) {
  std::jthread waiting([&](std::stop_token stop) { EXPECT_FALSE(queue.get(stop)); });
  std::jthread watching([&](std::stop_token stop) { EXPECT_FALSE(queue.get(stop)); });
  queue.add_after(key("a"), minutes(1));
  waiting.request_stop();
  watching.request_stop();
  waiting.join();
  watching.join();
  std::stop_source stopped;
  stopped.request_stop();
  queue.add(key("b"));
  EXPECT_FALSE(queue.get(stopped.get_token()));
  EXPECT_EQ(queue.depth(), 1U);
}

TEST_F(WorkQueueTest, ManyWorkersNeverHaveTheSameItemAtOnceAndMissNoAdd) {
  constexpr int kItems = 7;
  constexpr int kAdds = 3'000;
  std::atomic<int> workers_with[kItems] = {};
  int value[kItems] = {};  // Written by the adders.
  int seen[kItems] = {};   // Written by whichever worker has the item: the queue orders them.
  std::mutex value_mutex;
  std::atomic<bool> overlapped{false};
  const auto index = [](const api::ObjectKey& item) { return std::stoi(item.name); };
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&](std::stop_token stop) {
        while (const auto item = queue.get(stop)) {
          const int at = index(*item);
          if (++workers_with[at] != 1) overlapped = true;
          {
            std::lock_guard lock(value_mutex);
            seen[at] = value[at];
          }
          --workers_with[at];
          queue.done(*item);
        }
      });
    }
    std::vector<std::jthread> adders;
    for (int i = 0; i < 2; ++i) {
      adders.emplace_back([&, i] {
        for (int n = 0; n < kAdds; ++n) {
          const int at = (n * 5 + i) % kItems;
          {
            std::lock_guard lock(value_mutex);
            ++value[at];
          }
          n % 3 == 0 ? queue.add_after(key(std::to_string(at)), milliseconds(n % 4))
                     : queue.add(key(std::to_string(at)));
          if (n % 16 == 0) clock.advance(milliseconds(1));
        }
      });
    }
    adders.clear();
    clock.advance(seconds(1));
    const auto all_seen = [&] {
      std::lock_guard lock(value_mutex);
      return std::equal(std::begin(seen), std::end(seen), std::begin(value));
    };
    while (!all_seen()) std::this_thread::yield();
  }
  EXPECT_FALSE(overlapped);
}

TEST(RateLimiter, DoublesFromFiveMillisecondsToThirtySeconds) {
  struct Row {
    int failures;
    int want_ms;
  };
  for (const Row& row : {Row{-1, 5},
                         {0, 5},
                         {1, 10},
                         {2, 20},
                         {10, 5'120},
                         {12, 20'480},
                         {13, 30'000},
                         {1'000'000, 30'000}}) {
    EXPECT_EQ(failure_delay(row.failures, {}).count(), row.want_ms) << row.failures << " failures";
  }
}

TEST(RateLimiter, CountsEachItemByItself) {
  RateLimiter limiter;
  limiter.next_delay(key("a"));
  limiter.next_delay(key("a"));
  EXPECT_EQ(limiter.failures(key("a")), 2);
  EXPECT_EQ(limiter.failures(key("b")), 0);
  EXPECT_EQ(limiter.next_delay(key("b")), milliseconds(5));
  limiter.forget(key("a"));
  EXPECT_EQ(limiter.next_delay(key("a")), milliseconds(5));
}

}  // namespace
}  // namespace scalableapp::kube
