#include "workload/jobs/age_gate.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {
namespace {

constexpr double kOpenShare = 0.5;       // Of the bound; in between, the gate stays as it is.
constexpr double kSmoothingSeconds = 5;  // Long enough that single jobs do not show.

}  // namespace

void AgeGate::look(Instant now, const Backlog& backlog) {
  if (looked_ && backlog.finished >= last_.finished && now > *looked_) {
    const double elapsed = to_seconds(now - *looked_);
    const double rate = static_cast<double>(backlog.finished - last_.finished) / elapsed;
    const double weight = finished_per_second_ ? 1 - std::exp(-elapsed / kSmoothingSeconds) : 1;
    finished_per_second_ = finished_per_second_.value_or(0) * (1 - weight) + rate * weight;
  } else if (looked_ && backlog.finished < last_.finished) {
    finished_per_second_.reset();  // Another Redis, or the same one emptied.
  }
  looked_ = now;
  last_ = backlog;
  if (backlog.oldest_age_seconds > max_age_seconds_) is_closed_ = true;
  if (backlog.oldest_age_seconds <= max_age_seconds_ * kOpenShare) is_closed_ = false;
}

// With nothing coming in, the line shrinks by what is finished. Its jobs came in evenly over `age` seconds, so its new
// first is younger than the one before by age / waiting, and each second adds one: that leaves age - t * (rate * age /
// waiting - 1) after t seconds, and an empty line after waiting / rate.
double AgeGate::seconds_until_open() const {
  const double rate = finished_per_second_.value_or(0);
  if (rate <= 0) return static_cast<double>(kLongestRetryAfter.count());
  const double until_empty = static_cast<double>(last_.waiting) / rate;
  const double shrinks_by = last_.waiting > 0 ? rate * last_.oldest_age_seconds / static_cast<double>(last_.waiting) - 1 : 0;
  if (shrinks_by <= 0) return until_empty;
  return std::min(until_empty, (last_.oldest_age_seconds - max_age_seconds_ * kOpenShare) / shrinks_by);
}

std::optional<seconds> AgeGate::retry_after(Instant now) const {
  if (max_age_seconds_ <= 0 || !is_closed_ || now - *looked_ > kStale) return std::nullopt;
  const double left = seconds_until_open() - to_seconds(now - *looked_);
  return seconds(std::clamp(static_cast<long long>(std::ceil(left)), 1LL, static_cast<long long>(kLongestRetryAfter.count())));
}

}  // namespace scalableapp::workload
