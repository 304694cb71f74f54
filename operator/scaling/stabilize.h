// Stabilization windows over a bounded history of recommendations. Pure.
//
// The history is runs of equal recommendations. A run that a later, higher or equal one and a later,
// lower or equal one both follow can decide neither the highest (down) nor the lowest (up) of any
// window that ends now or later, so it is dropped: steady load keeps one run, however long it lasts.
#pragma once

#include "operator/api/scalable_app.h"
#include "operator/base/time.h"

namespace scalableapp::scaling {

// What a history may grow to; the oldest go first, beyond it.
inline constexpr std::size_t kMaxRuns = 32;
inline constexpr std::size_t kMaxScaleEvents = 64;

// Adds `replicas` as recommended at `now` and forgets what no window (of at most `longest_window`)
// can need. `observing_since`: runs from before it are taken to have lasted until then, since this
// process cannot know better: a restart never shortens the memory.
void remember(std::vector<api::RecommendationRun>& runs, WallTime now, int replicas, seconds longest_window,
              std::optional<WallTime> observing_since);

// The lowest count that a scale-down may go to: the highest recommendation of the window.
int highest_in_window(const std::vector<api::RecommendationRun>& runs, WallTime now, seconds window, int recommended);
// The highest count that a scale-up may go to: the lowest recommendation of the window.
int lowest_in_window(const std::vector<api::RecommendationRun>& runs, WallTime now, seconds window, int recommended);

void forget_old_events(std::vector<api::ScaleEvent>& events, WallTime now, seconds longest_period);

}  // namespace scalableapp::scaling
