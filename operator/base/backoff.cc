#include "operator/base/backoff.h"

#include <algorithm>

namespace scalableapp {

milliseconds Backoff::next(MonotonicTime now, double chance) {
  if (!waited_until_ || now - *waited_until_ >= policy_.reset_after) delay_ = policy_.first;
  const double stretched = static_cast<double>(delay_.count()) * (1.0 + chance);
  const milliseconds delay =
      std::min(milliseconds{static_cast<milliseconds::rep>(stretched)}, policy_.cap);
  delay_ = std::min(delay_ * 2, policy_.cap);
  waited_until_ = now + delay;
  return delay;
}

}  // namespace scalableapp
