#include "operator/rollout/mover.h"

#include <algorithm>

namespace scalableapp::rollout {
namespace {

// More than any count of pods, and far from overflow.
constexpr int kAnyNumber = 1'000'000'000;

int excess(const Side& side) { return std::max(0, side.target - side.wanted); }
int dead(const Side& side) { return std::max(0, side.target - side.available); }

// Raises `side` by up to `room`, at most to `count`. Returns the room that is left.
int raise(Side& side, int count, int room) {
  const int step = std::clamp(count - side.target, 0, std::max(0, room));
  side.target += step;
  return room - step;
}

// An old side that serves: the stable one, or else the one that serves most.
Side* trusted(Sides& sides) {
  if (sides.stable && sides.stable->available > 0) return &*sides.stable;
  const auto most = std::ranges::max_element(sides.others, {}, &Side::available);
  return most == sides.others.end() || most->available == 0 ? nullptr : &*most;
}

void grow(Sides& sides, int room, int least) {
  // While no pod of the updated revision serves, the old ones alone come up to the bound.
  if (Side* side = trusted(sides); side != nullptr && sides.updated.available == 0) {
    const int of_old = sides.total() - sides.updated.target;
    room = raise(*side, side->target + std::max(0, least - of_old), room);
  }
  if (sides.stable) room = raise(*sides.stable, sides.stable->wanted, room);
  // What may yet be refused leaves the old ones their room up to the bound.
  const int of_old = sides.total() - sides.updated.target;
  if (sides.updated.state == nullptr && of_old > 0) room -= std::max(0, least - of_old);
  raise(sides.updated, sides.updated.wanted, room);
}

// What the count rose by goes to who serves and is wanted; what nobody wants to the one that is trusted most.
void grow_held(Sides& sides, int room) {
  if (sides.stable && sides.stable->available > 0) room = raise(*sides.stable, sides.stable->wanted, room);
  if (sides.updated.available > 0) room = raise(sides.updated, sides.updated.wanted, room);
  if (room <= 0) return;
  Side* side = trusted(sides);
  if (side == nullptr) side = sides.updated.available == 0 && sides.stable ? &*sides.stable : &sides.updated;
  side->target += room;
}

// Nothing takes the old ones' place before it exists.
void keep_old(Sides& sides, int desired) {
  for (Side& side : sides.others) side.wanted = std::max(side.wanted, side.target);
  if (sides.stable) sides.stable->wanted = desired;
}

// Pods that serve nobody first, up to `most_dead` of them, then as many as the bound can spare.
void shrink(Sides& sides, int least, int most_dead) {
  for (Side* side : sides.in_order()) {
    const int step = std::max(0, std::min({excess(*side), dead(*side), most_dead}));
    side->target -= step;
    most_dead -= step;
  }
  int spare = sides.available() - least;
  for (Side* side : sides.in_order()) {
    const int step = std::clamp(excess(*side), 0, std::max(0, spare));
    side->target -= step;
    spare -= step;
  }
}

}  // namespace

void move(Sides& sides, int desired, const Bounds& bounds, Move how) {
  int wanted = 0;
  for (const Side* side : sides.in_order()) wanted += side->wanted;
  const int most = std::max(desired + bounds.surge, wanted);
  const int least = desired - bounds.unavailable;
  switch (how) {
    case Move::kBack:
      for (Side* side : sides.in_order()) raise(*side, side->wanted, kAnyNumber);
      return shrink(sides, desired, kAnyNumber);
    case Move::kHold:
      grow_held(sides, desired - sides.total());
      if (sides.total() <= most) return;
      break;
    case Move::kExchange:
      grow(sides, most - sides.total(), least);
      if (sides.updated.state == nullptr) keep_old(sides, desired);
      break;
  }
  // New ones that do not serve yet are not counted on (as Deployment's maxCleanupCount).
  const Side& updated = sides.updated;
  const int waited_for = std::max(0, std::min(updated.target, updated.wanted) - updated.available);
  shrink(sides, least, sides.total() - least - waited_for);
  // Where the desired count fell, surge that serves nobody goes too.
  const int over = sides.total() - most;
  sides.updated.target -= std::clamp(over, 0, dead(sides.updated));
}

void jump(Sides& sides) {
  for (Side* side : sides.in_order()) side->target = side->wanted;
}

void want_present_shares(Sides& sides, int desired) {
  for (Side& side : sides.others) side.wanted = 0;
  sides.updated.wanted = desired;
  if (!sides.stable) return;
  const int updated = sides.updated.spec;
  const int total = updated + sides.stable->spec;
  int share = total == 0 ? 0 : static_cast<int>((2LL * desired * updated + total) / (2LL * total));
  if (updated > 0) share = std::max(share, 1);
  if (sides.stable->spec > 0) share = std::min(share, desired - 1);
  sides.updated.wanted = std::clamp(share, 0, desired);
  sides.stable->wanted = desired - sides.updated.wanted;
}

}  // namespace scalableapp::rollout
