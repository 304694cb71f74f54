#include "workload/protection/concurrency_limit.h"

#include <algorithm>

namespace scalableapp::workload {

int admitted_below(Priority priority, int limit) {
  if (priority == Priority::kOptional) return std::max(1, limit * 3 / 4);
  return priority == Priority::kNormal ? limit : limit * 2;
}

std::optional<ConcurrencyLimit::Place> ConcurrencyLimit::try_acquire(Priority priority, Instant now) {
  const std::lock_guard lock(mutex_);
  if (in_flight_ >= admitted_below(priority, gradient_.limit_now())) {
    if (priority != Priority::kOptional) gradient_.refused(now);
    return std::nullopt;
  }
  const Place place{now, in_flight_ < admitted_below(priority, gradient_.uncrowded_limit())};
  gradient_.admitted(++in_flight_);
  return place;
}

int ConcurrencyLimit::release(const Place& place, Ending outcome, Instant now) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  if (outcome == Ending::kServed) gradient_.served(place.began, place.uncrowded, now);
  if (outcome == Ending::kDropped) gradient_.dropped();
  return gradient_.limit();
}

int ConcurrencyLimit::limit() const {
  const std::lock_guard lock(mutex_);
  return gradient_.limit();
}

int ConcurrencyLimit::in_flight() const {
  const std::lock_guard lock(mutex_);
  return in_flight_;
}

}  // namespace scalableapp::workload
