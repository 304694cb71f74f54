#include "operator/plugin/adopt_steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/metrics/promql.h"
#include "operator/plugin/manifest.h"
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

class Adopting {
 public:
  Adopting(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options)
      : objects_(objects), name_(name), options_(options) {}

  Result<Printed> run();
  Result<Printed> plan();

 private:
  // What is there. True: all is done already.
  Result<bool> look();
  bool is_under_way() const { return app_.is_object(); }
  Result<Adoption> translation();
  Result<std::vector<json>> replica_sets() const;
  Result<std::string> unrest(const json& deployment) const;

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
  json autoscaler_;  // null: none.
  std::string deployment_uid_;
  json selector_;
  std::vector<TakeOver> taken_;
  std::vector<std::string> done_;
  std::vector<std::string> warnings_;
  std::size_t pod_count_ = 0;
};

Result<bool> Adopting::look() {
  auto deployment = objects_.find(kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  auto app = objects_.find(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  deployment_ = std::move(*deployment);
  app_ = std::move(*app);
  if (!is_under_way()) {
    if (deployment_.is_null()) {
      return fail(ErrorCode::kNotFound, fmt::format("no Deployment {} in namespace {}", name_, objects_.namespace_name()));
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

Result<Adoption> Adopting::translation() {
  const auto autoscalers = objects_.list(kAutoscalers, nullptr);
  if (!autoscalers) return tl::unexpected(autoscalers.error());
  std::vector<std::string> names;
  for (const json& autoscaler : *autoscalers) {
    if (!scales(autoscaler, name_)) continue;
    autoscaler_ = autoscaler;
    names.push_back(name_of(autoscaler));
  }
  if (names.size() > 1) {
    return fail(ErrorCode::kInvalid, fmt::format("Deployment {} has more than one HorizontalPodAutoscaler: {}; delete all "
                                                 "but one", name_, fmt::join(names, ", ")));
  }
  const auto budgets = objects_.list(kDisruptionBudgets, nullptr);
  if (!budgets) return tl::unexpected(budgets.error());
  auto adoption = translate(deployment_, autoscaler_, *budgets, options_);
  if (!adoption) return adoption;
  const auto unrest = this->unrest(deployment_);
  if (!unrest) return tl::unexpected(unrest.error());
  if (!unrest->empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("Deployment {} is not at rest: {}; wait, or use --force and the operator "
                                                 "goes on with it", name_, *unrest));
  }
  const std::regex seen(metrics::render_template("$(pods)", {objects_.namespace_name(), name_}));
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    if (api::integer(spec_of(replica_set), "replicas") == 0 || std::regex_match(name_of(replica_set) + "-aaaaa", seen)) continue;
    adoption->warnings.push_back(fmt::format("the built-in metrics and $(pods) do not see the pods of ReplicaSet {}, whose "
                                             "name is not one that a Deployment makes; those of the next revision they do",
                                             name_of(replica_set)));
  }
  return adoption;
}

// The Deployment's, those that it left, and those that are the app's already: as the Deployment controller, which
// claims whatever its selector finds and nobody controls.
Result<std::vector<json>> Adopting::replica_sets() const {
  auto found = objects_.list(kube::kReplicaSets, selector_);
  if (!found) return found;
  const std::string app_uid = uid_of(app_);
  std::erase_if(*found, [&](const json& replica_set) {
    const std::string controller = controller_uid(replica_set);
    return !controller.empty() && controller != deployment_uid_ && controller != app_uid;
  });
  return found;
}

Result<std::string> Adopting::unrest(const json& deployment) const {
  if (options_.force) return std::string();
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  return unrest_of(deployment, *owned);
}

Result<void> Adopting::begin() {
  if (!is_under_way()) {
    auto adoption = translation();
    if (!adoption) return tl::unexpected(adoption.error());
    warnings_ = std::move(adoption->warnings);
    auto created = objects_.create(kube::kScalableApps, adoption->body);
    if (!created) return tl::unexpected(created.error());
    app_ = std::move(*created);
    did(fmt::format("ScalableApp {} created, paused", name_));
    return {};
  }
  if (options_.min_replicas || options_.max_replicas || options_.latency_target_seconds) {
    warnings_.push_back(fmt::format("ScalableApp {} was created before: --min, --max and --latency-target change nothing "
                                    "any more; edit it", name_));
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
  const auto autoscalers = objects_.list(kAutoscalers, nullptr);
  if (!autoscalers) return tl::unexpected(autoscalers.error());
  const json kept = json::parse(annotation(app_, kAdoptedAutoscalerAnnotation), nullptr, false);
  for (const json& autoscaler : *autoscalers) {
    if (!scales(autoscaler, name_)) continue;
    if (name_of(autoscaler) != name_of(kept)) {
      return fail(ErrorCode::kInvalid, fmt::format("HorizontalPodAutoscaler {} was made since the adoption began; delete it",
                                                   name_of(autoscaler)));
    }
    const auto removed = objects_.remove(kAutoscalers, name_of(autoscaler), {.uid = uid_of(autoscaler)},
                                         kube::Propagation::kBackground);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    did(fmt::format("HorizontalPodAutoscaler {} deleted", name_of(autoscaler)));
  }
  return {};
}

Result<std::string> Adopting::try_to_remove_deployment() {
  const auto deployment = objects_.find(kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  if (deployment->is_null()) return std::string();
  const std::string being_deleted = "the garbage collector has not let go of its ReplicaSets";
  if (api::child(metadata_of(*deployment), "deletionTimestamp").is_string()) return being_deleted;
  if (template_of_deployment(*deployment) != canonical_template(api::child(spec_of(app_), "template"))) {
    return fail(ErrorCode::kConflict, "its template was changed just now");
  }
  const auto unrest = this->unrest(*deployment);
  if (!unrest || !unrest->empty()) return unrest;
  const kube::Preconditions as_seen{.uid = deployment_uid_,
                                    .resource_version = api::text(metadata_of(*deployment), "resourceVersion")};
  const auto removed = objects_.remove(kDeployments, name_, as_seen, kube::Propagation::kOrphan);
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
      const auto patched = objects_.patch(kube::kReplicaSets, one.name, one.patch);
      if (!patched && patched.error().code == ErrorCode::kConflict) return fmt::format("ReplicaSet {} keeps changing", one.name);
      if (!patched) return tl::unexpected(patched.error());
    }
    for (const std::string& name : wanted.left_alone) {
      warnings_.push_back(fmt::format("ReplicaSet {} has the template of another one and is left alone; delete it", name));
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
  std::vector<std::string> uids;
  for (const TakeOver& one : taken_) {
    revision_of[one.uid] = one.revision;
    uids.push_back(one.uid);
  }
  auto all = objects_.list(kube::kPods, selector_);
  if (!all) return tl::unexpected(all.error());
  const auto pods = pods_of(std::move(*all), uids);
  pod_count_ = 0;
  for (const json& pod : pods) {
    if (api::child(metadata_of(pod), "deletionTimestamp").is_null()) ++pod_count_;
    const json labels{{api::kAppLabel, name_}, {api::kRevisionLabel, revision_of[controller_uid(pod)]}};
    const json& present = api::child(metadata_of(pod), "labels");
    if (std::ranges::all_of(labels.items(), [&](const auto& label) { return api::child(present, label.key().c_str()) == label.value(); })) {
      continue;
    }
    const json patch{{"metadata", {{"uid", uid_of(pod)}, {"labels", labels}}}};
    const auto patched = objects_.patch(kube::kPods, name_of(pod), patch.dump());
    const bool is_gone = !patched && (patched.error().code == ErrorCode::kNotFound || patched.error().code == ErrorCode::kConflict);
    if (is_gone) return fmt::format("pod {} keeps changing", name_of(pod));
    if (!patched) return tl::unexpected(patched.error());
  }

  const auto found = replica_sets();
  if (!found) return tl::unexpected(found.error());
  std::int64_t size = 0;
  for (const json& replica_set : *found) size += api::integer(spec_of(replica_set), "replicas");
  const auto app = objects_.get(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  const json& status = api::child(*app, "status");
  const auto counted = api::integer(status, "replicas"), desired = api::integer(status, "desiredReplicas");
  if (api::integer(status, "observedGeneration") == api::integer(metadata_of(*app), "generation") &&
      counted == static_cast<std::int64_t>(pod_count_) && desired == size) {
    return std::string();
  }
  return fmt::format("the operator counts {} pods and takes {} for the size; there are {} pods, and {} are asked for; is "
                     "it running?", counted, desired, pod_count_, size);
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
  for (const Step step : {&Adopting::begin, &Adopting::await_operator, &Adopting::remove_autoscaler, &Adopting::remove_deployment,
                          &Adopting::take_over_replica_sets, &Adopting::take_over_pods, &Adopting::unpause}) {
    if (const auto done = (this->*step)(); !done) {
      if (!is_under_way()) return tl::unexpected(done.error());
      return fail(done.error().code,
                  fmt::format("{}\nDone so far: {}.\nNo pod was restarted; the same command goes on from here.",
                              done.error().message, done_.empty() ? "nothing new" : fmt::format("{}", fmt::join(done_, "; "))));
    }
  }
  for (std::string& warning : warnings_) warning = "warning: " + warning;
  return Printed{.out = fmt::format("{}\n", fmt::join(done_, "\n")), .warnings = std::move(warnings_)};
}

Result<Printed> Adopting::plan() {
  const auto is_done = look();
  if (!is_done) return tl::unexpected(is_done.error());
  if (*is_done || is_under_way()) {
    return fail(ErrorCode::kInvalid, fmt::format("ScalableApp {} {}: see it with kubectl get scalableapp {} -o yaml", name_,
                                                 *is_done ? "has been adopted already" : "is being adopted", name_));
  }
  const auto adoption = translation();
  if (!adoption) return tl::unexpected(adoption.error());
  const auto yaml = json_to_yaml(adoption->manifest);
  if (!yaml) return tl::unexpected(yaml.error());
  std::string out = fmt::format("# What adopt would do; nothing has been changed.\n"
                                "#  - create this ScalableApp, paused, and wait until the operator has seen it\n");
  if (autoscaler_.is_object()) {
    out += fmt::format("#  - delete HorizontalPodAutoscaler {}, which the ScalableApp remembers\n", name_of(autoscaler_));
  }
  out += fmt::format("#  - delete Deployment {}, leaving its ReplicaSets and pods\n", name_);
  const auto owned = replica_sets();
  if (!owned) return tl::unexpected(owned.error());
  for (const json& replica_set : *owned) {
    out += fmt::format("#  - take over ReplicaSet {} ({} replicas)\n", name_of(replica_set),
                       api::integer(spec_of(replica_set), "replicas"));
  }
  out += "#  - label its pods, none of which is restarted, and unpause the ScalableApp once the operator counts them\n";
  Printed printed{.out = out + *yaml};
  for (const std::string& warning : adoption->warnings) printed.warnings.push_back("warning: " + warning);
  return printed;
}

}  // namespace

Result<Printed> adopt(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options) {
  return Adopting(objects, name, options).run();
}

Result<Printed> plan_adoption(const NamespaceObjects& objects, const std::string& name, const AdoptOptions& options) {
  return Adopting(objects, name, options).plan();
}

}  // namespace scalableapp::plugin
