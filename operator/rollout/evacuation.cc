#include "operator/rollout/evacuation.h"

#include <algorithm>

namespace scalableapp::rollout {

int evacuate(const Side& side, int desired, int surge) {
  if (side.leaving == 0 || desired == 0) return desired;
  const int dead = side.leaving - side.leaving_available;
  const int most = desired + std::min(side.leaving, std::max(1, surge) + dead);
  if (side.available >= desired) {
    // Not in one step with growth: they would cancel each other out.
    const int replaced = std::min(side.leaving, side.available - desired + dead);
    if (replaced > 0 && side.spec > desired) return std::max(desired, std::min(side.spec, most) - replaced);
  }
  // A leaving pod that drains would come back if more pods were asked for, one that is condemned would stay.
  if (side.leaving_drain || side.live > side.spec) return std::clamp(side.spec, desired, most);
  return most;
}

}  // namespace scalableapp::rollout
