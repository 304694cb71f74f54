// What a HorizontalPodAutoscaler (autoscaling/v2) scales on, as spec.metrics and spec.behavior of a ScalableApp, and a
// CPU metric the other way round. Pure. Metrics that only a metrics API of the cluster knows have no translation.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace scalableapp::plugin {

// Adds spec.metrics and spec.behavior; `warnings` name what is left out and why.
void translate_autoscaler(const nlohmann::json& autoscaler, const nlohmann::json& pod_template, nlohmann::json& spec,
                          std::vector<std::string>& warnings);

// A HorizontalPodAutoscaler of the Deployment that is named as the app, for its CPU metrics; null: it has none.
nlohmann::json autoscaler_for(const nlohmann::json& app);

}  // namespace scalableapp::plugin
