#include "operator/rollout/gates.h"

#include <fmt/format.h>

namespace scalableapp::rollout {
namespace {

bool warm_enough(const api::WarmUpCondition& condition, double value) {
  return (!condition.at_least || value >= *condition.at_least) && (!condition.at_most || value <= *condition.at_most);
}

}  // namespace

GatePlan plan_gates(WallTime now, const api::Readiness& readiness, const std::vector<api::Pod>& pods,
                    const std::map<std::string, double>& warm_up_values) {
  GatePlan plan;
  for (const api::Pod& pod : pods) {
    if (!pod.has_warm_gate || pod.terminating() || pod.finished()) continue;
    if (pod.warm) {
      if (!pod.containers_ready && readiness.gate) {
        plan.changes.push_back({pod.metadata.name, false, "ContainersNotReady", "its containers are not ready; it must warm up again"});
      }
      continue;
    }
    if (!readiness.gate) {
      plan.changes.push_back({pod.metadata.name, true, "GateOff", "spec.readiness.gate is false"});
      continue;
    }
    if (!pod.containers_ready) continue;
    const WallTime since = pod.containers_ready_since.value_or(now);
    const WallTime warm_at = since + seconds{readiness.min_warm_seconds};
    if (now < warm_at) {
      if (!plan.next_check || warm_at < *plan.next_check) plan.next_check = warm_at;
      continue;
    }
    if (readiness.warm_up) {
      const auto value = warm_up_values.find(pod.metadata.name);
      if (value == warm_up_values.end() || !warm_enough(*readiness.warm_up, value->second)) continue;
      plan.changes.push_back({pod.metadata.name, true, "WarmedUp", fmt::format("the warm-up query gives {:g}", value->second)});
      continue;
    }
    plan.changes.push_back({pod.metadata.name, true, "ContainersReady",
                            fmt::format("its containers have been ready for {} s", std::chrono::duration_cast<seconds>(now - since).count())});
  }
  return plan;
}

}  // namespace scalableapp::rollout
