// When a pod's readiness gate (scalableapp.io/warm) opens and closes. Pure.
//
// The kubelet makes a pod Ready when its containers are and every gate is True (KEP-580), so the gate
// only has to say "warm". It opens once the containers have been ready for minWarmSeconds and the
// warm-up condition holds, and closes only when the containers stop being ready: a restarted container
// is cold again, also where nobody saw it unready (it is ready since later than the gate is open) and
// it has not warmed up since; but what restarted unseen serves already, so of that at most so many go
// that half of the app's pods stay in service. A missing warm-up value changes nothing: what is warm
// stays in service, what is cold waits. Pods that are terminating or have no gate are left alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"

namespace scalableapp::rollout {

struct GateChange {
  std::shared_ptr<const api::Pod> pod;
  bool warm = false;
  std::string reason;   // CamelCase word.
  std::string message;  // For a person.
};

struct GatePlan {
  std::vector<GateChange> changes;
  std::optional<WallTime> next_check;  // When the next minWarmSeconds will have passed.
};

// Whether the value of the warm-up query for this pod can change its gate.
bool awaits_warm_up_value(const api::Readiness& readiness, const api::Pod& pod);

// `warm_up_values`: of spec.readiness.warmUp.query, by pod name; a pod may be missing.
GatePlan plan_gates(WallTime now, const api::Readiness& readiness,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods,
                    const std::map<std::string, double>& warm_up_values);

}  // namespace scalableapp::rollout
