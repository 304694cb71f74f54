#include "operator/rollout/plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "operator/rollout/attempt.h"
#include "operator/rollout/evacuation.h"
#include "operator/rollout/look.h"
#include "operator/rollout/mover.h"
#include "operator/rollout/report.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;

int percent_of(const api::IntOrPercent& value, int whole, bool up) {
  if (!value.is_percent) return value.value;
  const long long product = static_cast<long long>(value.value) * whole;
  return static_cast<int>((product + (up ? 99 : 0)) / 100);
}

// Only pods of the goal are left, and nothing is to be shown of it any more.
bool is_at_rest(Look& look) {
  if (!look.is_back && !look.is_current()) return false;
  const bool waits_for_the_last = look.spec().strategy == api::RolloutStrategy::kRecreate && look.goal().spec == 0;
  return !look.sides.has_other_than(look.goal(), waits_for_the_last ? &Side::is_gone : &Side::is_empty);
}

void rest(Look& look) {
  for (Side* side : look.sides.in_order()) side->wanted = 0;
  look.goal().wanted = evacuate(look.goal(), look.desired(), look.bounds.surge);
  jump(look.sides);
  look.routing = route_all_to(look.spec(), look.goal().revision);
  look.state.switched_at.reset();
  look.state.weight = look.is_back ? 0 : 100;
}

void steer(Look& look) {
  if (is_at_rest(look)) return rest(look);
  switch (look.spec().strategy) {
    case api::RolloutStrategy::kRolling:
      return roll(look);
    case api::RolloutStrategy::kCanary:
      return canary(look);
    case api::RolloutStrategy::kBlueGreen:
      return blue_green(look);
    case api::RolloutStrategy::kRecreate:
      return recreate(look);
  }
}

// The updated revision serves in full, alone, and has stood every test. While nothing is wanted nothing is proved.
bool is_complete(Look& look) {
  if (look.desired() == 0 && !look.is_first() && !look.is_current() && look.sides.can_go_back) return false;
  return !look.is_back && look.state.failure_reason.empty() && look.sides.updated.state != nullptr &&
         look.state.step >= step_count(look.spec()) && !look.has_others() &&
         look.sides.updated.available >= look.desired();
}

// What has become of it, now that the strategy had its say.
void conclude(Look& look, RolloutPlan& plan) {
  api::RolloutStatus& state = look.state;
  const api::RolloutStatus& before = look.input.state;
  const bool was_healthy = before.phase == RolloutPhase::kHealthy && before.revision == state.revision;
  plan.is_complete = is_complete(look);
  const bool is_settled = !look.has_others() && (look.is_back || look.is_current());
  plan.in_flight = !plan.is_complete && !is_settled;
  if (look.is_back && is_settled && look.goal().available >= look.desired() && !state.available_at) {
    state.available_at = look.now;
    look.note("RolledBack", fmt::format("revision {} has every replica again", look.goal().revision));
  }
  if (plan.is_complete || (look.is_current() && is_settled)) {
    rest(look);
    state.phase = RolloutPhase::kHealthy;
    state.pause_reason.clear();
    if (!was_healthy && state.started_at) {
      look.note("RolloutCompleted", fmt::format("revision {} is rolled out", state.revision));
    }
  } else if (!state.failure_reason.empty()) {
    state.phase = RolloutPhase::kDegraded;
    state.pause_reason.clear();
  } else if (!state.pause_reason.empty()) {
    state.phase = RolloutPhase::kPaused;
  } else {
    state.phase = RolloutPhase::kProgressing;
  }
  state.message = where_it_is(look);
  const bool was_paused = before.revision == state.revision && before.phase == RolloutPhase::kPaused &&
                          before.pause_reason == state.pause_reason && before.step == state.step;
  if (state.phase == RolloutPhase::kPaused && !was_paused) look.note("RolloutPaused", state.message);
}

std::string why(Look& look, const Side& side, bool is_up) {
  if (!look.has_others()) return side.leaving > 0 ? "pods of cordoned nodes are replaced" : "the wanted count";
  const bool is_goal = &side == &look.goal();
  if (look.is_back || look.is_current()) return is_goal ? "back to this revision" : "this revision is given up";
  if (is_goal) return is_up ? "new revision up within maxSurge" : "the wanted count fell";
  return is_up ? "load rose before the new revision proved itself" : "old revision down within maxUnavailable";
}

void add_actions(Look& look, std::vector<Action>& actions) {
  const auto add = [&](const Side& side, bool up) {
    if (side.state == nullptr || side.target == side.spec || (side.target > side.spec) != up) return;
    actions.push_back(ScaleReplicaSet{.name = side.state->name,
                                      .uid = side.state->uid,
                                      .resource_version = side.state->resource_version,
                                      .from = side.spec,
                                      .to = side.target,
                                      .why = why(look, side, up)});
  };
  const std::vector<Side*> order = look.sides.in_order();
  // What serves comes first: the API server may refuse the new template, now and for ever.
  for (auto side = order.rbegin(); side != order.rend(); ++side) add(**side, true);
  const Side& updated = look.sides.updated;
  if (updated.state == nullptr && !look.is_back && !look.is_down && (!look.is_held || updated.target > 0)) {
    actions.push_back(CreateReplicaSet{updated.revision, updated.target});
  }
  for (const Side* side : order) {
    if (side != &updated) add(*side, false);
  }
  add(updated, false);
}

// Old ReplicaSets without pods beyond revisionHistoryLimit, oldest first.
void add_cleanup(const RolloutInput& input, std::vector<Action>& actions) {
  std::vector<const RevisionState*> empty;
  for (const RevisionState& state : input.revisions) {
    if (state.revision != input.updated_revision && state.revision != input.current_revision &&
        state.spec_replicas == 0 && state.pods.empty()) {
      empty.push_back(&state);
    }
  }
  std::ranges::sort(empty, {}, [](const RevisionState* state) { return std::pair(state->created, state->name); });
  const auto limit = static_cast<std::size_t>(input.spec.revision_history_limit);
  for (std::size_t i = 0; i + limit < empty.size(); ++i) {
    actions.push_back(DeleteReplicaSet{empty[i]->name, empty[i]->uid, empty[i]->resource_version});
  }
}

}  // namespace

Bounds resolve(const api::RolloutSpec& spec, int desired) {
  Bounds bounds{.surge = percent_of(spec.max_surge, desired, true),
                .unavailable = std::min(desired, percent_of(spec.max_unavailable, desired, false))};
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  return bounds;
}

Routing route_all_to(const api::RolloutSpec& spec, const std::string& revision) {
  switch (spec.strategy) {
    case api::RolloutStrategy::kCanary:
      return {.stable_revision = revision,
              .updated_revision = revision,
              .weight = is_routed(spec) ? std::optional(0) : std::nullopt};
    case api::RolloutStrategy::kBlueGreen:
      return {.stable_revision = revision, .updated_revision = revision};
    case api::RolloutStrategy::kRolling:
    case api::RolloutStrategy::kRecreate:
      break;
  }
  return {};
}

RolloutPlan plan(WallTime now, const RolloutInput& input) {
  RolloutPlan result{.state = input.state};
  if (input.spec.paused || input.spec.dry_run) {
    result.in_flight = in_flight(input);
    result.progressing = left_alone(input);
    return result;
  }
  Look look{.now = now, .input = input, .sides = look_at(input, now), .state = input.state};
  begin(look);
  steer(look);
  conclude(look, result);
  add_actions(look, result.actions);
  add_cleanup(input, result.actions);
  result.progressing = progressing(look, result);
  if (const auto next = next_available(input, now)) look.check_at(*next);
  if (look.progress.deadline) look.check_at(*look.progress.deadline);
  result.routing = std::move(look.routing);
  result.state = std::move(look.state);
  result.notes = std::move(look.notes);
  result.next_check = look.next_check;
  return result;
}

}  // namespace scalableapp::rollout
