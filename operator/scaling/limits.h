// Behavior policies: how far the count may move in a period. Pure; HPA v2's semantics ("behavior" in
// the Kubernetes HPA documentation): a Percent policy is of the count at the start of its period and
// rounds up; of several policies selectPolicy takes the largest (Max) or smallest (Min) change.
#pragma once

#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/time.h"

namespace scalableapp::scaling {

struct Limit {
  int replicas = 0;    // The highest (up) or lowest (down) count allowed now.
  std::string policy;  // "300%/10s", or "Disabled"; empty where no policy limits.
};

Limit scale_up_limit(WallTime now, int current, const api::ScalingRules& rules,
                     const std::vector<api::ScaleEvent>& events);
Limit scale_down_limit(WallTime now, int current, const api::ScalingRules& rules,
                       const std::vector<api::ScaleEvent>& events);

}  // namespace scalableapp::scaling
