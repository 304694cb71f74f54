#include "operator/rollout/attempt.h"
#include "operator/rollout/mover.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {

void pass_by_verdict(Look& look) {
  if (look.is_held || !awaits_verdict(look.input, look.state)) return;
  if (look.verdict.verdict != api::Verdict::kSuccessful) return;
  look.note("StepCompleted", "the analysis was successful: " + look.verdict.message);
  look.begin_step(look.state.step + 1);
}

void end_with_verdict(Look& look) {
  if (look.is_back || look.is_current()) return;
  if (look.sides.updated.available >= look.desired() && !look.has_others()) look.mark_available();
  if (look.state.failure_reason.empty()) pass_by_verdict(look);
}

void roll(Look& look) {
  const int desired = look.desired();
  for (Side* side : look.sides.in_order()) side->wanted = 0;
  look.goal().wanted = desired;
  if (look.is_back || look.is_current()) return move(look.sides, desired, look.bounds, Move::kBack);
  if (look.is_held) want_present_shares(look.sides, desired);
  move(look.sides, desired, look.bounds, look.is_held ? Move::kHold : Move::kExchange);
  end_with_verdict(look);
}

}  // namespace scalableapp::rollout
