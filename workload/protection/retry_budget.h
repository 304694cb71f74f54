// Retries as a share of calls: each call earns `share` of a retry, each retry costs one (as in Finagle's RetryBudget;
// gRPC's retryThrottling is akin). A blip is retried away; an outage is not multiplied by the number of tries, which is
// what keeps an overloaded dependency down. Savings are capped, so that a quiet hour pays for no storm. Thread-safe.
#pragma once

#include <mutex>

#include "operator/base/time.h"

namespace scalableapp::workload {

class RetryBudget {
 public:
  static constexpr double kMostSaved = 10;  // Retries; also what a new budget starts with, unless its share is 0.

  explicit RetryBudget(double share);

  void call_made();  // Once a call, whatever its number of tries.
  bool try_retry();  // False: do not.

 private:
  const double share_;
  std::mutex mutex_;  // Guards the next.
  double saved_;
};

// The wait before retry number `retry` (from 1): 25 ms doubled each time, at most 500 ms; `jitter` in [0, 1) takes away
// that share of it.
milliseconds retry_pause(int retry, double jitter);

}  // namespace scalableapp::workload
