#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "operator/plugin/status_tree.h"

namespace scalableapp::plugin {
namespace {

// Insertion-ordered, so that the output reads from the top down.
using Json = nlohmann::ordered_json;

Json to_json(const std::optional<WallTime>& time) { return time ? Json(format_rfc3339(*time)) : Json(); }

Json to_json(const PodView& view) {
  const api::Pod& pod = view.pod;
  return {{"name", pod.metadata.name},
          {"state", state_of(pod)},
          {"ready", pod.ready},
          {"gate", {{"state", gate_state(pod)}, {"reason", pod.gate_reason}, {"since", to_json(view.gate_since)}}},
          {"restarts", pod.restart_count},
          {"created", format_rfc3339(pod.metadata.creation_time)},
          {"node", pod.node},
          {"trouble", pod.trouble}};
}

Json to_json(const AppView& view, const RevisionView& revision) {
  Json pods = Json::array();
  for (const PodView& pod : revision.pods) pods.push_back(to_json(pod));
  return {{"revision", revision.revision},
          {"number", revision.number() ? Json(*revision.number()) : Json()},
          {"role", role_of(view.app, revision.revision)},
          {"changeCause", revision.change_cause},
          {"replicaSet", revision.replica_set.metadata.name},
          {"replicas", revision.replica_set.spec_replicas},
          {"failure", revision.replica_set.failure},
          {"pods", std::move(pods)}};
}

Json analysis_json(const api::ScalableApp& app) {
  if (!app.spec.rollout.analysis) return {};
  const api::Analysis& analysis = *app.spec.rollout.analysis;
  Json metrics = Json::array();
  for (const api::AnalysisMetricStatus& metric : app.status.rollout.analysis.metrics) {
    metrics.push_back({{"name", metric.name},
                       {"value", metric.value},
                       {"last", to_string(metric.last)},
                       {"good", metric.successful},
                       {"bad", metric.failed},
                       {"inconclusive", metric.inconclusive}});
  }
  return {{"measuredAt", to_json(app.status.rollout.analysis.measured_at)},
          {"needed", analysis.count},
          {"badAllowed", analysis.failure_limit},
          {"inconclusiveAllowed", analysis.inconclusive_limit},
          {"metrics", std::move(metrics)}};
}

}  // namespace

std::string status_json(const AppView& view) {
  const api::ScalableAppStatus& status = view.app.status;
  const api::RolloutStatus& rollout = status.rollout;
  Json object{{"name", view.app.metadata.name},
              {"namespace", view.app.metadata.namespace_name},
              {"phase", to_string(rollout.phase)},
              {"message", rollout.message},
              {"strategy", to_string(view.app.spec.rollout.strategy)},
              {"step", rollout.step},
              {"steps", view.app.spec.rollout.canary.steps.size()},
              {"weight", rollout.weight},
              {"pauseReason", rollout.pause_reason},
              {"failureReason", rollout.failure_reason},
              {"failureMessage", rollout.failure_message},
              {"currentRevision", status.current_revision},
              {"updatedRevision", status.updated_revision},
              {"replicas",
               {{"desired", status.desired_replicas},
                {"present", status.replicas},
                {"ready", status.ready_replicas},
                {"available", status.available_replicas},
                {"updated", status.updated_replicas}}},
              {"degradeLevel", status.degrade_level},
              {"analysis", analysis_json(view.app)},
              {"revisions", Json::array()}};
  for (const RevisionView& revision : view.revisions) object["revisions"].push_back(to_json(view, revision));
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace scalableapp::plugin
