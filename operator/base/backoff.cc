#include "operator/base/backoff.h"

#include <algorithm>

namespace scalableapp {

milliseconds Backoff::next(MonotonicTime now, double chance) {
  if (!waited_until_ || now - *waited_until_ >= policy_.reset_after) delay_ = policy_.first;
  const milliseconds shortest = delay_ < policy_.cap ? delay_ : policy_.cap / 2;
  const milliseconds longest = std::min(delay_ * 2, policy_.cap);
  const double extra = static_cast<double>((longest - shortest).count()) * chance;
  const milliseconds delay = shortest + milliseconds{static_cast<milliseconds::rep>(extra)};
  delay_ = std::min(delay_ * 2, policy_.cap);
  waited_until_ = now + delay;
  return delay;
}

}  // namespace scalableapp
