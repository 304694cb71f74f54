#include <algorithm>

#include <fmt/format.h>

#include "operator/rollout/attempt.h"
#include "operator/rollout/mover.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

int most_available(const std::vector<Side>& sides) {
  int most = 0;
  for (const Side& side : sides) most = std::max(most, side.available);
  return most;
}

void switch_over(Look& look) {
  api::RolloutStatus& state = look.state;
  const Side& updated = look.sides.updated;
  if (state.switched_at || look.desired() == 0 || updated.available < look.desired()) return;
  look.mark_available();
  if (!look.spec().blue_green.auto_promotion && state.step == 0) {
    if (state.pause_reason.empty() && state.failure_reason.empty()) state.pause_reason = kAwaitsPromotion;
    return;
  }
  if (look.is_held) return;
  state.switched_at = look.now;
  look.begin_step(std::max(1, state.step));
  look.note("Switched", fmt::format("{} to revision {}", look.spec().blue_green.active_service, updated.revision));
}

// After the switch: what is kept of the old set.
int old_count(Look& look) {
  const Side& updated = look.sides.updated;
  const int kept = look.desired();
  pass_by_verdict(look);
  const bool may_go = look.state.step >= step_count(look.spec()) &&
                      look.has_passed(look.state.switched_at, seconds{look.spec().blue_green.scale_down_delay_seconds});
  if (!may_go) return kept;
  return updated.available >= kept && !look.is_held ? 0 : std::min(look.sides.stable->spec, kept);
}

void go_forward(Look& look) {
  Side& updated = look.sides.updated;
  Side& stable = *look.sides.stable;
  const int desired = look.desired();
  switch_over(look);
  updated.wanted = look.is_held && updated.available == 0 ? std::min(updated.spec, desired) : desired;
  stable.wanted = look.state.switched_at ? old_count(look) : desired;
  // A third revision may have had the traffic.
  const bool takes_over = stable.available >= std::min(desired, most_available(look.sides.others));
  for (Side& side : look.sides.others) side.wanted = takes_over || look.state.switched_at ? 0 : side.spec;
  look.routing.updated_revision = updated.revision;
  if (look.state.switched_at) {
    look.routing.stable_revision = updated.revision;
  } else if (takes_over) {
    look.routing.stable_revision = stable.revision;
  }
}

void go_back(Look& look) {
  api::RolloutStatus& state = look.state;
  Side& goal = look.goal();
  const Side& updated = look.sides.updated;
  const int desired = look.desired();
  bool takes_over = true;
  if (!look.is_back) {
    takes_over = goal.available >= std::min(desired, most_available(look.sides.others));
  } else if (state.switched_at) {
    takes_over = goal.available >= std::min(desired, updated.available);
    if (takes_over) {
      state.switched_at.reset();
      look.note("Switched",
                fmt::format("{} back to revision {}", look.spec().blue_green.active_service, goal.revision));
    }
  }
  for (Side* side : look.sides.in_order()) side->wanted = takes_over ? 0 : side->spec;
  goal.wanted = desired;
  look.routing.updated_revision = updated.revision;
  if (takes_over) {
    look.routing.stable_revision = goal.revision;
  } else if (look.is_back) {
    look.routing.stable_revision = updated.revision;
  }
}

}  // namespace

void blue_green(Look& look) {
  if (look.is_back || look.is_current()) {
    go_back(look);
  } else if (look.sides.stable) {
    go_forward(look);
  } else {
    look.sides.updated.wanted = look.desired();
    look.routing = route_all_to(look.spec(), look.sides.updated.revision);
  }
  look.state.weight = look.state.switched_at || !look.sides.stable ? 100 : 0;
  jump(look.sides);
}

}  // namespace scalableapp::rollout
