#include "operator/api/revision.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "operator/api/workload.h"
#include "operator/base/hash.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

json& object_at(json& parent, const char* name) {
  json& value = parent[name];
  if (!value.is_object()) value = json::object();
  return value;
}

std::int64_t revisions_before(const ScalableApp& app) {
  std::int64_t count = 0;
  const auto found = app.metadata.annotations.find(kRevisionsBeforeAnnotation);
  if (found == app.metadata.annotations.end()) return 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc() && count > 0 && count < 1'000'000'000 ? count : 0;
}

}  // namespace

std::string revision_hash(std::string_view template_json, int collision_count) {
  std::uint64_t hash = fnv1a(template_json);
  if (collision_count > 0) hash = fnv1a(fmt::format("#{}", collision_count), hash);
  std::string name;
  for (; name.size() < kRevisionLength; hash /= kRevisionAlphabet.size()) {
    name += kRevisionAlphabet[hash % kRevisionAlphabet.size()];
  }
  return name;
}

std::string revision_of(const ScalableAppSpec& spec, int collision_count) {
  if (spec.readiness.gate) return revision_hash(spec.template_json, collision_count);
  return revision_hash(spec.template_json + "#gate-off", collision_count);
}

std::string template_hash(std::string_view template_json) {
  return fmt::format("{:016x}", fnv1a(template_json));
}

std::string replica_set_prefix(std::string_view app_name) {
  constexpr std::size_t kLongestHostName = 63;
  constexpr std::size_t kPodSuffix = 6;  // A dash and five characters.
  std::string prefix(app_name.substr(0, kLongestHostName - kPodSuffix - kRevisionLength - 1));
  prefix.erase(prefix.find_last_not_of(".-") + 1);  // A label must not begin with the dash.
  return prefix;
}

std::string replica_set_name(const ScalableApp& app, std::string_view revision) {
  return fmt::format("{}-{}", replica_set_prefix(app.metadata.name), revision);
}

std::string replica_set_body(const ScalableApp& app, std::string_view revision, int replicas) {
  const json labels{{kAppLabel, app.metadata.name}, {kRevisionLabel, revision}};
  json pod_template = json::parse(app.spec.template_json, nullptr, false);
  if (!pod_template.is_object()) pod_template = json::object();
  json& pod_labels = object_at(object_at(pod_template, "metadata"), "labels");
  pod_labels.update(labels);
  if (app.spec.readiness.gate) {
    json& gates = object_at(pod_template, "spec")["readinessGates"];
    if (!gates.is_array()) gates = json::array();
    const json gate{{"conditionType", kWarmGate}};
    if (std::ranges::find(gates, gate) == gates.end()) gates.push_back(gate);
    if (const auto after = app.spec.readiness.fail_open_seconds) {
      object_at(pod_template["metadata"], "annotations")[kFailOpenAnnotation] = fmt::format("{}", *after);
    }
  }
  const json owner{{"apiVersion", "scalableapp.io/v1alpha1"},
                   {"kind", "ScalableApp"},
                   {"name", app.metadata.name},
                   {"uid", app.metadata.uid},
                   {"controller", true},
                   {"blockOwnerDeletion", true}};
  json annotations{{kTemplateHashAnnotation, template_hash(app.spec.template_json)},
                   {kRevisionNumberAnnotation, fmt::format("{}", revisions_before(app) + app.metadata.generation)}};
  if (app.spec.template_json.size() <= kLongestTemplateKept) annotations[kTemplateAnnotation] = app.spec.template_json;
  // As Deployment's: found by the pods' labels, and kept with why it came to be.
  const auto cause = app.metadata.annotations.find(kChangeCauseAnnotation);
  if (cause != app.metadata.annotations.end()) annotations[cause->first] = cause->second;
  const json own_labels = pod_labels;
  return json{{"apiVersion", "apps/v1"},
              {"kind", "ReplicaSet"},
              {"metadata",
               {{"name", replica_set_name(app, revision)},
                {"namespace", app.metadata.namespace_name},
                {"labels", own_labels},
                {"annotations", annotations},
                {"ownerReferences", json::array({owner})}}},
              {"spec",
               {{"replicas", replicas},
                {"selector", {{"matchLabels", labels}}},
                {"template", std::move(pod_template)}}}}
      .dump();
}

}  // namespace scalableapp::api
