// How many pods may begin to take traffic at a time (spec.readiness.slowStart). Pure.
//
// Of the pods that have been in service for longer than intervalSeconds, so many percent more (rounded up,
// at least one) begin within any intervalSeconds; a pod begins when its gate opens, which the pod
// says itself (warm_since), so that a new process opens no more than its predecessor would have. While
// no pod has been in service for so long there is nobody to spare, and none is held. A pod that was set aside
// and serves again is warm: it is neither held nor counted as beginning.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"

namespace scalableapp::rollout {

struct OpeningRoom {
  std::optional<int> gates;      // May be opened now; unset: as many as there are.
  std::optional<WallTime> next;  // When there may be room again, counting those opened until now.
};
OpeningRoom room_to_open(WallTime now, const api::SlowStart& slow_start,
                         const std::vector<std::shared_ptr<const api::Pod>>& pods);

}  // namespace scalableapp::rollout
