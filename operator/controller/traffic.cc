#include "operator/controller/traffic.h"

#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/controller/pod_writes.h"
#include "operator/platform/log.h"

namespace scalableapp::controller {
namespace {

using nlohmann::json;

constexpr const char* kRouteField = "spec.rollout.canary.httpRoute";

std::string text_at(const json& object, const char* pointer) {
  return object.value(json::json_pointer(pointer), std::string());
}

// Empty: it is as it should be now.
using Problem = std::string;

class Router {
 public:
  Router(kube::Client& client, const api::ScalableApp& app, const rollout::Routing& routing, TrafficMemory& memory)
      : client_(client), app_(app), routing_(routing), memory_(memory) {}

  Result<Problem> bring_about() {
    const TrafficTargets& targets = memory_.targets;
    auto problem = point(targets.stable_service, targets.stable_field, routing_.stable_revision);
    if (!problem || !problem->empty()) return problem;
    const bool has_route = !targets.http_route.empty() && routing_.weight.has_value();
    if (has_route) {
      problem = look_at_route();
      if (!problem || !problem->empty()) return problem;
    }
    if (change_ == Change::kFalls) problem = write_route();
    if (!problem || !problem->empty()) return problem;
    problem = point(targets.updated_service, targets.updated_field, routing_.updated_revision);
    if (!problem || !problem->empty()) return problem;
    if (change_ == Change::kRises) problem = write_route();
    return problem;
  }

  Result<void> let_go_of_others() {
    for (auto one = memory_.revisions.begin(); one != memory_.revisions.end();) {
      const auto& [service, revision] = *one;
      if (service != memory_.targets.stable_service && service != memory_.targets.updated_service) {
        if (auto done = let_go(service, revision); !done) return done;
        one = memory_.revisions.erase(one);
      } else {
        ++one;
      }
    }
    return {};
  }

 private:
  api::ObjectKey key(const std::string& name) const { return {app_.metadata.namespace_name, name}; }

  // Makes a Service send its traffic to the pods of `revision`.
  Result<Problem> point(const std::string& service, const std::string& field, const std::string& revision) {
    if (service.empty() || revision.empty()) return Problem();
    const std::string wanted = fmt::format("selector {}={}", api::kAppLabel, app_.metadata.name);
    const auto found = client_.get(kube::kServices, key(service));
    if (!found && found.error().code == ErrorCode::kNotFound) {
      return fmt::format("{}: Service {} does not exist; create it with the app's {}", field, service, wanted);
    }
    if (!found) return told(field, found.error());
    const json object = json::parse(*found, nullptr, false);
    json selector = object.value(json::json_pointer("/spec/selector"), json::object());
    const std::string present = selector.value(api::kRevisionLabel, "");
    selector.erase(api::kRevisionLabel);
    // By the revision alone it would select the pods of any app with the same template.
    if (selector.empty() || selector.value(api::kAppLabel, app_.metadata.name) != app_.metadata.name) {
      return fmt::format("{}: Service {} does not select the app's pods; give it the {}", field, service, wanted);
    }
    if (present != revision) {
      const json body{{"spec", {{"selector", {{api::kRevisionLabel, revision}}}}}};
      const auto done = patch(kube::kServices, service, body);
      if (!done) return told(field, done.error());
      log_info("traffic goes to another revision", {{"app", api::to_string(app_.metadata.key())},
                                                    {"service", service},
                                                    {"from", present},
                                                    {"to", revision}});
    }
    memory_.revisions[service] = revision;
    return Problem();
  }

  Result<void> let_go(const std::string& service, const std::string& revision) {
    const auto found = client_.get(kube::kServices, key(service));
    if (!found && (found.error().code == ErrorCode::kNotFound || is_refusal(found.error()))) return {};
    if (!found) return tl::unexpected(found.error());
    const json object = json::parse(*found, nullptr, false);
    const json selector = object.value(json::json_pointer("/spec/selector"), json::object());
    if (selector.value(api::kRevisionLabel, "") != revision) return {};
    const json body{{"metadata", {{"resourceVersion", text_at(object, "/metadata/resourceVersion")}}},
                    {"spec", {{"selector", {{api::kRevisionLabel, nullptr}}}}}};
    const auto done = patch(kube::kServices, service, body);
    if (!done && !is_refusal(done.error())) return tl::unexpected(done.error());
    return {};
  }

  // Reads the HTTPRoute and works out its rules as they should be.
  Result<Problem> look_at_route() {
    const std::string& name = memory_.targets.http_route;
    const auto found = client_.get(kube::kHttpRoutes, key(name));
    if (!found && found.error().code == ErrorCode::kNotFound) {
      // The server names the object only where it knows the type.
      if (found.error().message.find(fmt::format("\"{}\"", name)) == std::string::npos) {
        return fmt::format("{}: the cluster does not know HTTPRoutes; install the Gateway API's CRDs, v1.0 or later",
                           kRouteField);
      }
      return fmt::format("{}: HTTPRoute {} does not exist; create it with a rule that has backendRefs to {} and {}",
                         kRouteField, name, memory_.targets.stable_service, memory_.targets.updated_service);
    }
    if (!found) return told(kRouteField, found.error());
    const json object = json::parse(*found, nullptr, false);
    route_version_ = text_at(object, "/metadata/resourceVersion");
    rules_ = object.value(json::json_pointer("/spec/rules"), json::array());
    bool is_named = false;
    for (json& rule : rules_) is_named |= weigh(rule);
    if (is_named) return Problem();
    return fmt::format("{}: no rule of HTTPRoute {} has backendRefs to both {} and {}; add them to one", kRouteField,
                       name, memory_.targets.stable_service, memory_.targets.updated_service);
  }

  // Sets the weights in one rule, if it has both Services.
  bool weigh(json& rule) {
    std::vector<json*> stable, updated;
    const auto backends = rule.find("backendRefs");
    if (backends == rule.end()) return false;
    for (json& backend : *backends) {
      if (is_reference_to(memory_.targets.stable_service, backend)) stable.push_back(&backend);
      if (is_reference_to(memory_.targets.updated_service, backend)) updated.push_back(&backend);
    }
    if (stable.empty() || updated.empty()) return false;
    const auto set = [&](json& backend, int weight, bool is_updated) {
      const int present = backend.value("weight", 1);
      if (present == weight) return;
      backend["weight"] = weight;
      if (is_updated && weight < present) change_ = Change::kFalls;
      else if (change_ == Change::kNone) change_ = Change::kRises;
    };
    for (json* backend : updated) set(*backend, *routing_.weight, true);
    for (json* backend : stable) set(*backend, 100 - *routing_.weight, false);
    return true;
  }

  bool is_reference_to(const std::string& service, const json& backend) const {
    return backend.value("kind", "Service") == "Service" && backend.value("group", "").empty() &&
           backend.value("name", "") == service &&
           backend.value("namespace", app_.metadata.namespace_name) == app_.metadata.namespace_name;
  }

  // The rules are one field: they are written as a whole, unless the route has changed since.
  Result<Problem> write_route() {
    const json body{{"metadata", {{"resourceVersion", route_version_}}}, {"spec", {{"rules", std::move(rules_)}}}};
    const auto done = patch(kube::kHttpRoutes, memory_.targets.http_route, body);
    if (!done) return told(kRouteField, done.error());
    log_info("traffic is split anew", {{"app", api::to_string(app_.metadata.key())},
                                       {"httproute", memory_.targets.http_route},
                                       {"weight", *routing_.weight}});
    return Problem();
  }

  Result<std::string> patch(const kube::ResourceType& type, const std::string& name, const json& body) {
    return client_.patch(type, key(name), body.dump(), kube::PatchKind::kMerge, {}, api::kFieldManager);
  }

  // What a person has to mend is a problem, everything else an error.
  static Result<Problem> told(const std::string& field, const Error& error) {
    if (error.code == ErrorCode::kForbidden) {
      return fmt::format("{}: the operator's role does not allow it; upgrade the chart: {}", field, error.message);
    }
    if (is_refusal(error)) return fmt::format("{}: {}", field, error.message);
    return tl::unexpected(error);
  }

  enum class Change { kNone, kFalls, kRises };

  kube::Client& client_;
  const api::ScalableApp& app_;
  const rollout::Routing& routing_;
  TrafficMemory& memory_;
  std::string route_version_;
  json rules_;
  Change change_ = Change::kNone;  // Of the updated revision's weight.
};

}  // namespace

TrafficTargets traffic_targets(const api::RolloutSpec& spec) {
  if (spec.strategy == api::RolloutStrategy::kCanary) {
    return {.stable_service = spec.canary.stable_service,
            .updated_service = spec.canary.canary_service,
            .http_route = spec.canary.http_route,
            .stable_field = "spec.rollout.canary.stableService",
            .updated_field = "spec.rollout.canary.canaryService"};
  }
  if (spec.strategy == api::RolloutStrategy::kBlueGreen) {
    return {.stable_service = spec.blue_green.active_service,
            .updated_service = spec.blue_green.preview_service,
            .stable_field = "spec.rollout.blueGreen.activeService",
            .updated_field = "spec.rollout.blueGreen.previewService"};
  }
  return {};
}

Result<TrafficState> route_traffic(kube::Client& client, MonotonicTime now, const api::ScalableApp& app,
                                   const rollout::Routing& routing, TrafficMemory& memory) {
  const TrafficTargets targets = traffic_targets(app.spec.rollout);
  if (targets == TrafficTargets{} && memory.revisions.empty()) return TrafficState{};
  const bool is_known = memory.checked_at && memory.targets == targets && memory.routing == routing;
  const milliseconds patience = memory.problem.empty() ? kTrafficRecheck : kTrafficRetry;
  if (!is_known || now >= *memory.checked_at + patience) {
    memory.checked_at.reset();
    memory.targets = targets;
    memory.routing = routing;
    Router router(client, app, routing, memory);
    auto problem = router.bring_about();
    if (!problem) return tl::unexpected(problem.error());
    if (auto done = router.let_go_of_others(); !done) return tl::unexpected(done.error());
    memory.problem = std::move(*problem);
    memory.checked_at = now;
  }
  const milliseconds wait = memory.problem.empty() ? kTrafficRecheck : kTrafficRetry;
  return TrafficState{.problem = memory.problem, .next = *memory.checked_at + wait - now};
}

}  // namespace scalableapp::controller
