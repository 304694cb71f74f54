// Stops calling a dependency that does not answer: its callers fail at once instead of holding a thread each until a
// time-out, and the dependency is left alone to recover.
//
//   closed     calls go through; opens when, of at least `min_calls` in the last 10 s, the share of failed or slow ones
//              reaches its bound
//   open       calls are refused until the pause is over: 1 s, doubled each time it opens again, at most 30 s, each cut
//              by up to half at random, so that a hundred pods do not come back at once
//   half-open  at most `half_open_calls` go through; all succeed: closed; one fails or is slow: open again
//
// A call that began before the last change of state says nothing any more. Thread-safe; time and chance are arguments.
#pragma once

#include <array>
#include <mutex>
#include <optional>

#include "operator/base/time.h"
#include "workload/common/instant.h"

namespace scalableapp::workload {

struct CircuitBreakerOptions {
  int min_calls = 10;
  double failure_share = 0.5;
  milliseconds slow_call{1000};  // A success that took longer is as bad as a failure.
  int half_open_calls = 3;
  milliseconds first_pause{1000};
  milliseconds max_pause{30'000};
};

class CircuitBreaker {
 public:
  enum class State { kClosed = 0, kHalfOpen = 1, kOpen = 2 };
  struct Pass {
    int epoch;
    Instant began;
  };
  enum class Verdict { kSuccess, kFailure, kNothing };  // kNothing: the call says nothing of the dependency.

  explicit CircuitBreaker(const CircuitBreakerOptions& options) : options_(options) {}

  // None: do not call. Each pass must be given back by one leave().
  std::optional<Pass> try_enter(Instant now);
  // `jitter` in [0, 1) shortens the pause if this opens the circuit.
  void leave(const Pass& pass, Verdict verdict, Instant now, double jitter);

  State state() const;
  // How long until a call is let through; 0 unless open.
  milliseconds tries_again_in(Instant now) const;

 private:
  struct Slice {
    long long second = 0;
    int calls = 0;
    int bad = 0;
  };
  void become(State state);
  void open(Instant now, double jitter);
  bool too_many_bad(Instant now) const;

  const CircuitBreakerOptions options_;
  mutable std::mutex mutex_;  // Guards the rest.
  State state_ = State::kClosed;
  int epoch_ = 0;  // Counts changes of state.
  std::array<Slice, 10> slices_{};
  Instant open_until_{};
  milliseconds pause_{};
  int half_open_entered_ = 0;
  int half_open_succeeded_ = 0;
};

const char* to_string(CircuitBreaker::State state);

}  // namespace scalableapp::workload
