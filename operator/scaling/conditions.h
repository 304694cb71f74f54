// What a decision says of the app in conditions: see Decision::conditions for which there are. Pure.
#pragma once

#include <span>
#include <string>

#include "operator/scaling/combine.h"
#include "operator/scaling/decide.h"
#include "operator/scaling/prediction.h"
#include "operator/scaling/signal.h"

namespace scalableapp::scaling {

// "cpu (no sample of any serving pod); latency (HTTP 503)", by name, so that the order of spec.metrics
// does not show.
std::string missing_metrics(std::span<const Signal> signals);

// The decision must be complete but for its conditions and its message.
void add_conditions(const api::ScalableAppSpec& spec, const Combined& combined,
                    std::span<const Signal> signals, const Prediction& prediction, Decision& decision);

}  // namespace scalableapp::scaling
