// Takes spec.replicas from what they are to what a strategy wants, within the two bounds of plan.h. Pure.
//
// It knows neither steps nor time: each call makes all the room that the bounds allow now and fills it, and
// what there is afterwards is where the next one begins.
#pragma once

#include "operator/rollout/plan.h"
#include "operator/rollout/sides.h"

namespace scalableapp::rollout {

enum class Move {
  kExchange,  // Towards what is wanted, within the bounds.
  kHold,      // Only the total follows the desired count; pods of one revision do not take another's place.
  kBack       // As kExchange, with any surge and nothing unavailable; pods that do not serve go at once.
};

// Sets the targets. With kBack, only the side gone back to is wanted.
void move(Sides& sides, int desired, const Bounds& bounds, Move how);

// Sets every target to what is wanted, for strategies that keep capacity by what they want.
void jump(Sides& sides);

// Where nothing may be exchanged and no step says how much is whose: wants of the desired count the shares
// that the updated and the stable revision have now.
void want_present_shares(Sides& sides, int desired);

}  // namespace scalableapp::rollout
