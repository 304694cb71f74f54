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
#include "operator/plugin/take_back.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr seconds kPatience{60};

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
  GiveBack given_back(const json& replica_set) const;
  Result<std::vector<json>> pods(const std::vector<json>& replica_sets) const;

  Result<void> await_operator() const;
  Result<void> check_rollout();
  Result<void> await_gates(const std::vector<json>& replica_sets) const;
  Result<void> set_paused();
  Result<void> set_as_before();

  Result<void> pause();
  Result<void> change_templates();
  Result<void> create_deployment();
  Result<void> remove_app();
  Result<void> take_back() { return take_back_pods(objects_, name_, deployment_, services_, done_); }

  void did(std::string step) { done_.push_back(std::move(step)); }

  const NamespaceObjects& objects_;
  const std::string& name_;
  const bool force_;
  json app_;         // null: gone.
  json deployment_;  // null: not there yet.
  json selector_;    // The Deployment's.
  std::vector<json> services_;  // Selectors of those that find the pods by the app's label.
  Release release_;  // While the app is there.
  std::vector<std::string> done_;
};

Result<void> Releasing::look() {
  auto app = objects_.find(kube::kScalableApps, name_);
  if (!app) return tl::unexpected(app.error());
  auto deployment = objects_.find(kube::kDeployments, name_);
  if (!deployment) return tl::unexpected(deployment.error());
  app_ = std::move(*app);
  deployment_ = std::move(*deployment);
  const bool is_begun = !annotation(deployment_, kReleasingAnnotation).empty();
  if (app_.is_null() && !is_begun) {
    return fail(ErrorCode::kNotFound,
                fmt::format("no ScalableApp {} in namespace {}{}", name_, objects_.namespace_name(),
                            deployment_.is_null() ? "" : "; there is a Deployment of that name"));
  }
  if (deployment_.is_object() && !is_begun) {
    return fail(ErrorCode::kAlreadyExists, fmt::format("there is a Deployment {} already", name_));
  }
  if (!annotation(app_, kAdoptingAnnotation).empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("ScalableApp {} is being adopted; run adopt {} to its end first", name_, name_));
  }
  if (is_live() && is_begun && annotation(app_, kReleasingAnnotation).empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("ScalableApp {} was made again since its release began; end what makes it, and delete it",
                            name_));
  }
  selector_ = api::child(spec_of(deployment_), "selector");
  const auto services = objects_.list(kube::kServices, nullptr);
  if (!services) return tl::unexpected(services.error());
  for (const json& service : *services) {
    json selector = selector_without_revision(service, name_);
    if (selector.is_object()) services_.push_back(std::move(selector));
  }
  return {};
}

GiveBack Releasing::given_back(const json& replica_set) const {
  std::vector<json> selectors = services_;
  selectors.push_back(selector_);
  return give_back(replica_set, selectors);
}

Result<std::vector<json>> Releasing::replica_sets_of_app() const {
  auto found = objects_.list(kube::kReplicaSets, {{"matchLabels", {{api::kAppLabel, name_}}}});
  if (!found) return found;
  std::erase_if(*found, [&](const json& replica_set) { return controller_uid(replica_set) != uid_of(app_); });
  return found;
}

Result<std::vector<json>> Releasing::pods(const std::vector<json>& replica_sets) const {
  auto found = objects_.list(kube::kPods, selector_);
  if (!found) return found;
  return pods_of(std::move(*found), replica_sets);
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
  release_ = translate_back(app_, running_replica_set(app_, *owned), services_);
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
        return fmt::format("the readiness gate of pod {} is shut: it warms up or is set aside; --force opens it",
                           name_of(pod));
      }
    }
    return std::string();
  });
}

Result<void> Releasing::set_paused() {
  const bool was_paused = api::boolean(spec_of(app_), "paused");
  const json patch{
      {"metadata", {{"annotations", {{kReleasingAnnotation, was_paused ? kReleasingToStayPaused : kReleasingToRun}}}}},
      {"spec", {{"paused", true}}}};
  const auto patched = objects_.patch(kube::kScalableApps, name_, patch.dump());
  if (!patched) return tl::unexpected(patched.error());
  did(fmt::format("ScalableApp {} paused", name_));
  return {};
}

Result<void> Releasing::set_as_before() {
  const bool was_paused = annotation(app_, kReleasingAnnotation) == kReleasingToStayPaused;
  const json patch{{"metadata", {{"annotations", {{kReleasingAnnotation, nullptr}}}}}, {"spec", {{"paused", was_paused}}}};
  const auto patched = objects_.patch(kube::kScalableApps, name_, patch.dump());
  if (!patched) return tl::unexpected(patched.error());
  did("set as it was before");
  return {};
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
    if (auto paused = set_paused(); !paused) return paused;
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
      settled = fail(ErrorCode::kConflict,
                     fmt::format("it is being scaled down: pod {} is on its way out", name_of(*leaving)));
    }
  }
  if (settled || deployment_.is_object()) return settled;
  (void)set_as_before();  // Why it cannot be released is what is to be told.
  return settled;
}

Result<void> Releasing::change_templates() {
  if (!is_live()) return {};
  const auto changed = objects_.wait(kPatience, [&]() -> Result<std::string> {
    const auto owned = replica_sets_of_app();
    if (!owned) return tl::unexpected(owned.error());
    for (const json& replica_set : *owned) {
      const auto obstacle =
          objects_.try_patch(kube::kReplicaSets, name_of(replica_set), given_back(replica_set).template_patch);
      if (!obstacle || !obstacle->empty()) return obstacle;
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
  auto created = objects_.create(kube::kDeployments, release_.deployment);
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

Result<Printed> Releasing::run() {
  if (const auto looked = look(); !looked) return tl::unexpected(looked.error());
  using Step = Result<void> (Releasing::*)();
  for (const Step step :
       {&Releasing::pause, &Releasing::change_templates, &Releasing::create_deployment, &Releasing::remove_app,
        &Releasing::take_back}) {
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
