#include "operator/plugin/owned_replica_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/workload.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr const char* kPodTemplateHash = "pod-template-hash";               // apps/v1 DefaultDeploymentUniqueLabelKey
constexpr const char* kDeploymentRevision = "deployment.kubernetes.io/revision";
constexpr std::array kOurLabels{api::kAppLabel, api::kRevisionLabel};

const json& template_in(const json& replica_set) { return api::child(spec_of(replica_set), "template"); }

std::int64_t deployment_revision(const json& replica_set) {
  const std::string text = annotation(replica_set, kDeploymentRevision);
  return text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos ? 0
                                                                                                     : std::stoi(text);
}

json lock(const json& replica_set) {
  return {{"uid", uid_of(replica_set)}, {"resourceVersion", api::text(metadata_of(replica_set), "resourceVersion")}};
}

json gates_of(const json& pod_template) {
  const json& gates = api::child(spec_of(pod_template), "readinessGates");
  return gates.is_array() ? gates : json::array();
}

json ours() { return {{"conditionType", api::kWarmGate}}; }

// A merge patch takes lists as a whole: other owners stay.
json owners_with(const api::ScalableApp& app, const json& replica_set) {
  json owners = json::array();
  for (const json& owner : api::child(metadata_of(replica_set), "ownerReferences")) {
    if (!api::boolean(owner, "controller")) owners.push_back(owner);
  }
  owners.push_back({{"apiVersion", "scalableapp.io/v1alpha1"},
                    {"kind", "ScalableApp"},
                    {"name", app.metadata.name},
                    {"uid", app.metadata.uid},
                    {"controller", true},
                    {"blockOwnerDeletion", true}});
  return owners;
}

json take_over_patch(const api::ScalableApp& app, const json& replica_set, const std::string& revision,
                     const std::string& template_json) {
  const json labels{{api::kAppLabel, app.metadata.name}, {api::kRevisionLabel, revision}};
  json annotations{{api::kTemplateHashAnnotation, api::template_hash(template_json)},
                   {api::kRevisionNumberAnnotation, fmt::format("{}", deployment_revision(replica_set))}};
  if (template_json.size() <= api::kLongestTemplateKept) annotations[api::kTemplateAnnotation] = template_json;
  json gates = gates_of(template_in(replica_set));
  if (std::ranges::find(gates, ours()) == gates.end()) gates.push_back(ours());
  json metadata = lock(replica_set);
  metadata["labels"] = labels;
  metadata["annotations"] = std::move(annotations);
  metadata["ownerReferences"] = owners_with(app, replica_set);
  const json pod_template{{"metadata", {{"labels", labels}}}, {"spec", {{"readinessGates", std::move(gates)}}}};
  return {{"metadata", std::move(metadata)}, {"spec", {{"template", pod_template}}}};
}

}  // namespace

std::string canonical_template(const json& pod_template) {
  // By the operator's own way of reading it.
  const json app{{"metadata", {{"name", "any"}}}, {"spec", {{"template", pod_template}}}};
  return api::decode_scalable_app(app)->spec.template_json;
}

std::string template_of(const json& replica_set) {
  json pod_template = template_in(replica_set);
  if (!pod_template.is_object()) return canonical_template(json::object());
  const auto drop = [&](const char* part, const char* map, std::span<const char* const> names) {
    if (!api::child(api::child(pod_template, part), map).is_object()) return;
    json& object = pod_template[part][map];
    for (const char* name : names) object.erase(name);
    if (object.empty()) pod_template[part].erase(map);
  };
  drop("metadata", "labels", std::array{kPodTemplateHash, api::kAppLabel, api::kRevisionLabel});
  drop("metadata", "annotations", std::array{api::kFailOpenAnnotation});
  json gates = gates_of(pod_template);
  if (!gates.empty()) {
    std::erase(gates.get_ref<json::array_t&>(), ours());
    pod_template["spec"]["readinessGates"] = gates.empty() ? json() : std::move(gates);
  }
  return canonical_template(pod_template);
}

TakeOvers take_over(const api::ScalableApp& app, std::span<const json> replica_sets) {
  std::vector<const json*> newest_first;
  for (const json& replica_set : replica_sets) newest_first.push_back(&replica_set);
  // Of two with one template the one with pods is the one to have.
  std::ranges::sort(newest_first, std::greater(), [](const json* replica_set) {
    return std::tuple(deployment_revision(*replica_set), replicas_of(*replica_set),
                      name_of(*replica_set));
  });
  TakeOvers result;
  std::set<std::string> taken;
  for (const json* replica_set : newest_first) {
    const std::string template_json = template_of(*replica_set);
    const std::string revision = template_json == app.spec.template_json ? api::revision_of(app.spec, 0)
                                                                        : api::revision_hash(template_json, 0);
    if (!taken.insert(revision).second) {
      result.left_alone.push_back(name_of(*replica_set));
      continue;
    }
    result.replica_sets.push_back({.name = name_of(*replica_set),
                                   .uid = uid_of(*replica_set),
                                   .revision = revision,
                                   .replicas = replicas_of(*replica_set),
                                   .patch = take_over_patch(app, *replica_set, revision, template_json).dump()});
  }
  return result;
}

GiveBack give_back(const json& replica_set, std::span<const json> selectors) {
  GiveBack result;
  std::string needed = api::child(spec_of(replica_set), "selector").dump();
  for (const json& selector : selectors) needed += selector.dump();
  json template_labels = json::object();
  for (const char* label : kOurLabels) {
    if (needed.find(fmt::format("\"{}\"", label)) != std::string::npos) continue;
    result.labels.emplace_back(label);
    template_labels[label] = nullptr;
  }
  json gates = gates_of(template_in(replica_set));
  std::erase(gates.get_ref<json::array_t&>(), ours());
  const json patch{
      {"metadata", lock(replica_set)},
      {"spec",
       {{"template",
         {{"metadata", {{"labels", template_labels}, {"annotations", {{api::kFailOpenAnnotation, nullptr}}}}},
          {"spec", {{"readinessGates", gates.empty() ? json() : std::move(gates)}}}}}}}};
  result.template_patch = patch.dump();
  return result;
}

}  // namespace scalableapp::plugin
