// How long an item that keeps failing is kept back: twice as long after each failure. Pure; knows
// no clock. Thread-compatible.
#pragma once

#include <map>

#include "operator/api/meta.h"
#include "operator/base/time.h"

namespace scalableapp::kube {

struct RateLimits {
  // 5 ms, 10 ms, 20 ms, ...: a conflict is retried at once; 13 failures in a row (41 s) reach the
  // cap.
  milliseconds first{5};
  milliseconds cap{30'000};
};

// first * 2^failures, at most cap. `failures` < 0 counts as 0.
milliseconds failure_delay(int failures, const RateLimits& limits);

class RateLimiter {
 public:
  explicit RateLimiter(const RateLimits& limits = {}) : limits_(limits) {}

  // Counts one more failure of `key` and says how long to keep it back.
  milliseconds next_delay(const api::ObjectKey& key);
  // The item succeeded or is gone: its next failure is a first one again.
  void forget(const api::ObjectKey& key) { failures_.erase(key); }
  // Failures since the last forget.
  int failures(const api::ObjectKey& key) const;

 private:
  RateLimits limits_;
  std::map<api::ObjectKey, int> failures_;
};

}  // namespace scalableapp::kube
