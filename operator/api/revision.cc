#include "operator/api/revision.h"

#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace scalableapp::api {

std::string revision_hash(std::string_view template_json, int collision_count) {
  // FNV-1a, 64 bit (Fowler, Noll, Vo): offset basis and prime as published.
  std::uint64_t hash = 14695981039346656037ULL;
  const auto mix = [&hash](std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  };
  mix(template_json);
  if (collision_count > 0) mix(fmt::format("#{}", collision_count));
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string name;
  for (int i = 0; i < 10; ++i, hash /= kAlphabet.size()) name += kAlphabet[hash % kAlphabet.size()];
  return name;
}

std::string replica_set_name(const ScalableApp& app, std::string_view revision) {
  // A pod's name is its ReplicaSet's and a dash and five characters; host names end at 63.
  return fmt::format("{}-{}", app.metadata.name.substr(0, 46), revision);
}

std::string replica_set_body(const ScalableApp& app, std::string_view revision, int replicas) {
  using nlohmann::json;
  const json labels{{kAppLabel, app.metadata.name}, {kRevisionLabel, revision}};
  json pod_template = json::parse(app.spec.template_json, nullptr, false);
  if (!pod_template.is_object()) pod_template = json::object();
  pod_template["metadata"]["labels"].update(labels);
  if (app.spec.readiness.gate) {
    json& gates = pod_template["spec"]["readinessGates"];
    if (!gates.is_array()) gates = json::array();
    const json gate{{"conditionType", kWarmGate}};
    if (std::find(gates.begin(), gates.end(), gate) == gates.end()) gates.push_back(gate);
  }
  return json{{"apiVersion", "apps/v1"},
              {"kind", "ReplicaSet"},
              {"metadata",
               {{"name", replica_set_name(app, revision)},
                {"namespace", app.metadata.namespace_name},
                {"labels", labels},
                {"annotations", {{"scalableapp.io/template-hash", revision_hash(app.spec.template_json, 0)}}},
                {"ownerReferences", json::array({{{"apiVersion", "scalableapp.io/v1alpha1"},
                                                  {"kind", "ScalableApp"},
                                                  {"name", app.metadata.name},
                                                  {"uid", app.metadata.uid},
                                                  {"controller", true},
                                                  {"blockOwnerDeletion", true}}})}}},
              {"spec",
               {{"replicas", replicas}, {"selector", {{"matchLabels", labels}}}, {"template", pod_template}}}}
      .dump();
}

}  // namespace scalableapp::api
