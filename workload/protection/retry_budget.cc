#include "workload/protection/retry_budget.h"

#include <algorithm>

namespace scalableapp::workload {

RetryBudget::RetryBudget(double share) : share_(share), saved_(share > 0 ? kMostSaved : 0) {}

void RetryBudget::call_made() {
  const std::lock_guard lock(mutex_);
  saved_ = std::min(saved_ + share_, kMostSaved);
}

bool RetryBudget::try_retry() {
  const std::lock_guard lock(mutex_);
  if (saved_ < 1) return false;
  saved_ -= 1;
  return true;
}

milliseconds retry_pause(int retry, double jitter) {
  const double pause = 25.0 * (1 << std::clamp(retry - 1, 0, 10));
  return milliseconds(static_cast<long long>(std::min(pause, 500.0) * (1 - jitter)));
}

}  // namespace scalableapp::workload
