// Pods that are much slower or fail much more often than the others under the same load: what they
// say is no reason to scale the others. Pure.
//
// Compared are mean response times and shares of failed requests with the median of all pods, which
// one bad pod does not move. Where more than a third of the pods stand out, that is how the app is.
#pragma once

#include <vector>

#include "operator/scaling/decide.h"

namespace scalableapp::scaling {

// By pod name. `eject` is set for as many as spec.outliers allows at a time, the worst first.
std::vector<Outlier> find_outliers(WallTime now, const api::ScalableAppSpec& spec,
                                   const Observation& observation);

}  // namespace scalableapp::scaling
