#include "operator/rollout/plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace scalableapp::rollout {
namespace {

using api::ConditionStatus;

// A ReplicaSet in the course of planning.
struct Side {
  const RevisionState* state = nullptr;
  int target = 0;     // spec.replicas after the actions.
  int available = 0;  // Available pods that the ReplicaSet means to keep.
  int live_pods = 0;  // Not terminating.
};

Side look_at(const RevisionState& state, const api::RolloutSpec& spec, WallTime now) {
  Side side{.state = &state, .target = state.spec_replicas};
  for (const PodFacts& pod : state.pods) {
    if (pod.terminating) continue;
    ++side.live_pods;
    if (pod.serving && pod.ready_since && now - *pod.ready_since >= seconds{spec.min_ready_seconds}) ++side.available;
  }
  // Pods that a lowered spec.replicas has already condemned are available no longer.
  side.available = std::min(side.available, state.spec_replicas);
  return side;
}

int percent_of(const api::IntOrPercent& value, int whole, bool up) {
  if (!value.is_percent) return value.value;
  const long long product = static_cast<long long>(value.value) * whole;
  return static_cast<int>((product + (up ? 99 : 0)) / 100);
}

bool has_old_pods(const RolloutInput& input) {
  return std::ranges::any_of(input.revisions, [&](const RevisionState& revision) {
    return revision.revision != input.updated_revision &&
           (revision.spec_replicas > 0 ||
            std::ranges::any_of(revision.pods, [](const PodFacts& pod) { return !pod.terminating; }));
  });
}

// Raises the old side that serves most, while the new revision has proved nothing, to `floor` pods in
// all old sides. Returns by how many.
int raise_old(std::vector<Side>& old, int old_total, int old_available, int floor) {
  if (old_available == 0 || old_total >= floor) return 0;
  std::ranges::max_element(old, {}, &Side::available)->target += floor - old_total;
  return floor - old_total;
}

// Lowers the old sides by up to `count`, oldest first; `dead_only` spares available pods.
void take_from_old(std::vector<Side>& old, int count, bool dead_only) {
  for (Side& side : old) {
    const int spare = dead_only ? side.target - side.available : side.target;
    const int step = std::clamp(std::min(spare, count), 0, side.target);
    side.target -= step;
    count -= step;
  }
}

void add_scale(std::vector<Action>& actions, const Side& side, const std::string& why) {
  const RevisionState& state = *side.state;
  if (side.target == state.spec_replicas) return;
  actions.push_back(ScaleReplicaSet{.name = state.name,
                                    .uid = state.uid,
                                    .resource_version = state.resource_version,
                                    .from = state.spec_replicas,
                                    .to = side.target,
                                    .why = why});
}

// Old ReplicaSets without pods beyond revisionHistoryLimit, oldest first.
void add_cleanup(std::vector<Action>& actions, const RolloutInput& input) {
  std::vector<const RevisionState*> empty;
  for (const RevisionState& state : input.revisions) {
    if (state.revision != input.updated_revision && state.revision != input.current_revision &&
        state.spec_replicas == 0 && state.pods.empty()) {
      empty.push_back(&state);
    }
  }
  std::ranges::sort(empty, {}, [](const RevisionState* state) { return std::pair(state->created, state->name); });
  const auto limit = static_cast<std::size_t>(input.spec.revision_history_limit);
  for (std::size_t i = 0; i + limit < empty.size(); ++i) {
    actions.push_back(DeleteReplicaSet{empty[i]->name, empty[i]->uid, empty[i]->resource_version});
  }
}

struct Progress {
  bool stuck = false;
  std::string trouble;  // Of a pod that does not serve.
  std::optional<WallTime> deadline;
};

// Stuck: a pod has not come to serve for the deadline, and none other did in that time either.
Progress look_at_progress(const RevisionState& updated, const api::RolloutSpec& spec, WallTime now) {
  Progress progress;
  std::optional<WallTime> last, waiting_since;
  if (!updated.failure.empty()) {
    progress.trouble = updated.failure;
    waiting_since = updated.failure_since.value_or(updated.created);
  }
  for (const PodFacts& pod : updated.pods) {
    if (pod.terminating) continue;
    if (pod.serving && pod.ready_since) {
      last = last ? std::max(*last, *pod.ready_since) : *pod.ready_since;
    } else if (!pod.serving) {
      const WallTime since = pod.unready_since.value_or(pod.created);
      waiting_since = waiting_since ? std::min(*waiting_since, since) : since;
      if (progress.trouble.empty() && !pod.trouble.empty()) progress.trouble = fmt::format("pod {}: {}", pod.name, pod.trouble);
    }
  }
  if (waiting_since) {
    progress.deadline = (last ? std::max(*last, *waiting_since) : *waiting_since) + seconds{spec.progress_deadline_seconds};
    progress.stuck = now >= *progress.deadline;
  }
  return progress;
}

// The earliest time at which a serving pod becomes available.
std::optional<WallTime> next_available(const RolloutInput& input, WallTime now) {
  std::optional<WallTime> next;
  for (const RevisionState& state : input.revisions) {
    for (const PodFacts& pod : state.pods) {
      if (!pod.serving || pod.terminating || !pod.ready_since) continue;
      const WallTime at = *pod.ready_since + seconds{input.spec.rollout.min_ready_seconds};
      if (at > now && (!next || at < *next)) next = at;
    }
  }
  return next;
}

api::Condition progressing(ConditionStatus status, const char* reason, std::string message) {
  return {.type = "Progressing", .status = status, .reason = reason, .message = std::move(message)};
}

}  // namespace

bool in_flight(const RolloutInput& input) { return has_old_pods(input); }

Bounds resolve(const api::RolloutSpec& spec, int desired) {
  Bounds bounds{.surge = percent_of(spec.max_surge, desired, true),
                .unavailable = std::min(desired, percent_of(spec.max_unavailable, desired, false))};
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  return bounds;
}

RolloutPlan plan(WallTime now, const RolloutInput& input) {
  RolloutPlan result;
  result.in_flight = has_old_pods(input);
  const api::RolloutSpec& spec = input.spec.rollout;
  const int desired = input.desired_replicas;
  if (input.spec.paused || input.spec.dry_run) {
    result.progressing = progressing(ConditionStatus::kUnknown, input.spec.paused ? "Paused" : "DryRun",
                                     input.spec.paused ? "spec.paused: pods are left as they are"
                                                       : fmt::format("spec.dryRun: would run {} replicas of revision {}",
                                                                     desired, input.updated_revision));
    return result;
  }

  const Bounds bounds = resolve(spec, desired);
  const RevisionState* updated_state = nullptr;
  std::vector<Side> old;
  int old_total = 0, old_available = 0;
  for (const RevisionState& state : input.revisions) {
    if (state.revision == input.updated_revision) {
      updated_state = &state;
      continue;
    }
    old.push_back(look_at(state, spec, now));
    old_total += state.spec_replicas;
    old_available += old.back().available;
  }
  std::ranges::sort(old, {}, [](const Side& side) { return std::pair(side.state->created, side.state->name); });

  constexpr const char* kOldUp = "load rose before the new revision proved itself";
  const Progress progress = updated_state == nullptr ? Progress{.stuck = input.is_refused}
                                                     : look_at_progress(*updated_state, spec, now);
  const int min_available = desired - (progress.stuck ? 0 : bounds.unavailable);
  if (updated_state == nullptr) {
    // What serves comes first: the API server may refuse the new template, now and for ever.
    const int kept = old_total + raise_old(old, old_total, old_available, min_available);
    for (const Side& side : old) add_scale(result.actions, side, kOldUp);
    // Sized by the count wanted now, within the surge: never from the minimum.
    const int replicas =
        old_total == 0 ? desired : std::clamp(desired + bounds.surge - std::max(kept, min_available), 0, desired);
    result.actions.push_back(CreateReplicaSet{input.updated_revision, replicas});
    result.progressing = progressing(ConditionStatus::kTrue, "NewReplicaSetCreated",
                                     fmt::format("revision {} starts with {} of {} replicas", input.updated_revision, replicas, desired));
    return result;
  }

  Side updated = look_at(*updated_state, spec, now);
  if (!result.in_flight) {
    updated.target = desired;
    add_scale(result.actions, updated, "the wanted count");
  } else {
    // Up: the room under the surge bound goes to whom it can be trusted.
    int room = desired + bounds.surge - old_total - updated.target;
    const bool proven = updated.available > 0;
    if (!proven && room > 0) {
      const int grow = raise_old(old, old_total, old_available, std::min(min_available, old_total + room));
      old_total += grow;
      room -= grow;
    }
    if (room > 0) updated.target = std::min(std::max(desired, updated.target), updated.target + room);
    if (updated.target > desired) updated.target = std::max(desired, std::min(updated.target, updated_state->spec_replicas));
    if (updated_state->spec_replicas > desired) updated.target = desired;

    // Down: first old pods that serve nobody, then as many as are available beyond the bound.
    const int total = old_total + updated.target;
    const int updated_unavailable = updated.target - std::min(updated.available, updated.target);
    const int cleanup = std::max(0, total - min_available - updated_unavailable);
    take_from_old(old, cleanup, true);
    const int spare = std::max(0, old_available + std::min(updated.available, updated.target) - min_available);
    // What was cleaned up had no available pod, so it does not lessen the spare.
    take_from_old(old, std::min(spare, old_available), false);
    // Where the wanted count fell, surge that serves nobody goes too.
    int over = updated.target - desired - bounds.surge;
    for (const Side& side : old) over += side.target;
    updated.target -= std::clamp(over, 0, std::max(0, updated.target - updated.available));

    if (updated.target > updated_state->spec_replicas) add_scale(result.actions, updated, "new revision up within maxSurge");
    for (const Side& side : old) {
      add_scale(result.actions, side, side.target > side.state->spec_replicas
                                          ? kOldUp
                                          : "old revision down within maxUnavailable");
    }
    if (updated.target < updated_state->spec_replicas) add_scale(result.actions, updated, "the wanted count fell");
  }
  add_cleanup(result.actions, input);

  // Report.
  const std::string counts = fmt::format("{} of {} replicas of revision {} are available", updated.available, desired, input.updated_revision);
  if (progress.stuck) {
    result.progressing = progressing(ConditionStatus::kFalse, "ProgressDeadlineExceeded",
                                     fmt::format("{}; {}", counts, progress.trouble.empty() ? "its pods do not become ready" : progress.trouble));
  } else if (result.in_flight || (input.current_revision != input.updated_revision && updated.available < desired)) {
    result.progressing = progressing(ConditionStatus::kTrue, "ReplicaSetUpdated",
                                     progress.trouble.empty() ? counts : fmt::format("{}; {}", counts, progress.trouble));
  } else {
    result.progressing = progressing(ConditionStatus::kTrue, "NewReplicaSetAvailable",
                                     progress.trouble.empty() ? fmt::format("revision {} is rolled out", input.updated_revision)
                                                              : fmt::format("{}; {}", counts, progress.trouble));
  }
  result.next_check = next_available(input, now);
  if (progress.deadline && *progress.deadline > now && (!result.next_check || *progress.deadline < *result.next_check)) {
    result.next_check = progress.deadline;
  }
  return result;
}

}  // namespace scalableapp::rollout
