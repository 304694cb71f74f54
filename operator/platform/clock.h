// The only door to the machine's clocks. Everything that must know the time takes a Clock& (threads)
// or a WallTime/MonotonicTime argument (pure code). Tests use tests/support/fake_clock.h.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "operator/base/time.h"

namespace scalableapp {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual MonotonicTime monotonic_now() const = 0;
  // Waits on `condition` with `lock` held until it is notified, `deadline` passes or `stop` is asked
  // for. Like a condition variable's wait it may wake early: loop on your own predicate.
  virtual void wait_until(std::condition_variable_any& condition, std::unique_lock<std::mutex>& lock,
                          MonotonicTime deadline, std::stop_token stop) const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  MonotonicTime monotonic_now() const override;
  void wait_until(std::condition_variable_any& condition, std::unique_lock<std::mutex>& lock,
                  MonotonicTime deadline, std::stop_token stop) const override;
};

// Sleeps for `duration` or until `stop` is asked for, whichever is first. False if stopped.
bool sleep_for(const Clock& clock, milliseconds duration, std::stop_token stop);

}  // namespace scalableapp
