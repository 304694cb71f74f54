#include "operator/plugin/take_back.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/plugin/adopt.h"
#include "operator/plugin/adopt_plan.h"
#include "operator/plugin/owned_replica_sets.h"
#include "operator/plugin/parts.h"
#include "operator/plugin/release.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr seconds kPatience{60};
constexpr const char* kDeploymentRevision = "deployment.kubernetes.io/revision";

class TakingBack {
 public:
  TakingBack(const NamespaceObjects& objects, const std::string& name, const json& deployment,
             std::span<const json> services, std::vector<std::string>& done)
      : objects_(objects),
        name_(name),
        deployment_(deployment),
        selector_(api::child(spec_of(deployment), "selector")),
        selectors_(services.begin(), services.end()),
        done_(done) {
    selectors_.push_back(selector_);
  }

  Result<void> run();

 private:
  Result<std::vector<json>> replica_sets() const {  // Of the Deployment or of nobody.
    return replica_sets_left(objects_, selector_, uid_of(deployment_), {});
  }
  Result<std::vector<json>> pods(const std::vector<json>& replica_sets) const;

  Result<void> free_services();
  Result<void> remove_disruption_budget();
  Result<void> open_gates();
  Result<void> await_deployment();
  Result<std::string> what_deployment_lacks();
  Result<void> restore_autoscaler();
  Result<void> clean_labels();
  Result<void> finish();

  void did(std::string step) { done_.push_back(std::move(step)); }

  const NamespaceObjects& objects_;
  const std::string& name_;
  json deployment_;
  json selector_;
  std::vector<json> selectors_;  // What the pods' labels are needed for.
  std::vector<std::string>& done_;
};

Result<std::vector<json>> TakingBack::pods(const std::vector<json>& replica_sets) const {
  auto found = objects_.list(kube::kPods, selector_);
  if (!found) return found;
  return pods_of(std::move(*found), replica_sets);
}

// Of a strategy that routed traffic by the revision: pods of the next one would get none.
Result<void> TakingBack::free_services() {
  const auto services = objects_.list(kube::kServices, nullptr);
  if (!services) return tl::unexpected(services.error());
  for (const json& service : *services) {
    const json selector = selector_without_revision(service, name_);
    if (selector.is_null() || selector == api::child(spec_of(service), "selector")) continue;
    const json patch{{"spec", {{"selector", {{api::kRevisionLabel, nullptr}}}}}};
    const auto patched = objects_.patch(kube::kServices, name_of(service), patch.dump());
    if (!patched) return tl::unexpected(patched.error());
    did(fmt::format("Service {} selects pods of every revision again", name_of(service)));
  }
  return {};
}

// The operator's own, which nobody would keep any more.
Result<void> TakingBack::remove_disruption_budget() {
  const auto budget = objects_.find(kube::kPodDisruptionBudgets, name_);
  if (!budget) return tl::unexpected(budget.error());
  const json own{{"matchLabels", {{api::kAppLabel, name_}}}};
  if (api::child(spec_of(*budget), "selector") != own) return {};
  const auto removed =
      objects_.remove(kube::kPodDisruptionBudgets, name_, {.uid = uid_of(*budget)}, kube::Propagation::kBackground);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  did(fmt::format("PodDisruptionBudget {} of the operator deleted", name_));
  return {};
}

Result<void> TakingBack::open_gates() {
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  const auto found = pods(*owned);
  if (!found) return tl::unexpected(found.error());
  const auto is_gone = [](const auto& patched) { return !patched && patched.error().code == ErrorCode::kNotFound; };
  for (const json& pod : *found) {
    json notes = json::object();
    if (is_leaving(pod)) notes = {{api::kDrainingSinceAnnotation, nullptr}, {api::kDeletionCostAnnotation, nullptr}};
    // Nobody would ever tell it to do all its work again.
    if (!annotation(pod, api::kDegradeLevelAnnotation).empty()) notes[api::kDegradeLevelAnnotation] = nullptr;
    if (!notes.empty()) {
      const json patch{{"metadata", {{"annotations", notes}}}};
      const auto patched = objects_.patch(kube::kPods, name_of(pod), patch.dump());
      if (!patched && !is_gone(patched)) return tl::unexpected(patched.error());
    }
    if (!is_shut(pod)) continue;
    const json condition{{"type", api::kWarmGate},
                         {"status", "True"},
                         {"reason", "Released"},
                         {"message", "no operator keeps the gate any more"},
                         {"lastTransitionTime", objects_.now()}};
    const json patch{{"status", {{"conditions", json::array({condition})}}}};
    const auto patched = objects_.patch(kube::kPods, name_of(pod), patch.dump(), kube::PatchKind::kStrategic, "status");
    if (!patched && !is_gone(patched)) return tl::unexpected(patched.error());
    did(fmt::format("readiness gate of pod {} opened", name_of(pod)));
  }
  return {};
}

Result<std::string> TakingBack::what_deployment_lacks() {
  auto deployment = objects_.get(kube::kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  deployment_ = std::move(*deployment);
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  const std::string wanted = template_of(deployment_);
  const std::string number = annotation(deployment_, kDeploymentRevision);
  if (number.empty() || !is_seen(deployment_)) return std::string("its controller has not seen it");
  for (const json& replica_set : *owned) {
    if (controller_uid(replica_set) == uid_of(deployment_) && template_of(replica_set) == wanted &&
        annotation(replica_set, kDeploymentRevision) == number) {
      return std::string();
    }
  }
  return std::string("its controller has not taken the running ReplicaSet for its newest one");
}

Result<void> TakingBack::await_deployment() {
  const auto taken = objects_.wait(kPatience, [&] { return what_deployment_lacks(); });
  if (!taken) return fail(taken.error().code, fmt::format("Deployment {}: {}", name_, taken.error().message));
  did(fmt::format("Deployment {} has the ReplicaSets", name_));
  return {};
}

Result<void> TakingBack::restore_autoscaler() {
  const std::string manifest = annotation(deployment_, kAdoptedAutoscalerAnnotation);
  if (manifest.empty()) return {};
  const auto created = objects_.create(kube::kHorizontalPodAutoscalers, manifest);
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return {};
  if (!created) return tl::unexpected(created.error());
  did(fmt::format("HorizontalPodAutoscaler {} created as it was", name_of(*created)));
  return {};
}

// Of those whose ReplicaSet selects by other labels.
Result<void> TakingBack::clean_labels() {
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    json labels = json::object();
    for (const std::string& label : give_back(replica_set, selectors_).labels) labels[label] = nullptr;
    if (labels.empty()) continue;
    const std::string patch = json{{"metadata", {{"labels", std::move(labels)}}}}.dump();
    const auto found = pods({replica_set});
    if (!found) return tl::unexpected(found.error());
    for (const json& pod : *found) {
      const auto patched = objects_.patch(kube::kPods, name_of(pod), patch);
      if (!patched && patched.error().code != ErrorCode::kNotFound) return tl::unexpected(patched.error());
    }
    const auto patched = objects_.patch(kube::kReplicaSets, name_of(replica_set), patch);
    if (!patched) return tl::unexpected(patched.error());
  }
  return {};
}

Result<void> TakingBack::finish() {
  json annotations{{kReleasingAnnotation, nullptr}, {kAdoptedAutoscalerAnnotation, nullptr}};
  json patch{{"metadata", {{"annotations", annotations}}}};
  const bool stays_paused = annotation(deployment_, kReleasingAnnotation) == kReleasingToStayPaused;
  if (!stays_paused) patch["spec"]["paused"] = false;
  const auto patched = objects_.patch(kube::kDeployments, name_, patch.dump());
  if (!patched) return tl::unexpected(patched.error());
  did(stays_paused ? fmt::format("Deployment {} stays paused, as the rollout was", name_)
                   : fmt::format("Deployment {} unpaused", name_));
  // The Deployment controller copies the Deployment's to its newest ReplicaSet.
  for (const char* ours : {api::kTemplateHashAnnotation, api::kTemplateAnnotation, api::kRevisionNumberAnnotation,
                           api::kSizeChangeAnnotation}) {
    annotations[ours] = nullptr;
  }
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  const std::string cleaning = json{{"metadata", {{"annotations", annotations}}}}.dump();
  for (const json& replica_set : *owned) {
    const auto cleaned = objects_.patch(kube::kReplicaSets, name_of(replica_set), cleaning);
    if (!cleaned) return tl::unexpected(cleaned.error());
  }
  return {};
}

Result<void> TakingBack::run() {
  using Step = Result<void> (TakingBack::*)();
  for (const Step step : {&TakingBack::free_services, &TakingBack::remove_disruption_budget, &TakingBack::open_gates,
                          &TakingBack::await_deployment, &TakingBack::restore_autoscaler, &TakingBack::clean_labels,
                          &TakingBack::finish}) {
    if (auto done = (this->*step)(); !done) return done;
  }
  return {};
}

}  // namespace

Result<void> take_back_pods(const NamespaceObjects& objects, const std::string& name, const json& deployment,
                            std::span<const json> services, std::vector<std::string>& done) {
  return TakingBack(objects, name, deployment, services, done).run();
}

}  // namespace scalableapp::plugin
