// The operator's own way from metrics to a count: fills the Observation as the controller does and
// asks scaling::decide(). Internal to simulation/.
#pragma once

#include <memory>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"
#include "operator/simulation/columns.h"
#include "operator/simulation/scaler.h"
#include "operator/simulation/simulation.h"

namespace scalableapp::simulation {

// The arguments must outlive it.
// Adds the fleet's pods as the operator sees them, `begin` being when the run began.
void observe_pods(const Fleet& fleet, WallTime begin, double cpu_request_cores, std::vector<scaling::PodState>& pods);

std::unique_ptr<Scaler> make_production(const api::ScalableAppSpec& spec, const Workload& workload,
                                        const PrometheusColumns& columns, const Options& options);

}  // namespace scalableapp::simulation
