// What adopt is going to do, from what the cluster has: the look at all of it before anything is changed. Blocking;
// reads only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "operator/plugin/adopt.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/namespace_objects.h"

namespace scalableapp::plugin {

// The Deployment's, those that it left, and those that are the app's already: as the Deployment controller, which
// claims whatever its selector finds and nobody controls. `app_uid`: empty, there is no app.
Result<std::vector<nlohmann::json>> replica_sets_left(const NamespaceObjects& objects, const nlohmann::json& selector,
                                                      const std::string& deployment_uid, const std::string& app_uid);

// With the autoscaler that the namespace has for it. kInvalid also where it is not at rest.
Result<Adoption> look_and_translate(const NamespaceObjects& objects, const nlohmann::json& deployment,
                                    const AdoptOptions& options);

// The manifest as YAML under what would be done, as comments.
Result<Printed> plan_adoption(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options);

}  // namespace scalableapp::plugin
