// Replaces the pods of cordoned nodes before they go. Pure. For the planner's own files only.
//
// In batches: up to max(1, surge) pods more than wanted are asked for; as these become available, so many
// leaving pods go (scale_down.h picks those first), and the next batch begins once they are gone. Where the
// replacements cannot be scheduled nothing goes. Leaving pods that do not serve are no capacity: they
// do not count towards the surge.
#pragma once

#include "operator/rollout/sides.h"

namespace scalableapp::rollout {

// The spec.replicas of the one revision that there is; `desired` where none of its pods is leaving.
int evacuate(const Side& side, int desired, int surge);

}  // namespace scalableapp::rollout
