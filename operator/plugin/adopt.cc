#include "operator/plugin/adopt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/label_selector.h"
#include "operator/api/revision.h"
#include "operator/base/time.h"
#include "operator/plugin/adopt_autoscaler.h"
#include "operator/plugin/owned_replica_sets.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestName = 46;  // Of the CRD.
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr const char* kDeploymentRevision = "deployment.kubernetes.io/revision";


// The first label of ours among those that the selector or the template has.
std::string colliding_label(const json& deployment) {
  const json& selector = api::child(spec_of(deployment), "selector");
  const json& pod_template = api::child(spec_of(deployment), "template");
  std::vector<std::string> labels;
  for (const json* map : {&api::child(selector, "matchLabels"), &api::child(metadata_of(pod_template), "labels")}) {
    for (const auto& [label, value] : api::text_map(*map)) labels.push_back(label);
  }
  for (const json& requirement : api::child(selector, "matchExpressions")) {
    labels.push_back(api::text(requirement, "key"));
  }
  const auto ours =
      std::ranges::find_if(labels, [](const auto& label) { return label.starts_with("scalableapp.io/"); });
  return ours == labels.end() ? std::string{} : *ours;
}

Result<void> check_adoptable(const json& deployment, const json& autoscaler, bool force) {
  const std::string name = name_of(deployment);
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kInvalid, fmt::format("Deployment {}: {}", name, why));
  };
  if (name.size() > kLongestName) {
    return refuse(fmt::format("its name has {} characters, and a ScalableApp's at most {}", name.size(), kLongestName));
  }
  if (api::child(metadata_of(deployment), "deletionTimestamp").is_string()) return refuse("it is being deleted");
  if (replicas_of(deployment) == 0) return refuse("it has 0 replicas, so there is nothing to take over; scale it up");
  if (const std::string label = colliding_label(deployment); !label.empty()) {
    return refuse(fmt::format("its selector or its template has the label {}, which the operator sets; take it out",
                              label));
  }
  if (const std::string controller = controller_of(deployment); !controller.empty() && !force) {
    return refuse(fmt::format("{} controls it and would make it again; end that first, or use --force", controller));
  }
  if (const std::string controller = controller_of(autoscaler); !controller.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("HorizontalPodAutoscaler {}: {} controls it and would make it again; delete that first",
                            name_of(autoscaler), controller));
  }
  return {};
}

// Copies a number that the CRD bounds.
void copy_bounded(const json& from, const char* name, json& to, int most, std::vector<std::string>& warnings) {
  const json& value = api::child(from, name);
  if (!value.is_number_integer()) return;
  to[name] = std::min<std::int64_t>(value.get<std::int64_t>(), most);
  if (to[name] == value) return;
  warnings.push_back(fmt::format("{} {} becomes {}, the most there may be", name, value.dump(), most));
}

json rollout_of(const json& deployment, std::vector<std::string>& warnings) {
  const json& spec = spec_of(deployment);
  const json& strategy = api::child(spec, "strategy");
  json rollout = json::object();
  if (api::text(strategy, "type") == "Recreate") rollout["strategy"] = "Recreate";
  for (const char* bound : {"maxSurge", "maxUnavailable"}) {
    const json& value = api::child(api::child(strategy, "rollingUpdate"), bound);
    if (!value.is_null()) rollout[bound] = value;
  }
  if (api::integer(spec, "minReadySeconds") > 0) copy_bounded(spec, "minReadySeconds", rollout, 3600, warnings);
  copy_bounded(spec, "progressDeadlineSeconds", rollout, 86'400, warnings);
  if (api::boolean(spec, "paused")) rollout["paused"] = true;
  return rollout;
}

Result<json> replicas_range(const json& deployment, const json& autoscaler, const AdoptOptions& options,
                            std::vector<std::string>& warnings) {
  const int present = replicas_of(deployment);
  const json& scaling = spec_of(autoscaler);
  int low = present, high = 2 * present;
  if (autoscaler.is_object()) {
    low = static_cast<int>(api::integer(scaling, "minReplicas", 1));
    high = static_cast<int>(api::integer(scaling, "maxReplicas"));
    if (low == 0 && !options.min_replicas) {
      low = 1;
      warnings.emplace_back(
          "minReplicas 0 becomes 1: set replicas.min to 0 once each metric can be measured without pods");
    }
  } else {
    if (options.min_replicas) high = std::max(high, *options.min_replicas);
    if (options.max_replicas) low = std::min(low, *options.max_replicas);
  }
  low = options.min_replicas.value_or(low);
  high = options.max_replicas.value_or(high);
  if (low > high) {
    return fail(ErrorCode::kInvalid,
                fmt::format("replicas: the minimum of {} must not be greater than the maximum of {}; set --min, --max "
                            "or both", low, high));
  }
  if (present < low || present > high) {
    warnings.push_back(fmt::format("there are {} replicas: as soon as it is adopted it is scaled to {}", present,
                                   std::clamp(present, low, high)));
  }
  return json{{"min", low}, {"max", high}};
}

// What `release` needs beside the template.
json remembered(const json& deployment) {
  const json& metadata = metadata_of(deployment);
  json annotations = json::object();
  for (const auto& [name, value] : api::text_map(api::child(metadata, "annotations"))) {
    if (name != kLastApplied && name != kDeploymentRevision) annotations[name] = value;
  }
  return {{"uid", api::text(metadata, "uid")},
          {"labels", api::text_map(api::child(metadata, "labels"))},
          {"annotations", std::move(annotations)},
          {"selector", api::child(spec_of(deployment), "selector")}};
}

json remembered_autoscaler(const json& autoscaler) {
  const json& metadata = metadata_of(autoscaler);
  json annotations = json::object();
  for (const auto& [name, value] : api::text_map(api::child(metadata, "annotations"))) {
    if (name != kLastApplied) annotations[name] = value;
  }
  return {{"apiVersion", "autoscaling/v2"},
          {"kind", "HorizontalPodAutoscaler"},
          {"metadata",
           {{"name", name_of(autoscaler)},
            {"namespace", api::text(metadata, "namespace")},
            {"labels", api::text_map(api::child(metadata, "labels"))},
            {"annotations", std::move(annotations)}}},
          {"spec", spec_of(autoscaler)}};
}

// Two budgets of one pod make the API server refuse to evict it.
void respect_budgets(std::span<const json> budgets, const json& pod_template, json& spec,
                     std::vector<std::string>& warnings) {
  const auto labels = api::text_map(api::child(metadata_of(pod_template), "labels"));
  for (const json& budget : budgets) {
    if (!api::selects(api::child(spec_of(budget), "selector"), labels)) continue;
    spec["disruptionBudget"] = "None";
    warnings.push_back(fmt::format("PodDisruptionBudget {} is of these pods: the operator keeps none of its own "
                                   "(disruptionBudget: None)", name_of(budget)));
    return;
  }
}

}  // namespace

std::string controller_of(const json& object) {
  for (const json& owner : api::child(metadata_of(object), "ownerReferences")) {
    if (!api::boolean(owner, "controller")) continue;
    return fmt::format("{} {}", api::text(owner, "kind"), api::text(owner, "name"));
  }
  return {};
}

bool scales(const json& autoscaler, const std::string& deployment) {
  const json& target = api::child(spec_of(autoscaler), "scaleTargetRef");
  return api::text(target, "kind") == "Deployment" && api::text(target, "name") == deployment &&
         api::text(target, "apiVersion").starts_with("apps/");
}

std::string unrest_of(const json& deployment, std::span<const json> replica_sets) {
  const json& status = api::child(deployment, "status");
  const int replicas = replicas_of(deployment);
  if (api::integer(status, "observedGeneration") < api::integer(metadata_of(deployment), "generation")) {
    return "its controller has not seen its latest change";
  }
  const std::string wanted = canonical_template(api::child(spec_of(deployment), "template"));
  const auto newest = std::ranges::find(replica_sets, wanted, template_of);
  if (newest == replica_sets.end()) return "no ReplicaSet has its template yet";
  for (auto one = replica_sets.begin(); one != replica_sets.end(); ++one) {
    const auto live = api::integer(status_of(*one), "replicas");
    if (one == newest && (replicas_of(*one) != replicas || live != replicas)) {
      return fmt::format("ReplicaSet {} has {} pods, should have {}, and {} are wanted", name_of(*one), live,
                         replicas_of(*one), replicas);
    }
    if (one != newest && (replicas_of(*one) != 0 || live != 0)) {
      return fmt::format("ReplicaSet {}, of another template, has {} pods", name_of(*one), live);
    }
  }
  return {};
}

Result<Adoption> translate(const json& deployment, const json& autoscaler, std::span<const json> disruption_budgets,
                           const AdoptOptions& options) {
  if (const auto can = check_adoptable(deployment, autoscaler, options.force); !can) return tl::unexpected(can.error());
  Adoption adoption;
  std::vector<std::string>& warnings = adoption.warnings;
  auto replicas = replicas_range(deployment, autoscaler, options, warnings);
  if (!replicas) return tl::unexpected(replicas.error());
  const json pod_template =
      json::parse(canonical_template(api::child(spec_of(deployment), "template")), nullptr, false);
  json spec{{"replicas", std::move(*replicas)}, {"template", pod_template}};
  if (autoscaler.is_object()) translate_autoscaler(autoscaler, pod_template, spec, warnings);
  if (options.latency_target_seconds) {
    const milliseconds target{static_cast<std::int64_t>(std::llround(1000 * *options.latency_target_seconds))};
    spec["metrics"].push_back(
        {{"name", "latency"}, {"type", "Latency"}, {"latency", {{"target", format_duration(target)}}}});
  }
  if (!spec.contains("metrics")) {
    warnings.emplace_back("there is no metric to scale on: the count stays as it is until spec.metrics has one");
  }
  if (json rollout = rollout_of(deployment, warnings); !rollout.empty()) spec["rollout"] = std::move(rollout);
  copy_bounded(spec_of(deployment), "revisionHistoryLimit", spec, 1000, warnings);
  respect_budgets(disruption_budgets, pod_template, spec, warnings);

  json metadata{{"name", name_of(deployment)}, {"namespace", api::text(metadata_of(deployment), "namespace")}};
  const json& annotations = api::child(metadata_of(deployment), "annotations");
  if (const json& cause = api::child(annotations, api::kChangeCauseAnnotation); cause.is_string()) {
    metadata["annotations"][api::kChangeCauseAnnotation] = cause;
  }
  json app{{"apiVersion", "scalableapp.io/v1alpha1"}, {"kind", "ScalableApp"}, {"metadata", std::move(metadata)},
           {"spec", std::move(spec)}};
  const auto decoded = api::decode_scalable_app(app);
  if (!decoded) return tl::unexpected(decoded.error());
  if (!decoded->problems.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("Deployment {} makes no ScalableApp: {}", name_of(deployment),
                                                 fmt::join(decoded->problems, "; ")));
  }
  adoption.manifest = app.dump();
  app["spec"]["paused"] = true;
  json& kept = app["metadata"]["annotations"];
  kept[kAdoptedFromAnnotation] = name_of(deployment);
  kept[kAdoptedDeploymentAnnotation] = remembered(deployment).dump();
  if (const std::string last = annotation(deployment, kDeploymentRevision); !last.empty()) {
    kept[api::kRevisionsBeforeAnnotation] = last;
  }
  if (autoscaler.is_object()) kept[kAdoptedAutoscalerAnnotation] = remembered_autoscaler(autoscaler).dump();
  kept[kAdoptingAnnotation] = "true";
  adoption.body = app.dump();
  return adoption;
}

}  // namespace scalableapp::plugin
