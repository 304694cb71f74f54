// The delays between tries of something that keeps failing: 800 ms, 1.6 s, 3.2 s, ..., each longer
// by up to 100 % at random so that clients which failed together do not come back together. For the
// same reason those that have reached the cap are drawn from its upper half. Pure: time and chance
// are arguments. Does not wait. Thread-compatible.
//
//   Backoff backoff;
//   clock.wait_for(backoff.next(clock.monotonic_now(), random.uniform()));
#pragma once

#include <optional>

#include "operator/base/time.h"

namespace scalableapp {

// client-go's reflector: about one request a second at first, one in 15 to 30 s in the end.
struct BackoffPolicy {
  milliseconds first{800};
  milliseconds cap{30'000};           // Jitter included: no delay is longer.
  milliseconds reset_after{120'000};  // So long after a delay's end the first delay holds again.
  bool operator==(const BackoffPolicy&) const = default;
};

class Backoff {
 public:
  explicit Backoff(const BackoffPolicy& policy = {}) : policy_(policy) {}

  // How long to wait from `now`, after one more failure. `chance` is uniform in [0, 1).
  milliseconds next(MonotonicTime now, double chance);
  // It worked: the next failure is a first one.
  void reset() { waited_until_.reset(); }

 private:
  BackoffPolicy policy_;
  milliseconds delay_{0};  // The next one, before jitter.
  std::optional<MonotonicTime> waited_until_;
};

}  // namespace scalableapp
