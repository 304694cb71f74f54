// One thing that the service calls and that may fail on its own: a circuit breaker and a retry budget around its calls.
//
//   Dependency& payments = protection.dependency("payments");
//   auto paid = payments.call(Retry::kAllowed, [&] { return pay(order); });   // Result<T>, as pay() returns
//
// A failure is kUnavailable or kTimeout; every other error is an answer. Refused calls fail with kUnavailable and
// retry_after. The calls' time-outs are their own (RedisOptions, connection options). Thread-safe; the pauses between
// tries block the calling thread, at most 0.5 s each.
#pragma once

#include <mutex>
#include <string>

#include "operator/base/result.h"
#include "operator/platform/random.h"
#include "workload/protection/circuit_breaker.h"
#include "workload/protection/retry_budget.h"

namespace scalableapp::workload {

class ProtectionMetrics;

enum class Retry { kNever, kAllowed };  // kAllowed: the call may be carried out twice.

class Dependency {
 public:
  static constexpr int kMostTries = 3;

  // Without a breaker all calls go through. `metrics` must outlive this.
  Dependency(std::string name, bool with_breaker, double retry_share, ProtectionMetrics& metrics,
             const CircuitBreakerOptions& options = {});

  template <typename Call>
  auto call(Retry retry, Call&& call) -> decltype(call()) {
    budget_.call_made();
    for (int tries = 1;; ++tries) {
      const auto pass = enter();
      if (!pass) return tl::unexpected(pass.error());
      auto result = call();
      leave(*pass, result ? nullptr : &result.error());
      if (result || retry == Retry::kNever || tries == kMostTries || !retry_after_pause(result.error(), tries)) {
        return result;
      }
    }
  }
  CircuitBreaker::State state() const { return breaker_.state(); }

 private:
  Result<CircuitBreaker::Pass> enter();
  void leave(const CircuitBreaker::Pass& pass, const Error* error);
  // False if the error is not worth a retry or the budget is spent; else waits.
  bool retry_after_pause(const Error& error, int tries);
  void tell_state();

  const std::string name_;
  const bool with_breaker_;
  ProtectionMetrics& metrics_;
  CircuitBreaker breaker_;
  RetryBudget budget_;
  Random random_;
  std::mutex telling_;  // Guards the next.
  CircuitBreaker::State told_ = CircuitBreaker::State::kClosed;
};

}  // namespace scalableapp::workload
