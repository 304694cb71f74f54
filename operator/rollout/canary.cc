#include <algorithm>

#include <fmt/format.h>

#include "operator/rollout/attempt.h"
#include "operator/rollout/mover.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

struct Shares {
  int updated = 0;
  int stable = 0;
};
Shares shares_of(const Look& look, int weight) {
  const int desired = look.desired();
  if (is_routed(look.spec())) return {routed_canary_count(desired, weight), desired};
  const int updated = canary_count(desired, weight);
  return {updated, weight < 100 && desired == 1 ? 1 : desired - updated};
}

bool has_reached(const Look& look, int weight) {
  const Shares shares = shares_of(look, weight);
  const Sides& sides = look.sides;
  if (sides.updated.available < shares.updated) return false;
  if (is_routed(look.spec())) return true;
  return sides.stable->spec <= shares.stable;
}

std::string text_of(const api::CanaryStep& step) {
  if (step.set_weight) return fmt::format("weight {}%", *step.set_weight);
  return step.pause ? "pause" : "analysis";
}

// Whether the present step, if there is one, is done with.
bool is_done(Look& look, const api::CanaryStep& step) {
  const int weight = weight_at(look.spec().canary, look.state.step);
  if (step.set_weight) return has_reached(look, weight);
  if (step.analysis) {
    const bool is_asked = look.spec().analysis && shares_of(look, weight).updated > 0;
    return !is_asked || look.verdict.verdict == api::Verdict::kSuccessful;
  }
  if (step.pause_seconds && look.has_passed(look.state.step_started_at, seconds{*step.pause_seconds})) return true;
  if (look.state.pause_reason.empty() && look.state.failure_reason.empty()) look.state.pause_reason = kPauseStep;
  return false;
}

void advance(Look& look) {
  const auto& steps = look.spec().canary.steps;
  const int count = static_cast<int>(steps.size());
  while (look.state.step < count && look.desired() > 0) {
    const api::CanaryStep& step = steps[static_cast<std::size_t>(look.state.step)];
    if (!is_done(look, step) || look.is_held || !look.state.failure_reason.empty()) return;
    look.note("StepCompleted", fmt::format("step {} of {}: {}", look.state.step + 1, count, text_of(step)));
    look.begin_step(look.state.step + 1);
  }
}

}  // namespace

bool is_routed(const api::RolloutSpec& spec) {
  return spec.strategy == api::RolloutStrategy::kCanary && !spec.canary.http_route.empty();
}

int weight_at(const api::Canary& canary, int step) {
  if (step >= static_cast<int>(canary.steps.size())) return 100;
  int weight = 0;
  for (int i = 0; i <= step; ++i) weight = canary.steps[static_cast<std::size_t>(i)].set_weight.value_or(weight);
  return weight;
}

int canary_count(int desired, int weight) {
  if (weight <= 0 || desired <= 0) return 0;
  if (weight >= 100) return desired;
  const int nearest = static_cast<int>((2LL * desired * weight + 100) / 200);
  return std::clamp(nearest, 1, std::max(1, desired - 1));
}

int routed_canary_count(int desired, int weight) {
  return static_cast<int>((static_cast<long long>(desired) * weight + 99) / 100);
}

void canary(Look& look) {
  const bool is_forward = !look.is_back && !look.is_current();
  if (!is_forward && is_routed(look.spec())) return route_back(look);
  if (!is_forward || !look.sides.stable) {
    look.state.weight = is_forward ? 100 : 0;
    roll(look);
    look.routing = route_all_to(look.spec(), look.goal().revision);
    if (look.is_back) look.routing.updated_revision = look.sides.updated.revision;
    return;
  }
  advance(look);
  if (is_routed(look.spec())) return route_forward(look);
  const int weight = weight_at(look.spec().canary, look.state.step);
  const Shares shares = shares_of(look, weight);
  look.state.weight = weight;
  for (Side& side : look.sides.others) side.wanted = 0;
  look.sides.updated.wanted = shares.updated;
  look.sides.stable->wanted = shares.stable;
  move(look.sides, look.desired(), look.bounds, look.is_held ? Move::kHold : Move::kExchange);
  // Past the last step the old pods go: before the last of them, who asks for the stable ones is sent to the new ones.
  const bool is_last = look.state.step >= step_count(look.spec());
  const bool is_taken_over = is_last && look.sides.updated.available >= std::min(look.desired(), look.sides.stable->available + 1);
  look.routing.stable_revision = (is_taken_over ? look.sides.updated : *look.sides.stable).revision;
  look.routing.updated_revision = look.sides.updated.revision;
}

}  // namespace scalableapp::rollout
