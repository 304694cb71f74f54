#include "operator/plugin/release.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/label_selector.h"
#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/plugin/adopt.h"
#include "operator/plugin/adopt_autoscaler.h"
#include "operator/plugin/owned_replica_sets.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

std::string revision_label(const json& replica_set) {
  return api::text(api::child(metadata_of(replica_set), "labels"), api::kRevisionLabel);
}

json parsed_annotation(const json& app, const char* name) {
  return json::parse(api::text(api::child(metadata_of(app), "annotations"), name), nullptr, false);
}

// The Deployment's own, as far as it still finds the pods.
json selector_for(const json& app, const json& replica_set) {
  const json remembered = parsed_annotation(app, kAdoptedDeploymentAnnotation);
  const json& original = api::child(remembered, "selector");
  const json& labels = api::child(metadata_of(api::child(spec_of(replica_set), "template")), "labels");
  if (original.is_object() && api::selects(original, api::text_map(labels))) return original;
  return {{"matchLabels", {{api::kAppLabel, name_of(app)}}}};
}

json strategy_of(const json& rollout, std::vector<std::string>& warnings) {
  const std::string strategy = api::text(rollout, "strategy", "Rolling");
  if (strategy == "Recreate") return {{"type", "Recreate"}};
  if (strategy != "Rolling") {
    warnings.push_back(fmt::format("a Deployment knows no {}: its strategy is RollingUpdate", strategy));
  }
  json bounds = json::object();
  for (const char* bound : {"maxSurge", "maxUnavailable"}) {
    if (const json& value = api::child(rollout, bound); !value.is_null()) bounds[bound] = value;
  }
  return {{"type", "RollingUpdate"}, {"rollingUpdate", std::move(bounds)}};
}

void compare_replicas(const json& app, const json& autoscaler, std::vector<std::string>& warnings) {
  const json& now = api::child(spec_of(app), "replicas");
  const json& then = spec_of(autoscaler);
  const auto low = api::integer(now, "min", 1), high = api::integer(now, "max");
  const auto old_low = api::integer(then, "minReplicas", 1), old_high = api::integer(then, "maxReplicas");
  if (low == old_low && high == old_high) return;
  warnings.push_back(fmt::format("HorizontalPodAutoscaler {} is made as it was when it was adopted: {} to {} replicas, "
                                 "where the ScalableApp had {} to {}",
                                 name_of(autoscaler), old_low, old_high, low, high));
}

}  // namespace

const json& running_replica_set(const json& app, std::span<const json> replica_sets) {
  static const json kNone;
  const std::string updated = api::text(status_of(app), "updatedRevision");
  const auto found = std::ranges::find(replica_sets, updated, revision_label);
  return updated.empty() || found == replica_sets.end() ? kNone : *found;
}

bool is_seen(const json& app) {
  return api::integer(status_of(app), "observedGeneration") >= api::integer(metadata_of(app), "generation");
}

std::string unfinished_rollout(const json& app, std::span<const json> replica_sets) {
  const json& status = status_of(app);
  const std::string current = api::text(status, "currentRevision"), updated = api::text(status, "updatedRevision");
  const json& running = running_replica_set(app, replica_sets);
  if (current != updated || running.is_null()) {
    return fmt::format("revision {} is not rolled out; wait for it, or set spec.template back", updated);
  }
  for (const json& replica_set : replica_sets) {
    const auto asked = api::integer(spec_of(replica_set), "replicas");
    const auto live = api::integer(status_of(replica_set), "replicas");
    if (&replica_set != &running && (asked != 0 || live != 0)) {
      return fmt::format("ReplicaSet {}, of another revision, has {} pods", name_of(replica_set), live);
    }
  }
  return {};
}

bool is_shut(const json& pod) {
  const auto is_ours = [](const json& gate) { return api::text(gate, "conditionType") == api::kWarmGate; };
  if (std::ranges::none_of(api::child(spec_of(pod), "readinessGates"), is_ours)) return false;
  return std::ranges::none_of(api::child(status_of(pod), "conditions"), [](const json& condition) {
    return api::text(condition, "type") == api::kWarmGate && api::text(condition, "status") == "True";
  });
}

bool is_leaving(const json& pod) {
  return api::child(api::child(metadata_of(pod), "annotations"), api::kDrainingSinceAnnotation).is_string();
}

json selector_without_revision(const json& service, const std::string& app) {
  json selector = api::child(spec_of(service), "selector");
  if (api::text(selector, api::kAppLabel) != app) return nullptr;
  selector.erase(api::kRevisionLabel);
  return selector;
}

Release translate_back(const json& app, const json& replica_set, std::span<const json> services) {
  Release release;
  const json& rollout = api::child(spec_of(app), "rollout");
  const json remembered = parsed_annotation(app, kAdoptedDeploymentAnnotation);
  const json autoscaler = parsed_annotation(app, kAdoptedAutoscalerAnnotation);
  const json selector = selector_for(app, replica_set);
  release.selector = selector.dump();

  // What the Deployment controller compares, by all but its own label.
  json pod_template = api::child(spec_of(replica_set), "template");
  std::vector<json> selectors(services.begin(), services.end());
  selectors.push_back(selector);
  pod_template.merge_patch(json::parse(give_back(replica_set, selectors).template_patch)["spec"]["template"]);
  if (pod_template["metadata"]["labels"].is_object()) pod_template["metadata"]["labels"].erase("pod-template-hash");

  const bool stays_paused = api::boolean(rollout, "paused");
  json annotations = api::text_map(api::child(remembered, "annotations"));
  annotations[kReleasingAnnotation] = stays_paused ? kReleasingToStayPaused : kReleasingToRun;
  if (autoscaler.is_object()) {
    annotations[kAdoptedAutoscalerAnnotation] = autoscaler.dump();
    compare_replicas(app, autoscaler, release.warnings);
  } else if (const json proposed = autoscaler_for(app); proposed.is_object()) {
    release.autoscaler = proposed.dump();
  }
  json spec{{"paused", true},  // Takes over what there is and makes nothing new.
            {"replicas", api::integer(spec_of(replica_set), "replicas")},
            {"selector", selector},
            {"strategy", strategy_of(rollout, release.warnings)},
            {"template", std::move(pod_template)}};
  for (const char* field : {"minReadySeconds", "progressDeadlineSeconds"}) {
    if (const json& value = api::child(rollout, field); !value.is_null()) spec[field] = value;
  }
  if (const json& limit = api::child(spec_of(app), "revisionHistoryLimit"); !limit.is_null()) {
    spec["revisionHistoryLimit"] = limit;
  }
  release.deployment = json{{"apiVersion", "apps/v1"},
                            {"kind", "Deployment"},
                            {"metadata",
                             {{"name", name_of(app)},
                              {"namespace", api::text(metadata_of(app), "namespace")},
                              {"labels", api::text_map(api::child(remembered, "labels"))},
                              {"annotations", std::move(annotations)}}},
                            {"spec", std::move(spec)}}
                           .dump();
  return release;
}

}  // namespace scalableapp::plugin
