// What goes into ScalableApp.status and when it is worth a write. Pure.
//
// A status write costs the API server and every watcher; an app whose numbers only wobble must not
// cause one each interval (that is what throttled KEDA at 1,000 ScaledObjects, kedacore/keda#3810).
// So a change of meaning is written at once, a change of figures at most every kCosmeticPeriod.
#pragma once

#include "operator/controller/snapshot.h"
#include "operator/rollout/plan.h"
#include "operator/scaling/decide.h"

namespace scalableapp::controller {

inline constexpr seconds kCosmeticPeriod{30};

// The status after this reconcile. Starts from the app's present status, so that what this build
// does not know stays, and condition times move only when a status flips.
api::ScalableAppStatus build_status(WallTime now, const Snapshot& snapshot,
                                    const scaling::Decision& decision,
                                    const rollout::RolloutPlan& plan, bool scaled);

// The status of an app whose spec cannot be used: says so, keeps everything else.
api::ScalableAppStatus invalid_status(WallTime now, const api::ScalableApp& app);

enum class StatusChange { kNone, kFigures, kMeaning };
StatusChange compare(const api::ScalableAppStatus& before, const api::ScalableAppStatus& after);

}  // namespace scalableapp::controller
