// Rate policies of behavior.scaleUp and .scaleDown, as HPA v2 documents them. Pure.
//
// A policy looks back over its period: base = the count at the period's start = current count minus
// what the events of the period added up to. Pods allows base +- value; Percent base +- base *
// value / 100, the change rounded up (80 pods at 10 % lose 8, then 72 lose 8). selectPolicy takes
// the policy that allows the largest change (Max), the smallest (Min), or forbids the direction
// (Disabled). A side without policies is not limited.
#pragma once

#include <string>
#include <vector>

#include "operator/api/scalable_app.h"

namespace scalableapp::scaling {

// Status stays small: past this many the oldest two count as one, at the later one's time.
inline constexpr std::size_t kMostEvents = 128;

struct Limit {
  int replicas = 0;  // How far this decision may go; never on the wrong side of the current count.
  std::string policy;  // What sets it, for a person: "scaleUp policy 50%/15s".
};

// desired > current: the limit upwards, else downwards. `policy` stays empty if it does not bind.
Limit limit_rate(WallTime now, int current, int desired, const api::Behavior& behavior,
                 const std::vector<api::ScaleEvent>& events);

// Drops the events that no policy's period reaches back to; ones in the future (the clock was set
// back) become `now`. Then adds the change, if there is one.
void record_event(WallTime now, int change, const api::Behavior& behavior,
                  std::vector<api::ScaleEvent>& events);

}  // namespace scalableapp::scaling
