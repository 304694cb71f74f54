#include "operator/rollout/progress.h"

#include <algorithm>

#include <fmt/format.h>

namespace scalableapp::rollout {
namespace {

// So often a container may be restarted before a pod that does not serve is said to crash-loop.
constexpr int kRestarts = 3;
constexpr seconds kClockSkew{60};

}  // namespace

bool is_of_attempt(const PodFacts& pod, std::optional<WallTime> began) {
  return !began || pod.created + kClockSkew >= *began;
}

Progress look_at_progress(const RevisionState& revision, int deadline_seconds, WallTime now, WallTime not_before) {
  Progress progress;
  std::optional<WallTime> last, waiting_since;
  if (!revision.failure.empty()) {
    progress.trouble = revision.failure;
    waiting_since = revision.failure_since.value_or(revision.created);
  }
  for (const PodFacts& pod : revision.pods) {
    if (pod.terminating) continue;
    if (pod.serving && pod.ready_since) {
      last = last ? std::max(*last, *pod.ready_since) : *pod.ready_since;
    } else if (!pod.serving) {
      const WallTime since = pod.unready_since.value_or(pod.created);
      waiting_since = waiting_since ? std::min(*waiting_since, since) : since;
      if (progress.trouble.empty() && !pod.trouble.empty()) {
        progress.trouble = fmt::format("pod {}: {}", pod.name, pod.trouble);
      }
    }
  }
  if (waiting_since) {
    const WallTime since = std::max({last.value_or(*waiting_since), *waiting_since, not_before});
    progress.deadline = since + seconds{deadline_seconds};
    progress.is_stuck = now >= *progress.deadline;
  }
  return progress;
}

std::string crash_loop(const RevisionState& revision, std::optional<WallTime> attempt_began) {
  for (const PodFacts& pod : revision.pods) {
    if (pod.terminating || pod.serving || !is_of_attempt(pod, attempt_began)) continue;
    if (pod.trouble.starts_with("CrashLoopBackOff")) return fmt::format("pod {}: {}", pod.name, pod.trouble);
    if (pod.restart_count >= kRestarts) {
      return fmt::format("pod {} was restarted {} times and does not serve{}{}", pod.name, pod.restart_count,
                         pod.trouble.empty() ? "" : ": ", pod.trouble);
    }
  }
  return {};
}

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

}  // namespace scalableapp::rollout
