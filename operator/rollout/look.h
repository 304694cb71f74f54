// One look at a rollout in the making: what the planner's files pass from hand to hand. For them only.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/rollout/analysis.h"
#include "operator/rollout/plan.h"
#include "operator/rollout/progress.h"
#include "operator/rollout/sides.h"

namespace scalableapp::rollout {

struct Look {
  WallTime now{};
  const RolloutInput& input;
  Sides sides;  // Their targets are the plan.
  api::RolloutStatus state;
  Bounds bounds;
  Progress progress;        // Of the updated revision.
  bool is_back = false;     // The goal is the stable revision: the updated one failed.
  bool is_held = false;     // Nothing is exchanged, no step ends by itself.
  Outcome verdict;          // Of the analysis; none where it has no say.
  bool is_down = false;     // Recreate: there are no pods, on purpose.
  Routing routing;
  std::vector<Note> notes;
  std::optional<WallTime> next_check;

  const api::RolloutSpec& spec() const { return input.spec.rollout; }
  int desired() const { return input.desired_replicas; }
  bool is_first() const { return input.current_revision.empty(); }
  bool is_current() const { return input.updated_revision == input.current_revision; }
  Side& goal() { return is_back ? *sides.stable : sides.updated; }
  // Pods of another revision than the goal's are left.
  bool has_others() { return sides.has_other_than(goal()); }

  void check_at(WallTime at) {
    if (at > now && (!next_check || at < *next_check)) next_check = at;
  }
  // Whether `wait` has passed since `since`; asks to be called when it will have.
  bool has_passed(std::optional<WallTime> since, seconds wait) {
    if (!since) return true;
    check_at(*since + wait);
    return now >= *since + wait;
  }
  void note(std::string reason, std::string message) {
    notes.push_back({.reason = std::move(reason), .message = std::move(message)});
  }
  void warn(std::string reason, std::string message) {
    notes.push_back({.is_warning = true, .reason = std::move(reason), .message = std::move(message)});
  }
  void begin_step(int step) {
    state.step = step;
    state.step_started_at = now;
    rollout::begin_step(state.analysis);
    if (verdict.verdict == api::Verdict::kSuccessful) verdict = {};
  }
  void mark_available() {
    if (!state.available_at) state.available_at = now;
  }
};

}  // namespace scalableapp::rollout
