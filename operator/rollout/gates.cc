#include "operator/rollout/gates.h"

#include <fmt/format.h>

namespace scalableapp::rollout {
namespace {

bool warm_enough(const api::WarmUpCondition& condition, double value) {
  return (!condition.at_least || value >= *condition.at_least) && (!condition.at_most || value <= *condition.at_most);
}

// A container restarted and was ready again before anybody looked. The gate never opens before the
// containers are ready by the same two clocks, so that clocks that differ do not look like this.
bool restarted_unseen(const api::Pod& pod) {
  return pod.restart_count > 0 && pod.containers_ready_since && pod.warm_since &&
         *pod.containers_ready_since > *pod.warm_since;
}

// Whether the gate of a pod with ready containers may open; `value`: of the warm-up query.
bool has_warmed_up(const api::Readiness& readiness, WallTime now, WallTime ready_since,
                   const double* value) {
  return now >= ready_since + seconds{readiness.min_warm_seconds} &&
         (!readiness.warm_up || (value != nullptr && warm_enough(*readiness.warm_up, *value)));
}

}  // namespace

GatePlan plan_gates(WallTime now, const api::Readiness& readiness,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods,
                    const std::map<std::string, double>& warm_up_values) {
  GatePlan plan;
  for (const auto& pod : pods) {
    if (!pod->has_warm_gate || pod->terminating() || pod->finished()) continue;
    const auto sample = warm_up_values.find(pod->metadata.name);
    const double* value = sample == warm_up_values.end() ? nullptr : &sample->second;
    if (pod->warm) {
      if (!pod->containers_ready && readiness.gate) {
        plan.changes.push_back({pod, false, "ContainersNotReady",
                                "its containers are not ready; it must warm up again"});
      } else if (readiness.gate && restarted_unseen(*pod) &&
                 !has_warmed_up(readiness, now, *pod->containers_ready_since, value)) {
        plan.changes.push_back({pod, false, "ContainersRestarted",
                                "a container has restarted; it must warm up again"});
      }
      continue;
    }
    if (!readiness.gate) {
      plan.changes.push_back({pod, true, "GateOff", "spec.readiness.gate is false"});
      continue;
    }
    if (!pod->containers_ready) continue;
    const WallTime since = pod->containers_ready_since.value_or(now);
    const WallTime warm_at = since + seconds{readiness.min_warm_seconds};
    if (now < warm_at) {
      if (!plan.next_check || warm_at < *plan.next_check) plan.next_check = warm_at;
      continue;
    }
    if (!has_warmed_up(readiness, now, since, value)) continue;
    if (readiness.warm_up) {
      plan.changes.push_back(
          {pod, true, "WarmedUp", fmt::format("the warm-up query gives {:g}", *value)});
      continue;
    }
    plan.changes.push_back(
        {pod, true, "ContainersReady",
         fmt::format("its containers have been ready for {} s",
                     std::chrono::duration_cast<seconds>(now - since).count())});
  }
  return plan;
}

}  // namespace scalableapp::rollout
