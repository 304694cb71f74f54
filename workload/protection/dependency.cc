#include "workload/protection/dependency.h"

#include <fmt/format.h>

#include <thread>
#include <utility>

#include "workload/protection/protection_metrics.h"

namespace scalableapp::workload {
namespace {

bool is_failure(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout;
}

CircuitBreaker::Verdict verdict_on(const Error* error) {
  if (error == nullptr) return CircuitBreaker::Verdict::kSuccess;
  if (is_failure(*error)) return CircuitBreaker::Verdict::kFailure;
  return error->code == ErrorCode::kCancelled ? CircuitBreaker::Verdict::kNothing : CircuitBreaker::Verdict::kSuccess;
}

}  // namespace

Dependency::Dependency(std::string name, bool with_breaker, double retry_share, ProtectionMetrics& metrics,
                       const CircuitBreakerOptions& options)
    : name_(std::move(name)),
      with_breaker_(with_breaker),
      metrics_(metrics),
      breaker_(options),
      budget_(retry_share) {
  metrics_.add_dependency(name_);
}

Result<CircuitBreaker::Pass> Dependency::enter() {
  const Instant now = instant_now();
  if (!with_breaker_) return CircuitBreaker::Pass{0, now};
  const auto pass = breaker_.try_enter(now);
  tell_state();
  if (pass) return *pass;
  metrics_.breaker_refused(name_);
  auto refused = fail(ErrorCode::kUnavailable, fmt::format("{}: not called, since it failed lately", name_));
  refused.value().retry_after = breaker_.tries_again_in(now);
  return refused;
}

void Dependency::leave(const CircuitBreaker::Pass& pass, const Error* error) {
  if (!with_breaker_) return;
  breaker_.leave(pass, verdict_on(error), instant_now(), random_.uniform());
  tell_state();
}

bool Dependency::retry_after_pause(const Error& error, int tries) {
  if (!is_failure(error)) return false;
  if (!budget_.try_retry()) {
    metrics_.retry_budget_exhausted(name_);
    return false;
  }
  metrics_.retried(name_);
  std::this_thread::sleep_for(retry_pause(tries, random_.uniform()));
  return true;
}

void Dependency::tell_state() {
  const std::lock_guard lock(telling_);
  const auto state = breaker_.state();
  if (std::exchange(told_, state) != state) metrics_.breaker_became(name_, state);
}

}  // namespace scalableapp::workload
