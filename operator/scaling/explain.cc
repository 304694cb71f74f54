#include "operator/scaling/explain.h"

#include <nlohmann/json.hpp>

namespace scalableapp::scaling {

std::string to_json(WallTime now, const Observation& observation, const Decision& decision) {
  using json = nlohmann::ordered_json;
  int serving = 0;
  for (const PodState& pod : observation.pods) serving += pod.serving ? 1 : 0;
  json record{{"time", format_rfc3339_micro(now)},
              {"from", decision.from},
              {"to", decision.replicas},
              {"reason", decision.reason},
              {"message", decision.message},
              {"pods", {{"total", observation.pods.size()}, {"serving", serving}}},
              {"rolloutInFlight", observation.rollout_in_flight},
              {"metrics", json::array()},
              {"steps", json::array()}};
  for (const auto& metric : decision.metrics) {
    json entry{{"name", metric.name}, {"type", metric.type}, {"current", metric.current}, {"target", metric.target}};
    if (metric.proposed_replicas) entry["proposedReplicas"] = *metric.proposed_replicas;
    if (metric.age_seconds) entry["ageSeconds"] = *metric.age_seconds;
    if (!metric.missing.empty()) entry["missing"] = metric.missing;
    record["metrics"].push_back(std::move(entry));
  }
  for (const Step& step : decision.steps) {
    record["steps"].push_back({{"name", step.name}, {"before", step.before}, {"after", step.after}, {"detail", step.detail}});
  }
  return record.dump();
}

}  // namespace scalableapp::scaling
