#include "operator/plugin/adopt_steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/plugin/adopt_plan.h"
#include "operator/plugin/owned_replica_sets.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr seconds kOperatorPatience{30};
constexpr seconds kPatience{60};

std::string template_of_deployment(const json& deployment) {
  return canonical_template(api::child(spec_of(deployment), "template"));
}

std::string text_of(const std::vector<std::string>& steps) { return fmt::format("{}", fmt::join(steps, "; ")); }

class Adopting {
 public:
  Adopting(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options)
      : objects_(objects), name_(name), options_(options) {}

  Result<Printed> run();

 private:
  // What is there. True: all is done already.
  Result<bool> look();
  bool is_under_way() const { return app_.is_object(); }
  Result<std::vector<json>> replica_sets() const {
    return replica_sets_left(objects_, selector_, deployment_uid_, uid_of(app_));
  }

  Result<void> begin();
  Result<void> await_operator();
  Result<void> remove_autoscaler();
  Result<void> remove_deployment();
  Result<std::string> try_to_remove_deployment();
  Result<void> take_over_replica_sets();
  Result<void> take_over_pods();
  Result<std::string> try_to_take_over_pods();
  Result<void> unpause();

  void did(std::string step) { done_.push_back(std::move(step)); }

  const NamespaceObjects& objects_;
  const std::string& name_;
  const AdoptOptions& options_;
  json deployment_;  // null: gone.
  json app_;         // null: not there yet.
  std::string deployment_uid_;
  json selector_;
  std::vector<TakeOver> taken_;
  std::vector<std::string> done_;
  std::vector<std::string> warnings_;
  std::size_t pod_count_ = 0;
};

Result<bool> Adopting::look() {
  auto deployment = objects_.find(kube::kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  auto app = objects_.find(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  deployment_ = std::move(*deployment);
  app_ = std::move(*app);
  if (!is_under_way()) {
    if (deployment_.is_null()) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("no Deployment {} in namespace {}", name_, objects_.namespace_name()));
    }
    deployment_uid_ = uid_of(deployment_);
    selector_ = api::child(spec_of(deployment_), "selector");
    return false;
  }
  if (annotation(app_, kAdoptingAnnotation).empty()) {
    if (deployment_.is_null() && annotation(app_, kAdoptedFromAnnotation) == name_) return true;
    return fail(ErrorCode::kAlreadyExists,
                fmt::format("there is a ScalableApp {} already, and it is no adoption that has been begun", name_));
  }
  const json remembered = json::parse(annotation(app_, kAdoptedDeploymentAnnotation), nullptr, false);
  deployment_uid_ = api::text(remembered, "uid");
  selector_ = api::child(remembered, "selector");
  if (deployment_uid_.empty() || !selector_.is_object()) {
    return fail(ErrorCode::kInvalid, fmt::format("ScalableApp {}: annotation {}: must be what adopt has written", name_,
                                                 kAdoptedDeploymentAnnotation));
  }
  if (deployment_.is_object() && uid_of(deployment_) != deployment_uid_) {
    return fail(ErrorCode::kInvalid,
                fmt::format("Deployment {} was made again since its adoption began; end what makes it, and delete it "
                            "together with ReplicaSets and pods that are its own", name_));
  }
  return false;
}

Result<void> Adopting::begin() {
  if (!is_under_way()) {
    auto adoption = look_and_translate(objects_, deployment_, options_);
    if (!adoption) return tl::unexpected(adoption.error());
    warnings_ = std::move(adoption->warnings);
    auto created = objects_.create(kube::kScalableApps, adoption->body);
    if (!created) return tl::unexpected(created.error());
    app_ = std::move(*created);
    did(fmt::format("ScalableApp {} created, paused", name_));
    return {};
  }
  if (options_.min_replicas || options_.max_replicas || options_.latency_target_seconds) {
    warnings_.push_back(fmt::format("ScalableApp {} was created before: --min, --max and --latency-target change "
                                    "nothing any more; edit it", name_));
  }
  if (deployment_.is_null() ||
      template_of_deployment(deployment_) == canonical_template(api::child(spec_of(app_), "template"))) {
    return {};
  }
  // Changed since then; as a whole, so that what is gone goes.
  const json patch = json::array({{{"op", "replace"},
                                   {"path", "/spec/template"},
                                   {"value", json::parse(template_of_deployment(deployment_), nullptr, false)}}});
  auto patched = objects_.patch(kube::kScalableApps, name_, patch.dump(), kube::PatchKind::kJson);
  if (!patched) return tl::unexpected(patched.error());
  app_ = std::move(*patched);
  did("template taken over anew");
  return {};
}

// While nothing is lost yet: whether anybody will look after the pods.
Result<void> Adopting::await_operator() {
  const auto seen = objects_.wait(kOperatorPatience, [&]() -> Result<std::string> {
    const auto app = objects_.get(kube::kScalableApps, name_);
    if (!app) return tl::unexpected(app.error());
    const json& status = api::child(*app, "status");
    if (api::integer(status, "observedGeneration") < api::integer(metadata_of(*app), "generation")) {
      return std::string("the operator has not seen it; is one running that serves this namespace?");
    }
    for (const json& condition : api::child(status, "conditions")) {
      if (api::text(condition, "type") == "Ready" && api::text(condition, "reason") == "SpecInvalid") {
        return fail(ErrorCode::kInvalid, api::text(condition, "message"));
      }
    }
    app_ = *app;
    return std::string();
  });
  if (seen) return {};
  return fail(seen.error().code, fmt::format("ScalableApp {}: {}", name_, seen.error().message));
}

Result<void> Adopting::remove_autoscaler() {
  const auto autoscalers = objects_.list(kube::kHorizontalPodAutoscalers, nullptr);
  if (!autoscalers) return tl::unexpected(autoscalers.error());
  const json kept = json::parse(annotation(app_, kAdoptedAutoscalerAnnotation), nullptr, false);
  for (const json& autoscaler : *autoscalers) {
    if (!scales(autoscaler, name_)) continue;
    if (name_of(autoscaler) != name_of(kept)) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("HorizontalPodAutoscaler {} was made since the adoption began; delete it",
                              name_of(autoscaler)));
    }
    const auto removed = objects_.remove(kube::kHorizontalPodAutoscalers, name_of(autoscaler), {.uid = uid_of(autoscaler)},
                                         kube::Propagation::kBackground);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    did(fmt::format("HorizontalPodAutoscaler {} deleted", name_of(autoscaler)));
  }
  return {};
}

Result<std::string> Adopting::try_to_remove_deployment() {
  const auto deployment = objects_.find(kube::kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  if (deployment->is_null()) return std::string();
  const std::string being_deleted = "the garbage collector has not let go of its ReplicaSets";
  if (api::child(metadata_of(*deployment), "deletionTimestamp").is_string()) return being_deleted;
  if (template_of_deployment(*deployment) != canonical_template(api::child(spec_of(app_), "template"))) {
    return fail(ErrorCode::kConflict, "its template was changed just now");
  }
  if (!options_.force) {
    const auto owned = replica_sets();
    if (!owned) return tl::unexpected(owned.error());
    if (std::string unrest = unrest_of(*deployment, *owned); !unrest.empty()) return unrest;
  }
  const kube::Preconditions as_seen{.uid = deployment_uid_,
                                    .resource_version = api::text(metadata_of(*deployment), "resourceVersion")};
  const auto removed = objects_.remove(kube::kDeployments, name_, as_seen, kube::Propagation::kOrphan);
  if (!removed && removed.error().code == ErrorCode::kConflict) return std::string("it keeps changing");
  if (!removed && removed.error().code != ErrorCode::kNotFound) return tl::unexpected(removed.error());
  return being_deleted;
}

Result<void> Adopting::remove_deployment() {
  if (deployment_.is_null()) return {};
  const auto gone = objects_.wait(kPatience, [&] { return try_to_remove_deployment(); });
  if (!gone) return fail(gone.error().code, fmt::format("Deployment {}: {}", name_, gone.error().message));
  did(fmt::format("Deployment {} deleted, its ReplicaSets and pods left", name_));
  return {};
}

Result<void> Adopting::take_over_replica_sets() {
  const auto app = api::decode_scalable_app(app_);
  if (!app) return tl::unexpected(app.error());
  const auto taken = objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto found = replica_sets();
    if (!found) return tl::unexpected(found.error());
    TakeOvers wanted = take_over(*app, *found);
    for (const TakeOver& one : wanted.replica_sets) {
      const auto obstacle = objects_.try_patch(kube::kReplicaSets, one.name, one.patch);
      if (!obstacle || !obstacle->empty()) return obstacle;
    }
    for (const std::string& name : wanted.left_alone) {
      warnings_.push_back(
          fmt::format("ReplicaSet {} has the template of another one and is left alone; delete it", name));
    }
    taken_ = std::move(wanted.replica_sets);
    return std::string();
  });
  if (!taken) return taken;
  if (std::ranges::none_of(taken_, [](const TakeOver& one) { return one.replicas > 0; })) {
    return fail(ErrorCode::kNotFound, fmt::format("no ReplicaSet with pods is left of Deployment {}", name_));
  }
  for (const TakeOver& one : taken_) {
    did(fmt::format("ReplicaSet {} taken over: revision {}, {} replicas", one.name, one.revision, one.replicas));
  }
  return {};
}

Result<std::string> Adopting::try_to_take_over_pods() {
  std::map<std::string, std::string> revision_of;
  for (const TakeOver& one : taken_) revision_of[one.uid] = one.revision;
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  auto found = objects_.list(kube::kPods, selector_);
  if (!found) return tl::unexpected(found.error());
  const auto pods = pods_of(std::move(*found), *owned);
  pod_count_ = 0;
  for (const json& pod : pods) {
    if (api::child(metadata_of(pod), "deletionTimestamp").is_null()) ++pod_count_;
    const json labels{{api::kAppLabel, name_}, {api::kRevisionLabel, revision_of[controller_uid(pod)]}};
    json labelled = api::child(metadata_of(pod), "labels");
    labelled.merge_patch(labels);
    if (labelled == api::child(metadata_of(pod), "labels")) continue;
    const json patch{{"metadata", {{"uid", uid_of(pod)}, {"labels", labels}}}};
    const auto obstacle = objects_.try_patch(kube::kPods, name_of(pod), patch.dump());
    if (!obstacle || !obstacle->empty()) return obstacle;
  }

  std::int64_t size = 0;
  for (const json& replica_set : *owned) size += replicas_of(replica_set);
  const auto app = objects_.get(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  const json& status = api::child(*app, "status");
  const auto counted = api::integer(status, "replicas"), desired = api::integer(status, "desiredReplicas");
  if (api::integer(status, "observedGeneration") == api::integer(metadata_of(*app), "generation") &&
      counted == static_cast<std::int64_t>(pod_count_) && desired == size) {
    return std::string();
  }
  return fmt::format("the operator counts {} pods and takes {} for the size; there are {} pods, and {} are asked for; "
                     "is it running?", counted, desired, pod_count_, size);
}

Result<void> Adopting::take_over_pods() {
  if (auto taken = objects_.wait(kPatience, [&] { return try_to_take_over_pods(); }); !taken) return taken;
  did(fmt::format("{} pods labelled, and counted by the operator", pod_count_));
  return {};
}

Result<void> Adopting::unpause() {
  const json patch{{"metadata", {{"annotations", {{kAdoptingAnnotation, nullptr}}}}}, {"spec", {{"paused", nullptr}}}};
  const auto patched = objects_.patch(kube::kScalableApps, name_, patch.dump());
  if (!patched) return tl::unexpected(patched.error());
  did(fmt::format("ScalableApp {} unpaused", name_));
  return {};
}

Result<Printed> Adopting::run() {
  const auto is_done = look();
  if (!is_done) return tl::unexpected(is_done.error());
  if (*is_done) return Printed{.out = fmt::format("ScalableApp {} has been adopted already.\n", name_)};
  using Step = Result<void> (Adopting::*)();
  for (const Step step : {&Adopting::begin, &Adopting::await_operator, &Adopting::remove_autoscaler,
                          &Adopting::remove_deployment, &Adopting::take_over_replica_sets, &Adopting::take_over_pods,
                          &Adopting::unpause}) {
    if (const auto done = (this->*step)(); !done) {
      if (!is_under_way()) return tl::unexpected(done.error());
      return fail(done.error().code,
                  fmt::format("{}\nDone so far: {}.\nNo pod was restarted; the same command goes on from here.",
                              done.error().message, done_.empty() ? "nothing new" : text_of(done_)));
    }
  }
  for (std::string& warning : warnings_) warning = "warning: " + warning;
  return Printed{.out = fmt::format("{}\n", fmt::join(done_, "\n")), .warnings = std::move(warnings_)};
}

}  // namespace

Result<Printed> adopt(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options) {
  return Adopting(objects, name, options).run();
}

}  // namespace scalableapp::plugin
