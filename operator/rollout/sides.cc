#include "operator/rollout/sides.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace scalableapp::rollout {
namespace {

Side look_at(const RevisionState& state, seconds min_ready, WallTime now) {
  Side side{.revision = state.revision, .state = &state, .spec = state.spec_replicas, .target = state.spec_replicas};
  for (const PodFacts& pod : state.pods) {
    if (pod.terminating) {
      ++side.going;
      side.leaving_drain |= !pod.deleted && pod.leaving;
      continue;
    }
    const bool is_available = pod.serving && pod.ready_since && now - *pod.ready_since >= min_ready;
    ++side.live;
    side.available += is_available ? 1 : 0;
    side.leaving += pod.leaving ? 1 : 0;
    side.leaving_available += is_available && pod.leaving ? 1 : 0;
  }
  side.available = std::min(side.available, side.spec);
  return side;
}

}  // namespace

Sides look_at(const RolloutInput& input, WallTime now) {
  Sides sides{.updated = {.revision = input.updated_revision}};
  for (const RevisionState& state : input.revisions) {
    Side side = look_at(state, seconds{input.spec.rollout.min_ready_seconds}, now);
    if (state.revision == input.updated_revision) {
      sides.updated = std::move(side);
    } else {
      sides.others.push_back(std::move(side));
    }
  }
  std::ranges::sort(sides.others, {}, [](const Side& side) {
    return std::pair(side.state->created, side.state->name);
  });
  if (input.updated_revision == input.current_revision) return sides;

  auto stable = std::ranges::find(sides.others, input.current_revision, &Side::revision);
  sides.can_go_back = stable != sides.others.end();
  if (!sides.can_go_back) {
    stable = std::ranges::max_element(sides.others, {}, [](const Side& side) {
      return std::tuple(side.available, side.live, side.spec);
    });
    if (stable == sides.others.end() || stable->is_empty()) return sides;
  }
  sides.stable = std::move(*stable);
  sides.others.erase(stable);
  return sides;
}

std::vector<Side*> Sides::in_order() {
  std::vector<Side*> all;
  for (Side& side : others) all.push_back(&side);
  all.push_back(&updated);
  if (stable) all.push_back(&*stable);
  return all;
}

bool Sides::has_other_than(const Side& side, bool (Side::*is_absent)() const) const {
  const auto is_other = [&](const Side& other) { return &other != &side && !(other.*is_absent)(); };
  return is_other(updated) || (stable && is_other(*stable)) || std::ranges::any_of(others, is_other);
}

int Sides::total() const {
  int sum = updated.target + (stable ? stable->target : 0);
  for (const Side& side : others) sum += side.target;
  return sum;
}

int Sides::available() const {
  const auto kept = [](const Side& side) { return std::min(side.available, side.target); };
  int sum = kept(updated) + (stable ? kept(*stable) : 0);
  for (const Side& side : others) sum += kept(side);
  return sum;
}

}  // namespace scalableapp::rollout
