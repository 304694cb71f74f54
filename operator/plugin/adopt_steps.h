// Takes a Deployment over into a ScalableApp, step by step, so that no pod is restarted. Each step looks at what is
// there and may have been done before: whoever runs it again after it broke off goes on. Blocking; waits for the
// operator and for Kubernetes' controllers.
//
//   1 the ScalableApp is created, paused; it remembers what the rest needs. The operator must see it, or it ends here
//   2 the HorizontalPodAutoscaler is deleted, then, at rest, the Deployment, which leaves its ReplicaSets
//   3 the ReplicaSets become the ScalableApp's, and their pods get its labels
//   4 once the operator counts all of them, the ScalableApp is unpaused
#pragma once

#include <string>

#include "operator/plugin/adopt.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/namespace_objects.h"

namespace scalableapp::plugin {

Result<Printed> adopt(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options);

}  // namespace scalableapp::plugin
