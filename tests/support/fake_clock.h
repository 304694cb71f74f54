// A Clock that stands still until the test moves it. Threads that wait on it are woken when their
// deadline is reached, never by real time, so tests need no sleeps. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "operator/platform/clock.h"

namespace scalableapp {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime wall = WallTime(seconds(1'800'000'000)),
                     MonotonicTime monotonic = MonotonicTime(seconds(1'000)))
      : wall_(wall), monotonic_(monotonic) {}

  WallTime wall_now() const override {
    std::lock_guard lock(mutex_);
    return wall_;
  }
  MonotonicTime monotonic_now() const override {
    std::lock_guard lock(mutex_);
    return monotonic_;
  }

  void wait_until(std::condition_variable_any& condition, std::unique_lock<std::mutex>& lock,
                  MonotonicTime deadline, std::stop_token stop) const override {
    std::list<Sleeper>::iterator self;
    {
      std::lock_guard guard(mutex_);
      if (monotonic_ >= deadline) return;
      self = sleepers_.insert(sleepers_.end(), Sleeper{&condition, lock.mutex(), deadline});
    }
    changed_.notify_all();
    bool waited = false;
    condition.wait(lock, stop, [&waited] { return std::exchange(waited, true); });
    std::lock_guard guard(mutex_);
    sleepers_.erase(self);
  }

  // Somebody sets the wall clock; monotonic time knows nothing of it.
  void set_wall_back(milliseconds by) {
    std::lock_guard lock(mutex_);
    wall_ -= by;
  }

  // Moves both times on and wakes whoever is due.
  void advance(milliseconds by) {
    std::unique_lock guard(mutex_);
    wall_ += by;
    monotonic_ += by;
    for (auto sleeper = sleepers_.begin(); sleeper != sleepers_.end();) {
      // A registered sleeper's mutex is alive while ours is held. Whoever holds it may be waiting
      // for ours, so only try.
      if (sleeper->deadline > monotonic_ || sleeper->woken) {
        ++sleeper;
      } else if (sleeper->mutex->try_lock()) {
        sleeper->woken = true;
        sleeper->condition->notify_all();
        sleeper->mutex->unlock();
        ++sleeper;
      } else {
        guard.unlock();
        std::this_thread::yield();
        guard.lock();
        sleeper = sleepers_.begin();
      }
    }
  }

  // The wall clock alone jumps, as NTP or a person makes it.
  void jump_wall(milliseconds by) {
    std::lock_guard lock(mutex_);
    wall_ += by;
  }

  // Blocks until `count` threads wait for a deadline that has not come yet.
  void await_sleepers(std::size_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      std::size_t asleep = 0;
      for (const Sleeper& sleeper : sleepers_) asleep += sleeper.deadline > monotonic_ ? 1 : 0;
      return asleep >= count;
    });
  }

 private:
  struct Sleeper {
    std::condition_variable_any* condition;
    std::mutex* mutex;
    MonotonicTime deadline;
    bool woken = false;
  };

  mutable std::mutex mutex_;  // Guards all below.
  mutable std::condition_variable changed_;
  mutable std::list<Sleeper> sleepers_;
  WallTime wall_;
  MonotonicTime monotonic_;
};

}  // namespace scalableapp
