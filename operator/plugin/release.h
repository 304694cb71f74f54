// A ScalableApp as the Deployment that its pods are given back to, and what keeps it from that. Pure: objects as the
// API server shows them in, the Deployment to create out. The ReplicaSets' part is in owned_replica_sets.h; who does
// it in release_steps.h.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

namespace scalableapp::plugin {

// On the ScalableApp and on the Deployment until all is done. Its value says whether spec.paused is to be what it is.
inline constexpr const char* kReleasingAnnotation = "scalableapp.io/releasing";
inline constexpr const char* kReleasingToRun = "true";
inline constexpr const char* kReleasingToStayPaused = "paused";

// Whether the operator has seen the app as it is.
bool is_seen(const nlohmann::json& app);
// What of a rollout is not over; empty: nothing.
std::string unfinished_rollout(const nlohmann::json& app, std::span<const nlohmann::json> replica_sets);
// The ReplicaSet of the revision that runs; null: none.
const nlohmann::json& running_replica_set(const nlohmann::json& app, std::span<const nlohmann::json> replica_sets);

// Whether the pod has the readiness gate, not open.
bool is_shut(const nlohmann::json& pod);
// Whether the pod has been chosen to go; its gate will not open.
bool is_leaving(const nlohmann::json& pod);

struct Release {
  std::string deployment;  // As it is created, JSON: paused, with kReleasingAnnotation and the autoscaler it had.
  std::string selector;    // Its spec.selector, JSON.
  std::string autoscaler;  // A manifest that somebody may want to apply, JSON; empty: it had one, or has no CPU metric.
  std::vector<std::string> warnings;
};
// `replica_set`: running_replica_set, which the Deployment takes for its newest, since it has the same template.
// `services`: selectors of those that find the pods by the app's label.
Release translate_back(const nlohmann::json& app, const nlohmann::json& replica_set,
                       std::span<const nlohmann::json> services);

// spec.selector of a Service as it is to be once the app is gone: it has the app's label, and no revision any more.
// null: it has not.
nlohmann::json selector_without_revision(const nlohmann::json& service, const std::string& app);

}  // namespace scalableapp::plugin
