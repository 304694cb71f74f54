// Canary by the weights of an HTTPRoute: the stable revision stays at full size until the canary is, too.
#include <algorithm>

#include "operator/rollout/attempt.h"
#include "operator/rollout/mover.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

// The highest weight up to `aim`, of those that there were, for which enough pods are available.
int affordable_weight(const Look& look, int aim) {
  int weight = 0;
  for (int step = 0; step <= look.state.step; ++step) {
    const int candidate = weight_at(look.spec().canary, step);
    const bool is_enough = look.sides.updated.available >= routed_canary_count(look.desired(), candidate);
    if (candidate <= aim && is_enough) weight = std::max(weight, candidate);
  }
  return weight;
}

// Whether the canary has so few pods for the weight it has, and the stable revision so many, that its traffic is better
// off with `weight`. Not at the first pod that is lost, nor where the desired count just rose for both.
bool is_better_off(const Look& look, int weight) {
  const long long updated = look.sides.updated.available, stable = look.sides.stable->available;
  const int had = look.state.weight;
  return 3 * updated < 2 * routed_canary_count(look.desired(), had) && 3 * (100 - weight) * updated < 2 * had * stable;
}

// Services and pods that lose their traffic keep serving so long: what sends it follows the HTTPRoute a little later.
seconds time_to_follow(const Look& look) { return seconds{look.input.spec.drain_seconds}; }

}  // namespace

void route_forward(Look& look) {
  api::RolloutStatus& state = look.state;
  Side& updated = look.sides.updated;
  Side& stable = *look.sides.stable;
  const int desired = look.desired();
  const bool is_last = state.step >= step_count(look.spec());
  const int aim = weight_at(look.spec().canary, state.step);
  int weight = affordable_weight(look, look.is_held ? std::min(aim, state.weight) : aim);
  if (weight < std::min(state.weight, aim) && !is_better_off(look, weight)) weight = std::min(state.weight, aim);
  state.weight = weight;

  updated.wanted = routed_canary_count(desired, aim);
  if (look.is_held) updated.wanted = std::clamp(updated.spec, routed_canary_count(desired, weight), updated.wanted);
  if (updated.wanted < updated.spec && !look.has_passed(state.step_started_at, time_to_follow(look))) {
    updated.wanted = updated.spec;  // The step asks for less traffic than there was.
  }

  stable.wanted = desired;
  if (weight < 100) state.available_at.reset();
  if (is_last && weight == 100 && updated.available >= desired) look.mark_available();
  if (is_last && weight == 100 && state.available_at) {
    const auto since = std::max(*state.available_at, state.step_started_at.value_or(*state.available_at));
    const bool may_go = !look.is_held && updated.available >= desired && look.has_passed(since, time_to_follow(look));
    stable.wanted = may_go ? 0 : std::min(stable.spec, desired);
  }
  // Where the current revision is gone, any of them may have been the one that has the traffic.
  const bool has_none = look.sides.can_go_back ? look.has_passed(state.started_at, time_to_follow(look))
                                               : stable.wanted == 0;
  bool has_surplus = false;
  for (Side& side : look.sides.others) {
    side.wanted = has_none && !look.is_held ? 0 : side.spec;
    has_surplus |= !side.is_empty();
  }
  jump(look.sides);
  look.routing = {.stable_revision = stable.revision, .updated_revision = updated.revision, .weight = weight};
  // The Service of a canary that was given up is left alone until nothing is sent there.
  if (has_surplus && updated.available == 0) look.routing.updated_revision.clear();
}

void route_back(Look& look) {
  api::RolloutStatus& state = look.state;
  Side& goal = look.goal();
  int serving = 0;  // The most that another revision has.
  for (const Side* side : look.sides.in_order()) {
    if (side != &goal) serving = std::max(serving, side->available);
  }
  const bool takes_over = goal.available >= std::min(look.desired(), serving);
  if (state.weight > 0 && takes_over) {
    state.weight = 0;
    state.step_started_at = look.now;
  }
  // Of an attempt that was replaced by the current revision it is not known what is sent where.
  if (!look.is_back && takes_over) look.mark_available();
  const bool is_routed_back = look.is_back ? state.weight == 0 : takes_over;
  const auto since = look.is_back ? state.step_started_at : state.available_at;
  const bool may_go = is_routed_back && look.has_passed(since, time_to_follow(look));
  for (Side* side : look.sides.in_order()) side->wanted = may_go ? 0 : side->spec;
  goal.wanted = look.desired();
  jump(look.sides);
  look.routing.stable_revision = goal.revision;
  if (look.is_back) look.routing.updated_revision = look.sides.updated.revision;
  if (look.is_back || takes_over) look.routing.weight = state.weight;
}

}  // namespace scalableapp::rollout
