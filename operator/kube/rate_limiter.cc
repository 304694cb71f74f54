#include "operator/kube/rate_limiter.h"

#include <algorithm>

namespace scalableapp::kube {

milliseconds failure_delay(int failures, const RateLimits& limits) {
  milliseconds delay = limits.first;
  for (int i = 0; i < failures && delay < limits.cap; ++i) delay *= 2;
  return std::min(delay, limits.cap);
}

milliseconds RateLimiter::next_delay(const api::ObjectKey& key) {
  return failure_delay(failures_[key]++, limits_);
}

int RateLimiter::failures(const api::ObjectKey& key) const {
  const auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

}  // namespace scalableapp::kube
