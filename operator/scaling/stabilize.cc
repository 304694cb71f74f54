#include "operator/scaling/stabilize.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace scalableapp::scaling {
namespace {

using Runs = std::vector<api::RecommendationRun>;

struct Windows {
  WallTime up_begin;
  WallTime down_begin;
  Windows(WallTime now, const api::Behavior& behavior)
      : up_begin(now - seconds{behavior.scale_up.stabilization_window_seconds}),
        down_begin(now - seconds{behavior.scale_down.stabilization_window_seconds}) {}
};

// Keeps the newest run, and of the older ones those over (under) all that are newer.
void prune(const Windows& windows, Runs& runs) {
  int highest = runs.back().replicas;
  int lowest = highest;
  auto kept = runs.end() - 1;
  for (auto run = kept; run != runs.begin();) {
    --run;
    const bool rises = run->until > windows.down_begin && run->replicas > highest;
    const bool falls = run->until > windows.up_begin && run->replicas < lowest;
    if (!rises && !falls) continue;
    (rises ? highest : lowest) = run->replicas;
    if (--kept != run) *kept = *run;
  }
  runs.erase(runs.begin(), kept);
}

// Of the two nearest counts on one side of the newest run, the one further off takes the other's
// end: it holds for longer than it should, which errs towards not scaling in both directions.
void merge_nearest(Runs& runs) {
  const int newest = runs.back().replicas;
  auto best = runs.end(), best_next = runs.end();
  int best_distance = std::numeric_limits<int>::max();
  Runs::iterator above = runs.end(), below = runs.end();
  for (auto run = runs.begin(); run != runs.end() - 1; ++run) {
    auto& previous = run->replicas > newest ? above : below;
    if (previous != runs.end()) {
      const int distance = std::abs(previous->replicas - run->replicas);
      if (distance < best_distance) best = previous, best_next = run, best_distance = distance;
    }
    previous = run;
  }
  best_next->replicas = best->replicas;
  best_next->from = best->from;
  runs.erase(best);
}

// Whether the ends are in order and none lies in the future, as it is unless the clock was set back.
bool is_in_order(WallTime now, const Runs& runs) {
  WallTime before = WallTime::min();
  bool in_order = true;
  for (const auto& run : runs) {
    in_order &= before <= run.until && run.from <= run.until;
    before = run.until;
  }
  return in_order && before <= now;
}

}  // namespace

milliseconds history_gap(int interval_seconds) {
  return seconds{std::max(10, 3 * interval_seconds)};
}

bool record(WallTime now, int current, int recommended, const api::ScalableAppSpec& spec,
            Runs& runs) {
  if (!is_in_order(now, runs)) {
    for (auto& run : runs) {
      run.until = std::min(run.until, now);
      run.from = std::min(run.from, run.until);
    }
    std::ranges::stable_sort(runs, {}, &api::RecommendationRun::until);
  }
  bool differs = runs.empty();
  if (runs.empty()) runs.push_back({current, now, now});
  if (now - runs.back().until > history_gap(spec.interval_seconds)) runs.back().until = now;
  if (runs.back().replicas == recommended) {
    runs.back().until = now;
  } else {
    runs.push_back({recommended, now, now});
    differs = true;
  }
  prune(Windows(now, spec.behavior), runs);
  while (runs.size() > kMostRuns) merge_nearest(runs);
  return differs;
}

int stabilize(WallTime now, int current, const api::Behavior& behavior, const Runs& runs) {
  if (runs.empty()) return current;
  const Windows windows(now, behavior);
  int lowest = runs.back().replicas;
  int highest = lowest;
  for (const auto& run : runs) {
    if (run.until > windows.up_begin) lowest = std::min(lowest, run.replicas);
    if (run.until > windows.down_begin) highest = std::max(highest, run.replicas);
  }
  return std::clamp(current, lowest, highest);
}

}  // namespace scalableapp::scaling
