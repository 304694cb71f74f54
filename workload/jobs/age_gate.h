// Whether a producer takes jobs, by how long the first of the queue has waited: a queue that is old beyond its bound
// gets nothing more until it is young again, so that what was accepted is worked on in time. Pure: time is an argument.
// One thread at a time.
//
//   closed  from an age over the bound
//   open    from an age of half the bound or less, or when the queue has not been seen for kStale
#pragma once

#include <optional>

#include "workload/common/instant.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

class AgeGate {
 public:
  static constexpr seconds kStale{5};
  static constexpr seconds kLongestRetryAfter{30};

  // 0: always open.
  explicit AgeGate(double max_age_seconds) : max_age_seconds_(max_age_seconds) {}

  // To be told of the queue every second or so.
  void look(Instant now, const Backlog& backlog);
  // None: put it in. Otherwise how long it will take until the gate opens, if the workers keep their pace.
  std::optional<seconds> retry_after(Instant now) const;

 private:
  double seconds_until_open() const;

  const double max_age_seconds_;
  bool is_closed_ = false;
  Backlog last_;
  std::optional<Instant> looked_;
  std::optional<double> finished_per_second_;  // Smoothed over some seconds.
};

}  // namespace scalableapp::workload
