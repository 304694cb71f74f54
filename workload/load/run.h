// One run being played: the arrivals of all its streams in order, which request each one is, and
// the record of what came of them. Time is an argument; does no IO. One thread.
#pragma once

#include <optional>
#include <random>
#include <vector>

#include "workload/common/instant.h"
#include "workload/load/plan.h"
#include "workload/load/record.h"

namespace scalableapp::workload {

struct PlannedRequest {
  Instant intended;
  std::int64_t intended_second;  // Unix time.
  std::size_t phase;
  std::size_t endpoint;
  std::size_t user;  // From 0 on.
};

class Run {
 public:
  Run(RunSpec spec, Instant began, WallTime wall_began);

  // When the next request is due; none when the schedule is over.
  std::optional<Instant> next_due() const;
  PlannedRequest take();  // Only if there is a next one.
  const MixEntry& entry(std::size_t endpoint) const { return *entries_[endpoint]; }
  std::size_t endpoints() const { return entries_.size(); }
  const EndpointNames& endpoint_names() const { return names_; }
  const RunSpec& spec() const { return spec_; }
  std::mt19937_64& random() { return random_; }

  // The rate intended at that time, 0 after a stop.
  double rate_at(Instant now) const;
  double seconds_since_begin(Instant now) const { return to_seconds(now - began_); }
  void note_elapsed(Instant now);
  // No request more; `open` ones still get their outcomes.
  void stop(Instant now);
  // True when nothing is due any more and the last interval is over, or it was stopped.
  bool is_schedule_over(Instant now) const;
  Instant end_of_schedule() const { return began_ + to_duration(record.elapsed_seconds); }

  RunRecord record;
  std::size_t open = 0;  // Requests without an outcome yet.

 private:
  struct Playing {
    ArrivalSchedule schedule;
    std::optional<Arrival> next;
    std::size_t first_phase;
    std::size_t first_endpoint;
    const Mix* mix;
  };
  const Playing* earliest() const;

  const RunSpec spec_;
  const Instant began_;
  const WallTime wall_began_;
  std::mt19937_64 random_;  // Picks requests and users; the schedules have their own.
  std::vector<Playing> playing_;
  std::vector<const MixEntry*> entries_;
  EndpointNames names_;
  double duration_seconds_ = 0;
};

}  // namespace scalableapp::workload
