#include "workload/database/replica_lag.h"

#include <algorithm>

namespace scalableapp::workload {
namespace {
constexpr std::size_t kMaxSamples = 3600;  // An hour of samples a second apart.
}  // namespace

void LogHistory::add(Instant now, Lsn written) {
  if (!samples_.empty() && written == samples_.back().written) return;
  // A primary made anew begins its log again: what was known of the old one means nothing.
  if (!samples_.empty() && written < samples_.back().written) samples_.clear();
  samples_.push_back({now, written});
  if (samples_.size() > kMaxSamples) samples_.pop_front();
}

Instant::duration LogHistory::lag(Instant now, Lsn replayed) const {
  const auto missed = std::upper_bound(samples_.begin(), samples_.end(), replayed,
                                       [](Lsn lsn, const Sample& sample) { return lsn < sample.written; });
  return missed == samples_.end() ? Instant::duration{} : now - missed->time;
}

}  // namespace scalableapp::workload
