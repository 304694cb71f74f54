// What the operator would foresee of a simulated app: its open schedules and, with spec.prediction,
// forecasts from the load that was played so far. The thinking is scaling/foresight.h's; the
// simulated load takes the place of Prometheus' history. Asks the machine for nothing but its time
// zones.
#pragma once

#include <string>
#include <vector>

#include "operator/simulation/simulation.h"

namespace scalableapp::plugin {

// For one run: it keeps what it learned. Null where the spec has neither schedules nor prediction.
simulation::Advisor make_advisor(const api::ScalableAppSpec& spec,
                                 const simulation::Workload& workload);

// What is wrong with the spec's schedules, a sentence each: an unknown zone, a bad cron.
std::vector<std::string> schedule_problems_of(const api::ScalableAppSpec& spec, WallTime start);

}  // namespace scalableapp::plugin
