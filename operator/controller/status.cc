#include "operator/controller/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace scalableapp::controller {
namespace {

using api::Condition;
using api::ConditionStatus;

bool is_available(const api::Pod& pod, int min_ready_seconds, WallTime now) {
  return pod.ready && pod.ready_since && now - *pod.ready_since >= seconds{min_ready_seconds};
}

void stamp(api::ScalableAppStatus& status, WallTime now, std::int64_t generation,
           Condition condition) {
  condition.observed_generation = generation;
  condition.last_transition_time = now;
  api::set_condition(status.conditions, std::move(condition));
}

Condition ready_condition(const api::ScalableAppStatus& status, const rollout::RolloutPlan& plan) {
  Condition condition{.type = "Ready"};
  if (status.ready_replicas >= status.desired_replicas) {
    condition.status = ConditionStatus::kTrue;
    condition.reason = "AllReplicasReady";
    condition.message = fmt::format("{} of {} replicas are ready", status.ready_replicas,
                                    status.desired_replicas);
  } else {
    condition.status = ConditionStatus::kFalse;
    condition.reason = plan.in_flight ? "RollingOut" : "ReplicasNotReady";
    condition.message = fmt::format("{} of {} replicas are ready, {} warming", status.ready_replicas,
                                    status.desired_replicas, status.warming_replicas);
  }
  return condition;
}

}  // namespace

api::ScalableAppStatus build_status(WallTime now, const Snapshot& snapshot,
                                    const scaling::Decision& decision,
                                    const rollout::RolloutPlan& plan, bool scaled) {
  const api::ScalableApp& app = *snapshot.app;
  const std::int64_t generation = app.metadata.generation;
  api::ScalableAppStatus status = app.status;
  status.observed_generation = generation;
  status.selector = fmt::format("{}={}", api::kAppLabel, app.metadata.name);
  status.desired_replicas = decision.replicas;

  status.replicas = status.ready_replicas = status.warming_replicas = 0;
  status.available_replicas = status.updated_replicas = status.terminating_replicas = 0;
  for (const auto& pod : snapshot.pods) {
    if (pod->finished()) continue;
    if (pod->terminating()) {
      ++status.terminating_replicas;
      continue;
    }
    ++status.replicas;
    ++(pod->ready ? status.ready_replicas : status.warming_replicas);
    if (is_available(*pod, app.spec.rollout.min_ready_seconds, now)) ++status.available_replicas;
    const auto revision = pod->metadata.labels.find(api::kRevisionLabel);
    if (revision != pod->metadata.labels.end() && revision->second == status.updated_revision) {
      ++status.updated_replicas;
    }
  }
  if (!plan.in_flight && !app.spec.paused && !app.spec.dry_run) {
    status.current_revision = status.updated_revision;
  }

  status.metrics = decision.metrics;
  if (scaled || !status.last_decision || status.last_decision->reason != decision.reason ||
      status.last_decision->to != decision.replicas ||
      status.last_decision->clamps != decision.clamps) {
    status.last_decision = api::LastDecision{.from = decision.from,
                                             .to = decision.replicas,
                                             .reason = decision.reason,
                                             .message = decision.message,
                                             .clamps = decision.clamps,
                                             .time = now};
  }
  if (scaled) status.last_scale_time = now;
  status.history = decision.history;

  for (const Condition& condition : decision.conditions) stamp(status, now, generation, condition);
  stamp(status, now, generation, plan.progressing);
  stamp(status, now, generation, ready_condition(status, plan));
  return status;
}

api::ScalableAppStatus invalid_status(WallTime now, const api::ScalableApp& app) {
  api::ScalableAppStatus status = app.status;
  status.observed_generation = app.metadata.generation;
  stamp(status, now, app.metadata.generation,
        {.type = "Ready",
         .status = ConditionStatus::kFalse,
         .reason = "SpecInvalid",
         .message = fmt::format("{}", fmt::join(app.problems, "; "))});
  stamp(status, now, app.metadata.generation,
        {.type = "ScalingActive",
         .status = ConditionStatus::kFalse,
         .reason = "SpecInvalid",
         .message = "pods are left as they are until the spec is mended"});
  return status;
}

StatusChange compare(const api::ScalableAppStatus& before, const api::ScalableAppStatus& after) {
  if (before == after) return StatusChange::kNone;
  const auto meaning = [](api::ScalableAppStatus status) {
    for (auto& metric : status.metrics) {
      metric.current.clear();
      metric.age_seconds.reset();
      metric.proposed_replicas.reset();
      if (!metric.missing.empty()) metric.missing = "missing";
    }
    for (auto& condition : status.conditions) condition.message.clear();
    if (status.last_decision) {
      status.last_decision->message.clear();
      status.last_decision->time = {};
      // A hold explains itself anew as figures move; only a changed count is news.
      if (status.last_decision->from == status.last_decision->to) status.last_decision->clamps.clear();
    }
    status.history = {};
    return status;
  };
  return meaning(before) == meaning(after) ? StatusChange::kFigures : StatusChange::kMeaning;
}

}  // namespace scalableapp::controller
