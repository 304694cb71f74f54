#include "operator/scaling/stabilize.h"

#include <algorithm>

namespace scalableapp::scaling {

void remember(std::vector<api::RecommendationRun>& runs, WallTime now, int replicas, seconds longest_window,
              std::optional<WallTime> observing_since) {
  if (observing_since && !runs.empty() && runs.back().until < *observing_since) {
    for (auto& run : runs) run.until = std::max(run.until, std::min(*observing_since, now));
  }
  if (!runs.empty() && runs.back().replicas == replicas) {
    runs.back().until = now;
  } else {
    runs.push_back({.replicas = replicas, .from = now, .until = now});
  }
  std::erase_if(runs, [&](const auto& run) { return now - run.until > longest_window; });
  // From the newest back: a run stays if it is higher than all later ones, or lower than all.
  std::vector<api::RecommendationRun> kept;
  int highest = 0, lowest = 0;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (kept.empty() || run->replicas > highest || run->replicas < lowest) kept.push_back(*run);
    highest = kept.size() == 1 ? run->replicas : std::max(highest, run->replicas);
    lowest = kept.size() == 1 ? run->replicas : std::min(lowest, run->replicas);
  }
  std::ranges::reverse(kept);
  // Too many levels: of the oldest two the extremes are what matters; the higher one lives on longer.
  while (kept.size() > kMaxRuns) {
    kept[1].replicas = std::max(kept[0].replicas, kept[1].replicas);
    kept.erase(kept.begin());
  }
  runs = std::move(kept);
}

int highest_in_window(const std::vector<api::RecommendationRun>& runs, WallTime now, seconds window, int recommended) {
  for (const auto& run : runs) {
    if (now - run.until <= window) recommended = std::max(recommended, run.replicas);
  }
  return recommended;
}

int lowest_in_window(const std::vector<api::RecommendationRun>& runs, WallTime now, seconds window, int recommended) {
  for (const auto& run : runs) {
    if (now - run.until <= window) recommended = std::min(recommended, run.replicas);
  }
  return recommended;
}

void forget_old_events(std::vector<api::ScaleEvent>& events, WallTime now, seconds longest_period) {
  std::erase_if(events, [&](const auto& event) { return now - event.time > longest_period; });
  if (events.size() > kMaxScaleEvents) {
    events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(kMaxScaleEvents));
  }
}

}  // namespace scalableapp::scaling
