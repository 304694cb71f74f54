// A Deployment and its HorizontalPodAutoscaler as the ScalableApp that takes over their pods. Pure: objects as the API
// server shows them in, the object to create out. What becomes of the ReplicaSets is in owned_replica_sets.h, the way
// back in release.h, and who does it in adopt_steps.h.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "operator/base/result.h"

namespace scalableapp::plugin {

// Annotations of a ScalableApp that has taken over a Deployment's pods.
inline constexpr const char* kAdoptedFromAnnotation = "scalableapp.io/adopted-from";  // The Deployment's name.
// What it was beside its template: JSON with uid, labels, annotations and selector.
inline constexpr const char* kAdoptedDeploymentAnnotation = "scalableapp.io/adopted-deployment";
// The HorizontalPodAutoscaler's manifest as JSON; absent: there was none.
inline constexpr const char* kAdoptedAutoscalerAnnotation = "scalableapp.io/adopted-hpa";
inline constexpr const char* kAdoptingAnnotation = "scalableapp.io/adopting";  // Until all of it is done.

struct AdoptOptions {
  std::optional<int> min_replicas;  // Unset: the autoscaler's; without one, the present count and twice as many.
  std::optional<int> max_replicas;
  std::optional<double> latency_target_seconds;  // Adds a metric.
  bool force = false;  // Also in the middle of a rollout, or where somebody controls the Deployment.
};

// All as JSON.
struct Adoption {
  std::string manifest;  // The ScalableApp as a person would write it.
  std::string body;      // As it is created: paused, with the annotations above.
  std::vector<std::string> warnings;  // What could not be translated, and what to do about it.
};

// `autoscaler`: autoscaling/v2, or null. `disruption_budgets`: of the namespace. kInvalid says what keeps the
// Deployment from being adopted.
Result<Adoption> translate(const nlohmann::json& deployment, const nlohmann::json& autoscaler,
                           std::span<const nlohmann::json> disruption_budgets, const AdoptOptions& options);

// Whether the HorizontalPodAutoscaler scales the Deployment of this name.
bool scales(const nlohmann::json& autoscaler, const std::string& deployment);

// "Kind NAME" of what controls the object; empty: nothing does.
std::string controller_of(const nlohmann::json& object);

// Why the Deployment is not at rest, its ReplicaSets being these; empty: it is.
std::string unrest_of(const nlohmann::json& deployment, std::span<const nlohmann::json> replica_sets);

}  // namespace scalableapp::plugin
