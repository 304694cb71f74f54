#include "operator/plugin/adopt_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "operator/api/json_fields.h"
#include "operator/metrics/promql.h"
#include "operator/plugin/manifest.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

Result<std::vector<json>> replica_sets_of(const NamespaceObjects& objects, const json& deployment) {
  return replica_sets_left(objects, api::child(spec_of(deployment), "selector"), uid_of(deployment), {});
}

// null: none.
Result<json> find_autoscaler(const NamespaceObjects& objects, const std::string& deployment) {
  const auto autoscalers = objects.list(kube::kHorizontalPodAutoscalers, nullptr);
  if (!autoscalers) return tl::unexpected(autoscalers.error());
  json found;
  std::vector<std::string> names;
  for (const json& autoscaler : *autoscalers) {
    if (!scales(autoscaler, deployment)) continue;
    found = autoscaler;
    names.push_back(name_of(autoscaler));
  }
  if (names.size() <= 1) return found;
  return fail(ErrorCode::kInvalid, fmt::format("Deployment {} has more than one HorizontalPodAutoscaler: {}; delete "
                                               "all but one", deployment, fmt::join(names, ", ")));
}

}  // namespace

Result<std::vector<json>> replica_sets_left(const NamespaceObjects& objects, const json& selector,
                                            const std::string& deployment_uid, const std::string& app_uid) {
  auto found = objects.list(kube::kReplicaSets, selector);
  if (!found) return found;
  std::erase_if(*found, [&](const json& replica_set) {
    const std::string controller = controller_uid(replica_set);
    return !controller.empty() && controller != deployment_uid && controller != app_uid;
  });
  return found;
}

Result<Adoption> look_and_translate(const NamespaceObjects& objects, const json& deployment,
                                    const AdoptOptions& options) {
  const std::string name = name_of(deployment);
  const auto autoscaler = find_autoscaler(objects, name);
  if (!autoscaler) return tl::unexpected(autoscaler.error());
  const auto budgets = objects.list(kube::kPodDisruptionBudgets, nullptr);
  if (!budgets) return tl::unexpected(budgets.error());
  auto adoption = translate(deployment, *autoscaler, *budgets, options);
  if (!adoption) return adoption;
  const auto owned = replica_sets_of(objects, deployment);
  if (!owned) return tl::unexpected(owned.error());
  if (const std::string unrest = unrest_of(deployment, *owned); !unrest.empty() && !options.force) {
    return fail(ErrorCode::kInvalid, fmt::format("Deployment {} is not at rest: {}; wait, or use --force and the "
                                                 "operator goes on with it", name, unrest));
  }
  const std::regex seen(metrics::render_template("$(pods)", {objects.namespace_name(), name}));
  for (const json& replica_set : *owned) {
    if (replicas_of(replica_set) == 0 || std::regex_match(name_of(replica_set) + "-aaaaa", seen)) continue;
    adoption->warnings.push_back(
        fmt::format("the built-in metrics and $(pods) do not see the pods of ReplicaSet {}, whose name is not one that "
                    "a Deployment makes; those of the next revision they do", name_of(replica_set)));
  }
  return adoption;
}

Result<Printed> plan_adoption(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options) {
  const auto app = objects.find(kube::kScalableApps, name);
  if (!app) return tl::unexpected(app.error());
  if (app->is_object()) {
    return fail(ErrorCode::kAlreadyExists,
                fmt::format("there is a ScalableApp {0}: see it with kubectl get scalableapp {0} -o yaml", name));
  }
  const auto deployment = objects.get(kube::kDeployments, name);
  if (!deployment) return tl::unexpected(deployment.error());
  const auto adoption = look_and_translate(objects, *deployment, options);
  if (!adoption) return tl::unexpected(adoption.error());
  const auto yaml = json_to_yaml(adoption->manifest);
  if (!yaml) return tl::unexpected(yaml.error());
  const auto autoscaler = find_autoscaler(objects, name);
  if (!autoscaler) return tl::unexpected(autoscaler.error());
  std::string out = "# What adopt would do; nothing has been changed.\n"
                    "#  - create this ScalableApp, paused, and wait until the operator has seen it\n";
  if (autoscaler->is_object()) {
    out += fmt::format("#  - delete HorizontalPodAutoscaler {}, which the ScalableApp remembers\n",
                       name_of(*autoscaler));
  }
  out += fmt::format("#  - delete Deployment {}, leaving its ReplicaSets and pods\n", name);
  const auto owned = replica_sets_of(objects, *deployment);
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    out += fmt::format("#  - take over ReplicaSet {} ({} replicas)\n", name_of(replica_set), replicas_of(replica_set));
  }
  out += "#  - label its pods, none of which is restarted, and unpause the ScalableApp once the operator counts them\n";
  Printed printed{.out = out + *yaml};
  for (const std::string& warning : adoption->warnings) printed.warnings.push_back("warning: " + warning);
  return printed;
}

}  // namespace scalableapp::plugin
