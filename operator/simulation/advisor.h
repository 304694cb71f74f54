// Foresees in a simulation what the operator would: scaling::Foresight, fed with the load of the
// run so far. An app is taken to have no history from before its run, so seasons count only in
// traces of more than a day. Pure.
#pragma once

#include "operator/api/scalable_app.h"
#include "operator/scaling/foresight.h"
#include "operator/simulation/simulation.h"

namespace scalableapp::simulation {

// For one run of this spec; empty where it has neither prediction nor schedules. Metrics of type
// Prometheus are not foreseen.
Advisor make_advisor(const api::ScalableAppSpec& spec, scaling::Foresight::FindZones find_zones);

}  // namespace scalableapp::simulation
