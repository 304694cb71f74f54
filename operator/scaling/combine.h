// Several signals -> one recommendation: the highest proposal wins; a missing signal might have
// asked for more, so with one missing the result is not under the current count. Pure.
#pragma once

#include <span>

#include "operator/scaling/signal.h"

namespace scalableapp::scaling {

struct Combined {
  int proposed = 0;  // The highest proposal; the current count if there is none.
  int replicas = 0;  // `proposed`, held at the current count where a missing signal forbids less.
  int usable = 0;    // Signals with a proposal.
  int missing = 0;   // Signals without one.
  // All that is missing waits for pods to serve: nothing is wrong with the metrics.
  bool only_waiting = false;
};

Combined combine(int current, std::span<const Signal> signals);

}  // namespace scalableapp::scaling
