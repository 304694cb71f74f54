#include "operator/platform/clock.h"

#include <utility>

namespace scalableapp {

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

MonotonicTime SystemClock::monotonic_now() const {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::steady_clock::now());
}

void SystemClock::wait_until(std::condition_variable_any& condition,
                             std::unique_lock<std::mutex>& lock, MonotonicTime deadline,
                             std::stop_token stop) const {
  // The predicate is false once, then true: one wake-up, from whichever of the three comes first,
  // and none is missed between the check and the wait.
  bool waited = false;
  condition.wait_until(lock, stop, deadline, [&waited] { return std::exchange(waited, true); });
}

bool sleep_for(const Clock& clock, milliseconds duration, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  const MonotonicTime deadline = clock.monotonic_now() + duration;
  while (!stop.stop_requested() && clock.monotonic_now() < deadline) {
    clock.wait_until(condition, lock, deadline, stop);
  }
  return !stop.stop_requested();
}

}  // namespace scalableapp
