// When a pod's readiness gate (scalableapp.io/warm) opens and closes. Pure.
//
// The kubelet makes a pod Ready when its containers are and every gate is True (KEP-580), so the gate
// only has to say "warm". It opens once the pod has warmed up (warm_up.h) and slow start has room for it
// (slow_start.h), and closes only when the containers stop being ready: a restarted container
// is cold again, also where nobody saw it unready (it is ready since later than the gate is open) and
// it has not warmed up since; but what restarted unseen serves already, so of that at most so many go
// that half of the app's pods stay in service. What is not known changes nothing: what is warm
// stays in service, what is cold waits. Pods that are terminating or have no gate are left alone.
//
// Two kinds of warm pods are set aside by their gate: those that are to go (scale_down.h), and outliers
// for a while (ejections.h). Where that is over they serve again at once: they have not become cold.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/rollout/warm_up.h"

namespace scalableapp::rollout {

struct GateChange {
  std::shared_ptr<const api::Pod> pod;
  bool warm = false;
  std::string reason;   // CamelCase word.
  std::string message;  // For a person.
};

struct GatePlan {
  std::vector<GateChange> changes;
  // Gates that stay closed for 5 s or more, with the reason, where the pod does not say it yet: once a reason, and
  // only for people who look at the pod. Whoever has no time for it leaves them out.
  std::vector<GateChange> waits;
  std::optional<WallTime> next_check;  // When time alone changes this.
};

// It has a gate that counts.
bool is_gated(const api::Pod& pod);
// It takes traffic, or will as soon as the kubelet has seen that its gate is open.
bool in_service(const api::Pod& pod);
// Set aside by its gate and warm still: it serves as soon as that is opened.
bool can_return(const api::Pod& pod);
// How many pods that serve may be taken out of service, so that half of the app's stay. Pods that are
// to go do not count.
int count_to_spare(const std::vector<std::shared_ptr<const api::Pod>>& pods);

// Whether the value of the warm-up query, or a probe, can change its gate.
bool awaits_warm_up(const api::Readiness& readiness, const api::Pod& pod);

GatePlan plan_gates(WallTime now, const api::ScalableAppSpec& spec,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods, const WarmUpFacts& facts);

}  // namespace scalableapp::rollout
