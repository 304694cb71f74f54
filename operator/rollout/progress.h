// Whether a revision's pods come to serve. Pure. For the planner's own files only.
#pragma once

#include <optional>
#include <string>

#include "operator/rollout/plan.h"

namespace scalableapp::rollout {

struct Progress {
  bool is_stuck = false;   // A pod has not come to serve for the deadline, and none other did in that time either.
  std::string trouble;     // Of a pod that does not serve: "pod web-x: Unschedulable: ...".
  std::optional<WallTime> deadline;  // When it is, or was, stuck.
};
// What was so before `not_before` does not count.
Progress look_at_progress(const RevisionState& revision, int deadline_seconds, WallTime now, WallTime not_before);

// The pod that crash-loops, in words; empty: none. Pods that are older than the attempt say nothing of it.
std::string crash_loop(const RevisionState& revision, std::optional<WallTime> attempt_began);

// The earliest time at which a serving pod becomes available.
std::optional<WallTime> next_available(const RolloutInput& input, WallTime now);

}  // namespace scalableapp::rollout
