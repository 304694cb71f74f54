#include "operator/rollout/mover.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {

void recreate(Look& look) {
  Sides& sides = look.sides;
  Side& goal = look.goal();
  const int desired = look.desired();
  if (look.is_held) {
    want_present_shares(sides, desired);
    return move(sides, desired, look.bounds, Move::kHold);
  }
  look.is_down = sides.has_other_than(goal, &Side::is_gone);
  for (Side* side : sides.in_order()) side->wanted = 0;
  goal.wanted = look.is_down ? std::min(goal.spec, desired) : desired;
  jump(sides);
  end_with_verdict(look);
}

}  // namespace scalableapp::rollout
