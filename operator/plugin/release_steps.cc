#include "operator/plugin/release_steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/plugin/adopt.h"
#include "operator/plugin/manifest.h"
#include "operator/plugin/owned_replica_sets.h"
#include "operator/plugin/parts.h"
#include "operator/plugin/release.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr seconds kPatience{60};
constexpr const char* kDeploymentRevision = "deployment.kubernetes.io/revision";


class Releasing {
 public:
  Releasing(const NamespaceObjects& objects, const std::string& name, bool force)
      : objects_(objects), name_(name), force_(force) {}

  Result<Printed> run();

 private:
  Result<void> look();
  // The app has not been deleted yet.
  bool is_live() const { return app_.is_object() && api::child(metadata_of(app_), "deletionTimestamp").is_null(); }
  Result<std::vector<json>> replica_sets_of_app() const;
  Result<std::vector<json>> replica_sets_of_deployment() const;  // Or of nobody.
  Result<std::vector<json>> pods(const std::vector<json>& replica_sets) const;

  Result<void> await_operator() const;
  Result<void> check_rollout();
  Result<void> await_gates(const std::vector<json>& replica_sets) const;
  Result<void> set_paused(bool paused);

  Result<void> pause();
  Result<void> change_templates();
  Result<void> create_deployment();
  Result<void> remove_app();
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
  const bool force_;
  json app_;         // null: gone.
  json deployment_;  // null: not there yet.
  json selector_;    // The Deployment's.
  Release release_;  // While the app is there.
  std::vector<std::string> done_;
};

Result<void> Releasing::look() {
  auto app = objects_.find(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  auto deployment = objects_.find(kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  app_ = std::move(*app);
  deployment_ = std::move(*deployment);
  const bool is_begun = !annotation(deployment_, kReleasingAnnotation).empty();
  if (app_.is_null() && !is_begun) {
    return fail(ErrorCode::kNotFound, fmt::format("no ScalableApp {} in namespace {}{}", name_, objects_.namespace_name(),
                                                  deployment_.is_null() ? "" : "; there is a Deployment of that name"));
  }
  if (deployment_.is_object() && !is_begun) {
    return fail(ErrorCode::kAlreadyExists, fmt::format("there is a Deployment {} already", name_));
  }
  if (!annotation(app_, kAdoptingAnnotation).empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("ScalableApp {} is being adopted; run adopt {} to its end first", name_, name_));
  }
  if (is_live() && is_begun && annotation(app_, kReleasingAnnotation).empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("ScalableApp {} was made again since its release began; end what makes it, "
                                                 "and delete it", name_));
  }
  selector_ = api::child(spec_of(deployment_), "selector");
  return {};
}

Result<std::vector<json>> Releasing::replica_sets_of_app() const {
  auto found = objects_.list(kube::kReplicaSets, {{"matchLabels", {{api::kAppLabel, name_}}}});
  if (found) std::erase_if(*found, [&](const json& replica_set) { return controller_uid(replica_set) != uid_of(app_); });
  return found;
}

Result<std::vector<json>> Releasing::replica_sets_of_deployment() const {
  auto found = objects_.list(kube::kReplicaSets, selector_);
  if (!found) return found;
  std::erase_if(*found, [&](const json& replica_set) {
    const std::string controller = controller_uid(replica_set);
    return !controller.empty() && controller != uid_of(deployment_);
  });
  return found;
}

Result<std::vector<json>> Releasing::pods(const std::vector<json>& replica_sets) const {
  std::vector<std::string> uids;
  for (const json& replica_set : replica_sets) uids.push_back(uid_of(replica_set));
  auto all = objects_.list(kube::kPods, selector_);
  if (!all) return all;
  return pods_of(std::move(*all), uids);
}

Result<void> Releasing::await_operator() const {
  if (force_) return {};
  return objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto app = objects_.get(kube::kScalableApps, name_);
    if (!app) return tl::unexpected(app.error());
    return std::string(is_seen(*app) ? "" : "the operator has not seen its latest change; is it running? --force does "
                                            "without it");
  });
}

Result<void> Releasing::check_rollout() {
  auto app = objects_.get(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  app_ = std::move(*app);
  const auto owned = replica_sets_of_app();
  if (!owned) return tl::unexpected(owned.error());
  if (const std::string unfinished = unfinished_rollout(app_, *owned); !unfinished.empty()) {
    return fail(ErrorCode::kInvalid, unfinished);
  }
  release_ = translate_back(app_, running_replica_set(app_, *owned));
  selector_ = json::parse(release_.selector, nullptr, false);
  return {};
}

Result<void> Releasing::await_gates(const std::vector<json>& replica_sets) const {
  if (force_) return {};
  return objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto found = pods(replica_sets);
    if (!found) return tl::unexpected(found.error());
    for (const json& pod : *found) {
      if (api::child(metadata_of(pod), "deletionTimestamp").is_string()) continue;
      if (is_leaving(pod)) return fmt::format("pod {} is on its way out", name_of(pod));
      if (is_shut(pod)) {
        return fmt::format("the readiness gate of pod {} is shut: it warms up or is set aside; --force opens it", name_of(pod));
      }
    }
    return std::string();
  });
}

Result<void> Releasing::set_paused(bool paused) {
  const json patch{{"metadata", {{"annotations", {{kReleasingAnnotation, paused ? json("true") : json()}}}}},
                   {"spec", {{"paused", paused ? json(true) : json()}}}};
  const auto patched = objects_.patch(kube::kScalableApps, name_, patch.dump());
  return patched ? Result<void>() : tl::unexpected(patched.error());
}

Result<void> Releasing::pause() {
  if (!is_live()) return {};
  const bool is_paused = !annotation(app_, kReleasingAnnotation).empty();
  if (!is_paused) {
    if (auto seen = await_operator(); !seen) return seen;
    if (auto settled = check_rollout(); !settled) return settled;
    const auto owned = replica_sets_of_app();
    if (!owned) return tl::unexpected(owned.error());
    if (auto open = await_gates(*owned); !open) return open;
    if (auto paused = set_paused(true); !paused) return paused;
    did(fmt::format("ScalableApp {} paused", name_));
  }
  // What the operator began before it saw the pause.
  auto settled = await_operator();
  if (settled) settled = check_rollout();
  if (settled && !force_) {
    const auto owned = replica_sets_of_app();
    if (!owned) return tl::unexpected(owned.error());
    const auto found = pods(*owned);
    if (!found) return tl::unexpected(found.error());
    const auto leaving = std::ranges::find_if(*found, is_leaving);
    if (leaving != found->end()) {
      settled = fail(ErrorCode::kConflict, fmt::format("it is being scaled down: pod {} is on its way out", name_of(*leaving)));
    }
  }
  if (settled || deployment_.is_object()) return settled;
  if (set_paused(false)) did("unpaused again");
  return settled;
}

Result<void> Releasing::change_templates() {
  if (!is_live()) return {};
  const auto changed = objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto owned = replica_sets_of_app();
    if (!owned) return tl::unexpected(owned.error());
    for (const json& replica_set : *owned) {
      const auto patched =
          objects_.patch(kube::kReplicaSets, name_of(replica_set), give_back(replica_set, selector_).template_patch);
      if (!patched && patched.error().code == ErrorCode::kConflict) return fmt::format("ReplicaSet {} keeps changing", name_of(replica_set));
      if (!patched) return tl::unexpected(patched.error());
    }
    return std::string();
  });
  if (!changed) return changed;
  did("readiness gate taken out of its ReplicaSets' templates");
  const auto owned = replica_sets_of_app();
  if (!owned) return tl::unexpected(owned.error());
  return await_gates(*owned);  // Of pods that were made before this.
}

Result<void> Releasing::create_deployment() {
  if (deployment_.is_object()) return {};
  if (auto settled = check_rollout(); !settled) return settled;  // As the ReplicaSet is now.
  auto created = objects_.create(kDeployments, release_.deployment);
  if (!created) return tl::unexpected(created.error());
  deployment_ = std::move(*created);
  did(fmt::format("Deployment {} created, paused", name_));
  return {};
}

Result<void> Releasing::remove_app() {
  if (app_.is_null()) return {};
  const auto gone = objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto app = objects_.find(kube::kScalableApps, name_);
    if (!app) return tl::unexpected(app.error());
    if (app->is_null()) return std::string();
    if (api::child(metadata_of(*app), "deletionTimestamp").is_null()) {
      const auto removed =
          objects_.remove(kube::kScalableApps, name_, {.uid = uid_of(app_)}, kube::Propagation::kOrphan);
      if (!removed && removed.error().code != ErrorCode::kNotFound) return tl::unexpected(removed.error());
    }
    return std::string("the garbage collector has not let go of its ReplicaSets");
  });
  if (!gone) return fail(gone.error().code, fmt::format("ScalableApp {}: {}", name_, gone.error().message));
  did(fmt::format("ScalableApp {} deleted, its ReplicaSets and pods left", name_));
  return {};
}

// The operator's own, which nobody would keep any more.
Result<void> Releasing::remove_disruption_budget() {
  const auto budget = objects_.find(kDisruptionBudgets, name_);
  if (!budget) return tl::unexpected(budget.error());
  const json own{{"matchLabels", {{api::kAppLabel, name_}}}};
  if (api::child(spec_of(*budget), "selector") != own) return {};
  const auto removed =
      objects_.remove(kDisruptionBudgets, name_, {.uid = uid_of(*budget)}, kube::Propagation::kBackground);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  did(fmt::format("PodDisruptionBudget {} of the operator deleted", name_));
  return {};
}

Result<void> Releasing::open_gates() {
  const auto owned = replica_sets_of_deployment();
  if (!owned) return tl::unexpected(owned.error());
  const auto found = pods(*owned);
  if (!found) return tl::unexpected(found.error());
  const auto is_gone = [](const auto& patched) { return !patched && patched.error().code == ErrorCode::kNotFound; };
  for (const json& pod : *found) {
    if (is_leaving(pod)) {
      const json patch{{"metadata",
                        {{"annotations",
                          {{api::kDrainingSinceAnnotation, nullptr}, {api::kDeletionCostAnnotation, nullptr}}}}}};
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

Result<std::string> Releasing::what_deployment_lacks() {
  auto deployment = objects_.get(kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  deployment_ = std::move(*deployment);
  const auto owned = replica_sets_of_deployment();
  if (!owned) return tl::unexpected(owned.error());
  const std::string wanted = template_of(deployment_);
  const std::string number = annotation(deployment_, kDeploymentRevision);
  if (number.empty() || !is_seen(deployment_)) return std::string("its controller has not seen it");
  for (const json& replica_set : *owned) {
    const bool is_its = controller_uid(replica_set) == uid_of(deployment_);
    if (is_its && template_of(replica_set) == wanted && annotation(replica_set, kDeploymentRevision) == number) return std::string();
  }
  return std::string("its controller has not taken the running ReplicaSet for its newest one");
}

Result<void> Releasing::await_deployment() {
  const auto taken = objects_.wait(kPatience, [&] { return what_deployment_lacks(); });
  if (!taken) return fail(taken.error().code, fmt::format("Deployment {}: {}", name_, taken.error().message));
  did(fmt::format("Deployment {} has the ReplicaSets", name_));
  return {};
}

Result<void> Releasing::restore_autoscaler() {
  const std::string manifest = annotation(deployment_, kAdoptedAutoscalerAnnotation);
  if (manifest.empty()) return {};
  const auto created = objects_.create(kAutoscalers, manifest);
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return {};
  if (!created) return tl::unexpected(created.error());
  did(fmt::format("HorizontalPodAutoscaler {} created as it was", name_of(*created)));
  return {};
}

// Of those whose ReplicaSet selects by other labels.
Result<void> Releasing::clean_labels() {
  const auto owned = replica_sets_of_deployment();
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    json labels = json::object();
    for (const std::string& label : give_back(replica_set, selector_).labels) labels[label] = nullptr;
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

Result<void> Releasing::finish() {
  json annotations{{kReleasingAnnotation, nullptr}, {kAdoptedAutoscalerAnnotation, nullptr}};
  json patch{{"metadata", {{"annotations", annotations}}}};
  const bool stays_paused = annotation(deployment_, kReleasingAnnotation) == kReleasingToStayPaused;
  if (!stays_paused) patch["spec"]["paused"] = false;
  const auto patched = objects_.patch(kDeployments, name_, patch.dump());
  if (!patched) return tl::unexpected(patched.error());
  did(stays_paused ? fmt::format("Deployment {} stays paused, as the rollout was", name_)
                   : fmt::format("Deployment {} unpaused", name_));
  // The Deployment controller copies the Deployment's to its newest ReplicaSet.
  for (const char* ours : {api::kTemplateHashAnnotation, api::kTemplateAnnotation, api::kRevisionNumberAnnotation,
                           api::kSizeChangeAnnotation}) {
    annotations[ours] = nullptr;
  }
  const auto owned = replica_sets_of_deployment();
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    const auto cleaned = objects_.patch(kube::kReplicaSets, name_of(replica_set), json{{"metadata", {{"annotations", annotations}}}}.dump());
    if (!cleaned) return tl::unexpected(cleaned.error());
  }
  return {};
}

Result<Printed> Releasing::run() {
  if (const auto looked = look(); !looked) return tl::unexpected(looked.error());
  using Step = Result<void> (Releasing::*)();
  for (const Step step :
       {&Releasing::pause, &Releasing::change_templates, &Releasing::create_deployment, &Releasing::remove_app,
        &Releasing::remove_disruption_budget, &Releasing::open_gates, &Releasing::await_deployment,
        &Releasing::restore_autoscaler, &Releasing::clean_labels, &Releasing::finish}) {
    if (const auto done = (this->*step)(); !done) {
      if (done_.empty()) return tl::unexpected(done.error());
      return fail(done.error().code,
                  fmt::format("{}\nDone so far: {}.\nNo pod was restarted; the same command goes on from here.",
                              done.error().message, fmt::join(done_, "; ")));
    }
  }
  Printed printed{.out = fmt::format("{}\n", fmt::join(done_, "\n"))};
  for (const std::string& warning : release_.warnings) printed.warnings.push_back("warning: " + warning);
  if (!release_.autoscaler.empty()) {
    const auto yaml = json_to_yaml(release_.autoscaler);
    if (!yaml) return tl::unexpected(yaml.error());
    printed.out += "\n# Nothing scales it now. To have its CPU metric scale it, apply this:\n" + *yaml;
  }
  return printed;
}

}  // namespace

Result<Printed> release(const NamespaceObjects& objects, const std::string& name, bool force) {
  return Releasing(objects, name, force).run();
}

}  // namespace scalableapp::plugin
