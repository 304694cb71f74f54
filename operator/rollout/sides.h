// What there is of each revision, in the terms in which a rollout is planned. Pure. For the planner's own
// files only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/rollout/plan.h"

namespace scalableapp::rollout {

struct Side {
  std::string revision;
  const RevisionState* state = nullptr;  // Null: it has no ReplicaSet.
  int spec = 0;    // Its spec.replicas now,
  int wanted = 0;  // what the strategy wants it to come to,
  int target = 0;  // and what it is after the plan's actions.
  // Pods that are not on their way out.
  int live = 0;
  int available = 0;  // Of those, what a spec.replicas that was lowered already has not condemned.
  int leaving = 0;    // Their node is cordoned.
  int leaving_available = 0;
  int going = 0;               // Pods that are on their way out.
  bool leaving_drain = false;  // One of those may come back (it drains), and its node is cordoned.

  bool is_empty() const { return spec == 0 && live == 0; }
  bool is_gone() const { return is_empty() && going == 0; }
};

struct Sides {
  Side updated;
  // What it is compared with and what serves meanwhile: the current revision, or, where that has no
  // ReplicaSet any more, the one with the most available pods. Unset: there is none but the updated one.
  std::optional<Side> stable;
  std::vector<Side> others;  // Surplus, oldest first.
  bool can_go_back = false;  // `stable` is the current revision.

  // The order in which they make room: surplus, updated, stable.
  std::vector<Side*> in_order();
  bool has_other_than(const Side& side, bool (Side::*is_absent)() const = &Side::is_empty) const;
  int total() const;      // Of the targets.
  int available() const;  // Of what the targets keep.
};

Sides look_at(const RolloutInput& input, WallTime now);

}  // namespace scalableapp::rollout
