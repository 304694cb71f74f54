#include "workload/protection/circuit_breaker.h"

#include <algorithm>

namespace scalableapp::workload {
namespace {

long long second_of(Instant now) { return std::chrono::floor<seconds>(now.time_since_epoch()).count(); }

}  // namespace

std::optional<CircuitBreaker::Pass> CircuitBreaker::try_enter(Instant now) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kOpen && now >= open_until_) become(State::kHalfOpen);
  if (state_ == State::kOpen) return std::nullopt;
  if (state_ == State::kHalfOpen) {
    if (half_open_entered_ >= options_.half_open_calls) return std::nullopt;
    ++half_open_entered_;
  }
  return Pass{epoch_, now};
}

void CircuitBreaker::leave(const Pass& pass, Verdict verdict, Instant now, double jitter) {
  const std::lock_guard lock(mutex_);
  if (pass.epoch != epoch_) return;
  const bool is_bad =
      verdict == Verdict::kFailure || (verdict == Verdict::kSuccess && now - pass.began >= options_.slow_call);
  if (state_ == State::kHalfOpen) {
    if (is_bad) return open(now, jitter);
    if (verdict == Verdict::kNothing) {
      --half_open_entered_;
    } else if (++half_open_succeeded_ >= options_.half_open_calls) {
      become(State::kClosed);
      pause_ = {};
    }
  } else if (verdict != Verdict::kNothing) {
    Slice& slice = slices_[static_cast<std::size_t>(second_of(now)) % slices_.size()];
    if (slice.second != second_of(now)) slice = {second_of(now), 0, 0};
    ++slice.calls;
    if (is_bad) ++slice.bad;
    if (is_bad && too_many_bad(now)) open(now, jitter);
  }
}

bool CircuitBreaker::too_many_bad(Instant now) const {
  int calls = 0;
  int bad = 0;
  for (const Slice& slice : slices_) {
    if (slice.second <= second_of(now) - static_cast<long long>(slices_.size())) continue;
    calls += slice.calls;
    bad += slice.bad;
  }
  return calls >= options_.min_calls && bad >= options_.failure_share * calls;
}

void CircuitBreaker::open(Instant now, double jitter) {
  pause_ = std::clamp(pause_ * 2, options_.first_pause, options_.max_pause);
  open_until_ = now + to_duration(to_seconds(pause_) * (1 - jitter / 2));
  become(State::kOpen);
}

void CircuitBreaker::become(State state) {
  state_ = state;
  ++epoch_;
  slices_ = {};
  half_open_entered_ = 0;
  half_open_succeeded_ = 0;
}

CircuitBreaker::State CircuitBreaker::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

milliseconds CircuitBreaker::tries_again_in(Instant now) const {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kOpen || now >= open_until_) return {};
  return std::chrono::ceil<milliseconds>(open_until_ - now);
}

const char* to_string(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::kClosed: return "closed";
    case CircuitBreaker::State::kHalfOpen: return "half-open";
    case CircuitBreaker::State::kOpen: return "open";
  }
  return "";
}

}  // namespace scalableapp::workload
