// Gives the pods of a ScalableApp back to a Deployment, step by step, so that no pod is restarted. Whoever runs it
// again after it broke off goes on. Blocking; waits for the operator and for Kubernetes' controllers.
//
//   1 the ScalableApp is paused, with no rollout on its way and every readiness gate open
//   2 its ReplicaSets no longer give new pods the gate
//   3 the Deployment is created, paused: it remembers the rest, and makes nothing of its own while others have the
//     ReplicaSets
//   4 the ScalableApp is deleted and leaves its ReplicaSets; Services select pods of every revision again, and gates
//     that have shut meanwhile are opened, as nobody else would
//   5 once the Deployment has the running ReplicaSet for its newest one it gets its HorizontalPodAutoscaler back, and
//     is unpaused
#pragma once

#include <string>

#include "operator/plugin/commands.h"
#include "operator/plugin/namespace_objects.h"

namespace scalableapp::plugin {

// `force`: neither waits for the operator nor for gates; those that are shut are opened at the end.
Result<Printed> release(const NamespaceObjects& objects, const std::string& name, bool force);

}  // namespace scalableapp::plugin
