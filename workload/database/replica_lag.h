// How far a replica is behind, by this process's own clock: samples say where the primary's log was when, and the
// replica is as old as the first sample that it has not replayed. So an idle primary makes no lag, clocks of two
// machines are never compared, and while the primary does not answer, a replica that had replayed all that was known
// stays at 0. Pure, times are arguments. One thread.
#pragma once

#include <deque>

#include "workload/common/instant.h"
#include "workload/database/read_after.h"

namespace scalableapp::workload {

// Where one primary's log was lately: positions that differ, oldest first.
class LogHistory {
 public:
  void add(Instant now, Lsn written);
  // How long ago the oldest position beyond `replayed` was seen; 0 if there is none.
  Instant::duration lag(Instant now, Lsn replayed) const;
  Lsn written() const { return samples_.empty() ? 0 : samples_.back().written; }

 private:
  struct Sample {
    Instant time;
    Lsn written;
  };
  std::deque<Sample> samples_;  // At most kMaxSamples: a replica further behind is as old as the oldest of them.
};

}  // namespace scalableapp::workload
