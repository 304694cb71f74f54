// What goes into ScalableApp.status and when it is worth a write. Pure.
//
// A status write costs the API server and every watcher; an app whose numbers only wobble must not
// cause one each interval (that is what throttled KEDA at 1,000 ScaledObjects, kedacore/keda#3810).
//
//   change     what differs                                                       written
//   kMeaning   generation, desired count, revisions, conditions, what is missing, at once
//              a rollout's step, weight, phase and what its analysis has said
//   kCounts    pods by state, and what the rollout says of them                   1 s after the last
//   kFigures   values, messages, why the count stays, ScalingLimited, history     30 s after it, or up
//              to 60 s: 8 such writes a second are enough
//   kNone      nothing, or only ages of samples and of the newest recommendation  not
//
// Why the count stays (lastDecision of a hold, ScalingLimited) is no meaning: near a bound it flips
// with every sample.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "operator/controller/snapshot.h"
#include "operator/rollout/plan.h"
#include "operator/scaling/decide.h"

namespace scalableapp::controller {

// Sets or adds a condition, judged now at the status's own generation.
void stamp(api::ScalableAppStatus& status, WallTime now, api::Condition condition);

// The status after this reconcile. Starts from the present one, so that what this build does not
// know stays, and condition times move only when a status flips. desired_replicas is what is asked
// for; with paused or dryRun that is not what was decided, which last_decision tells.
// schedule_problems: see scaling/schedule.h.
api::ScalableAppStatus build_status(WallTime now, const Snapshot& snapshot,
                                    const scaling::Decision& decision,
                                    const rollout::RolloutPlan& plan,
                                    const std::vector<std::string>& schedule_problems = {});

// The status of an app whose spec cannot be used: says so, keeps everything else.
api::ScalableAppStatus invalid_status(WallTime now, const api::ScalableApp& app,
                                      const api::ScalableAppStatus& present);

// Whether both are at the same place of the same rollout, with the same said of it; what was counted of
// requests meanwhile may differ.
bool same_course(const api::RolloutStatus& a, const api::RolloutStatus& b);

enum class StatusChange { kNone, kFigures, kCounts, kMeaning };
StatusChange compare(const api::ScalableAppStatus& before, const api::ScalableAppStatus& after);

// How long after the last write such a change waits, where the operator has so many apps; not for
// kNone.
milliseconds write_delay(StatusChange change, std::size_t app_count);

}  // namespace scalableapp::controller
