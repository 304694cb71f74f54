// How much optional work an app's pods are to leave out: a level from 0 (nothing) to spec.brownout.maxLevel. Where
// no more replicas can be had and a target is missed all the same, less work for each request is what is left.
// Says the level only; the operator tells the pods. Pure.
//
//   raised   by one once, for raiseSeconds without a break, the app was at its limit and a metric over its target
//            by more than scaleUp.tolerance. Its limit is the count that it may have at most (spec, schedules, or a
//            hold by hand), or fewer if pods are wanted and have not come for kPodsAwaited
//   lowered  by one once, for the present wait without a break, every metric had a value, none was over its target,
//            and either the count had come off the limit or the metrics need at most kRoom of it. The wait is
//            lowerSeconds; pods that leave work out look idler than they are, so it doubles, up to kLongestWait,
//            each time that a lower level has to be raised again within twice the wait
//
// Without a value nothing is known: a missing metric raises nothing, and any missing one keeps the level from being
// lowered. A new process waits for the whole time again. While paused or in a dry run the level stays.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"
#include "operator/scaling/signal.h"

namespace scalableapp::scaling {

inline constexpr seconds kPodsAwaited{30};
inline constexpr double kRoom = 0.85;
inline constexpr seconds kLongestWait{600};

// What the level goes by.
struct BrownoutFacts {
  std::string limit_reason;  // "AtMaxReplicas" or "PodsUnavailable"; empty: more replicas can be had.
  std::string limit;         // The same for a person.
  std::string missed;        // Which target is missed by how much; empty: none that is known of.
  std::string room;          // How much room there is; empty: not enough to lower the level.
};
// `replicas` were decided, of at most `most`. `signals` are those of spec.metrics.
BrownoutFacts look_for_brownout(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                                std::span<const Signal> signals, int replicas, int most);

// How long there must be room before the level is lowered.
seconds lowering_wait(const api::Brownout& brownout, int relapses);

// `observing_since`: as in the observation.
void step_brownout(WallTime now, const api::Brownout& brownout, const BrownoutFacts& facts,
                   std::optional<WallTime> observing_since, api::BrownoutMemory& memory);

// Both of the above, where the app is to have a level at all.
void keep_brownout(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                   std::span<const Signal> signals, int replicas, int most, api::BrownoutMemory& memory);

// After a level was lowered requests take longer than was learned of them: that is measured anew.
void meet_lower_level(WallTime now, const api::ScalableAppSpec& spec, api::ScalingHistory& history);

// The condition Brownout.
api::Condition brownout_condition(const api::Brownout& brownout, const api::BrownoutMemory& memory);

}  // namespace scalableapp::scaling
