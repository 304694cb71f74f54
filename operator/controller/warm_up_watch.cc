#include "operator/controller/warm_up_watch.h"

#include "operator/rollout/gates.h"

namespace scalableapp::controller {

rollout::WarmUpFacts WarmUpWatch::look(MonotonicTime now, const api::ScalableApp& app, const rollout::Pods& pods,
                                       const std::map<std::string, double>& values, const WarmUpProbes* probes) {
  const auto& condition = app.spec.readiness.warm_up;
  rollout::WarmUpFacts facts;
  if (!condition) {
    in_range_since_.clear();
    return facts;
  }
  in_range_since_ = rollout::in_range_since(now, *condition, pods, values, in_range_since_);
  for (const auto& pod : pods) {
    rollout::WarmUpFact& fact = facts[pod->metadata.name];
    const std::string life = rollout::life_of(*pod);
    if (const auto value = values.find(pod->metadata.name); value != values.end()) fact.value = value->second;
    if (const auto since = in_range_since_.find(life); since != in_range_since_.end()) {
      fact.in_range_for = now - since->second;
    }
    if (!condition->probe || probes == nullptr) continue;
    if (const auto result = probes->latest(app.metadata.key(), life)) {
      fact.probe_succeeded = result->failure.empty();
      fact.probe_failure = result->failure;
    }
  }
  return facts;
}

void WarmUpWatch::follow(const api::ScalableApp& app, const rollout::Pods& pods, WarmUpProbes* probes) {
  const api::Readiness& readiness = app.spec.readiness;
  std::vector<ProbeTarget> targets;
  if (readiness.warm_up && readiness.warm_up->probe) {
    const api::WarmUpProbe& probe = *readiness.warm_up->probe;
    for (const auto& pod : pods) {
      if (!pod->containers_ready || pod->ip.empty() || !rollout::awaits_warm_up(readiness, *pod)) continue;
      targets.push_back({.id = rollout::life_of(*pod),
                         .probe = {.address = pod->ip,
                                   .port = probe.port,
                                   .path = probe.path,
                                   .timeout = seconds{probe.timeout_seconds}}});
    }
  }
  if (probes == nullptr || targets == probed_) return;
  probes->subscribe(app.metadata.key(), targets);
  probed_ = std::move(targets);
}

}  // namespace scalableapp::controller
