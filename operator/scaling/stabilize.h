// Stabilization windows over a bounded history of recommendations. Pure; the history is a value
// that the caller keeps (status.history), so that a restart does not forget it.
//
// The history is a list of runs of equal recommendations, ordered by their ends. A run counts for a
// window while its end lies in it. Only runs that the highest of the scaleDown window or the lowest
// of the scaleUp window can still need are kept: a run is dropped once a newer one is at least as
// high and another at least as low. What is left is bounded by kMostRuns; past it two neighbours of
// nearly the same count become one that holds for longer.
#pragma once

#include <vector>

#include "operator/api/scalable_app.h"

namespace scalableapp::scaling {

// Some 5 KiB of status; only a load that falls or rises for a whole window without a break needs
// it.
inline constexpr std::size_t kMostRuns = 64;

// After so long without a decision (restart, new leader, API server away) the last recommendation
// is taken to have stood until now. So status need not be written while it merely goes on.
milliseconds history_gap(int interval_seconds);

// Adds the recommendation of `now`, forgets what no window can need. An empty history begins with
// the current count, as HPA's does. Ends that lie in the future (the clock was set back) become
// `now`. True if the recommendation differs from the last one.
bool record(WallTime now, int current, int recommended, const api::ScalableAppSpec& spec,
            std::vector<api::RecommendationRun>& runs);

// Moves the current count as little as the windows demand: up to the lowest recommendation of the
// scaleUp window, down to the highest of the scaleDown window. Comes after record().
int stabilize(WallTime now, int current, const api::Behavior& behavior,
              const std::vector<api::RecommendationRun>& runs);

}  // namespace scalableapp::scaling
