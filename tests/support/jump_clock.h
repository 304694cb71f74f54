// A Clock whose waits pass at once by moving the time to their deadline: for code with delays that
// runs on the test's own thread. Remembers how long each wait was. Thread-compatible.
#pragma once

#include <vector>

#include "operator/platform/clock.h"

namespace scalableapp {

class JumpClock final : public Clock {
 public:
  WallTime wall_now() const override { return wall_; }
  MonotonicTime monotonic_now() const override { return now_; }
  void wait_until(std::condition_variable_any&, std::unique_lock<std::mutex>&,
                  MonotonicTime deadline, std::stop_token) const override {
    waits_.push_back(deadline - now_);
    advance(deadline - now_);
  }

  void advance(milliseconds by) const {
    wall_ += by;
    now_ += by;
  }
  const std::vector<milliseconds>& waits() const { return waits_; }

 private:
  mutable WallTime wall_{seconds(1'800'000'000)};
  mutable MonotonicTime now_{seconds(1'000)};
  mutable std::vector<milliseconds> waits_;
};

}  // namespace scalableapp
