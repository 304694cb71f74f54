// How long a new pod of the app takes until it serves, from creation to Ready: measured on every pod
// that becomes Ready. Pure.
#pragma once

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// Leans towards the slow ones, since a pod that is late is what hurts. True if it learned something.
bool learn_warm_up(WallTime now, const Observation& observation, api::ScalingHistory& history);

}  // namespace scalableapp::scaling
