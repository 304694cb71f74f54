// The second half of release: the ScalableApp is gone, its ReplicaSets are nobody's, and the Deployment that is to have
// them is there, paused. Blocking; each step may have been done before.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "operator/plugin/namespace_objects.h"

namespace scalableapp::plugin {

// `services`: selectors of those that the pods are to stay behind. `done` is told each step that changed something.
Result<void> take_back_pods(const NamespaceObjects& objects, const std::string& name, const nlohmann::json& deployment,
                            std::span<const nlohmann::json> services, std::vector<std::string>& done);

}  // namespace scalableapp::plugin
