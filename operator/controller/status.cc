#include "operator/controller/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "operator/rollout/gates.h"

namespace scalableapp::controller {
namespace {

using api::Condition;
using api::ConditionStatus;

bool is_available(const api::Pod& pod, int min_ready_seconds, WallTime now) {
  return pod.ready && pod.ready_since && now - *pod.ready_since >= seconds{min_ready_seconds};
}

// Why a pod that should serve does not, in the scheduler's or the kubelet's words; empty: no reason.
std::string trouble_of(const Snapshot& snapshot) {
  const auto troubled = std::ranges::find_if(snapshot.pods, [](const auto& pod) {
    return !pod->ready && !pod->terminating() && !pod->trouble.empty();
  });
  if (troubled == snapshot.pods.end()) return {};
  return fmt::format("; pod {}: {}", (*troubled)->metadata.name, (*troubled)->trouble);
}

Condition ready_condition(const api::ScalableAppStatus& status, const rollout::RolloutPlan& plan,
                          const std::string& trouble) {
  Condition condition{.type = "Ready"};
  if (status.ready_replicas >= status.desired_replicas) {
    condition.status = ConditionStatus::kTrue;
    condition.reason = "AllReplicasReady";
    condition.message = fmt::format("{} of {} replicas are ready", status.ready_replicas,
                                    status.desired_replicas);
  } else {
    condition.status = ConditionStatus::kFalse;
    condition.reason = plan.in_flight ? "RollingOut" : "ReplicasNotReady";
    condition.message =
        fmt::format("{} of {} replicas are ready, {} warming{}", status.ready_replicas,
                    status.desired_replicas, status.warming_replicas, trouble);
  }
  return condition;
}

bool same_meaning(const Condition& a, const Condition& b) {
  if (a.type != b.type || a.observed_generation != b.observed_generation) return false;
  return a.type == "ScalingLimited" || (a.status == b.status && a.reason == b.reason);
}

bool same_meaning(const api::MetricStatus& a, const api::MetricStatus& b) {
  return a.name == b.name && a.type == b.type && a.target == b.target &&
         a.missing.empty() == b.missing.empty();
}

auto meaning(const api::ScalableAppStatus& status) {
  return std::tuple(status.observed_generation, status.desired_replicas, status.collision_count, status.degrade_level,
                    status.last_decision.has_value(), status.last_scale_time,
                    std::string_view(status.selector), std::string_view(status.current_revision),
                    std::string_view(status.updated_revision), std::string_view(status.history.expected_load.asked));
}

bool same_meaning(const api::ScalableAppStatus& a, const api::ScalableAppStatus& b) {
  const auto same = [](const auto& x, const auto& y) { return same_meaning(x, y); };
  return meaning(a) == meaning(b) && same_course(a.rollout, b.rollout) && std::ranges::equal(a.conditions, b.conditions, same) &&
         std::ranges::equal(a.metrics, b.metrics, same);
}

auto counts(const api::ScalableAppStatus& status) {
  return std::tuple(status.replicas, status.ready_replicas, status.warming_replicas,
                    status.available_replicas, status.updated_replicas,
                    status.terminating_replicas, std::string_view(status.rollout.message));
}

bool same_figures(const api::MetricStatus& a, const api::MetricStatus& b) {
  return a.current == b.current && a.proposed_replicas == b.proposed_replicas &&
         a.missing == b.missing;
}

// What a restart would do without: the ends of runs (stabilize.h, history_gap).
bool same_figures(const api::ScalingHistory& a, const api::ScalingHistory& b) {
  return a.scale_events == b.scale_events &&
         std::ranges::equal(a.recommendations, b.recommendations, {},
                            &api::RecommendationRun::replicas, &api::RecommendationRun::replicas);
}

bool same_figures(const api::ScalableAppStatus& a, const api::ScalableAppStatus& b) {
  const auto same = [](const auto& x, const auto& y) { return same_figures(x, y); };
  return std::ranges::equal(a.metrics, b.metrics, same) && a.conditions == b.conditions && a.rollout == b.rollout &&
         a.last_decision == b.last_decision && same_figures(a.history, b.history);
}

Condition schedules_valid(const api::ScalableAppSpec& spec, const std::vector<std::string>& problems) {
  if (!problems.empty()) {
    return {.type = "SchedulesValid",
            .status = ConditionStatus::kFalse,
            .reason = "ScheduleInvalid",
            .message = fmt::format("{}; the other schedules hold", fmt::join(problems, "; "))};
  }
  return {.type = "SchedulesValid",
          .status = ConditionStatus::kTrue,
          .reason = spec.schedules.empty() ? "NoSchedules" : "SchedulesValid",
          .message = spec.schedules.empty() ? "there is no schedule" : "every schedule can be read"};
}

}  // namespace

void stamp(api::ScalableAppStatus& status, WallTime now, Condition condition) {
  condition.observed_generation = status.observed_generation;
  condition.last_transition_time = now;
  api::set_condition(status.conditions, std::move(condition));
}

api::ScalableAppStatus build_status(WallTime now, const Snapshot& snapshot,
                                    const scaling::Decision& decision,
                                    const rollout::RolloutPlan& plan,
                                    const std::vector<std::string>& schedule_problems) {
  const api::ScalableApp& app = *snapshot.app;
  const bool acts = !app.spec.paused && !app.spec.dry_run;
  const bool scaled = acts && decision.replicas != decision.from;
  api::ScalableAppStatus status = *snapshot.status;
  status.observed_generation = app.metadata.generation;
  status.selector = fmt::format("{}={}", api::kAppLabel, app.metadata.name);
  status.desired_replicas = acts ? decision.replicas : decision.from;
  status.updated_revision = snapshot.updated_revision;

  status.replicas = status.ready_replicas = status.warming_replicas = 0;
  status.available_replicas = status.updated_replicas = status.terminating_replicas = 0;
  for (const auto& pod : snapshot.pods) {
    if (pod->finished()) continue;
    if (pod->terminating()) {
      ++status.terminating_replicas;
      continue;
    }
    ++status.replicas;
    const auto revision = pod->metadata.labels.find(api::kRevisionLabel);
    if (revision != pod->metadata.labels.end() && revision->second == status.updated_revision) {
      ++status.updated_replicas;
    }
    // One too many, and on its way out; it may yet come back.
    if (pod->draining()) continue;
    if (pod->ready) {
      ++status.ready_replicas;
    } else if (!rollout::can_return(*pod)) {  // Out of service, but warm.
      ++status.warming_replicas;
    }
    if (is_available(*pod, app.spec.rollout.min_ready_seconds, now)) ++status.available_replicas;
  }
  if (acts && plan.is_complete) status.current_revision = status.updated_revision;
  if (acts) status.rollout = plan.state;

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
  if (scaled) {
    // Later than the one before by any clock: a change of size is known by it (SizeChange).
    constexpr milliseconds kTick{1};
    const WallTime after = status.last_scale_time ? *status.last_scale_time + kTick : now;
    status.last_scale_time = std::max(now, after);
  }
  status.history = decision.history;
  status.degrade_level = decision.history.brownout.level;
  status.degrade_level_since = decision.history.brownout.since;
  const auto drop = [&](const char* type) {
    std::erase_if(status.conditions, [&](const auto& condition) { return condition.type == type; });
  };
  if (!app.spec.brownout) drop("Brownout");
  if (decision.history.expected_load.asked.empty()) drop("ExpectedLoad");

  for (const Condition& condition : decision.conditions) stamp(status, now, condition);
  if (!app.spec.schedules.empty() || api::find_condition(status.conditions, "SchedulesValid") != nullptr) {
    stamp(status, now, schedules_valid(app.spec, schedule_problems));
  }
  stamp(status, now, plan.progressing);
  stamp(status, now, ready_condition(status, plan, trouble_of(snapshot)));
  return status;
}

api::ScalableAppStatus invalid_status(WallTime now, const api::ScalableApp& app,
                                      const api::ScalableAppStatus& present) {
  api::ScalableAppStatus status = present;
  status.observed_generation = app.metadata.generation;
  stamp(status, now,
        {.type = "Ready",
         .status = ConditionStatus::kFalse,
         .reason = "SpecInvalid",
         .message = fmt::format("{}", fmt::join(app.problems, "; "))});
  stamp(status, now,
        {.type = "ScalingActive",
         .status = ConditionStatus::kFalse,
         .reason = "SpecInvalid",
         .message = "pods are left as they are until the spec is mended"});
  return status;
}

bool same_course(const api::RolloutStatus& a, const api::RolloutStatus& b) {
  const auto course = [](const api::RolloutStatus& status) {
    return std::tuple(status.phase, status.step, status.weight, status.started_at, status.step_started_at,
                      status.switched_at, status.available_at, status.failed_at, std::string_view(status.revision),
                      std::string_view(status.pause_reason), std::string_view(status.failure_reason),
                      std::string_view(status.failure_message));
  };
  return course(a) == course(b) && std::ranges::equal(a.analysis.metrics, b.analysis.metrics);
}

StatusChange compare(const api::ScalableAppStatus& before, const api::ScalableAppStatus& after) {
  if (!same_meaning(before, after)) return StatusChange::kMeaning;
  if (counts(before) != counts(after)) return StatusChange::kCounts;
  return same_figures(before, after) ? StatusChange::kNone : StatusChange::kFigures;
}

milliseconds write_delay(StatusChange change, std::size_t app_count) {
  constexpr milliseconds kFiguresPerApp{125};  // 8 writes a second: some 8 % of a core of the API server.
  constexpr milliseconds kFastestFigures{30'000};
  // What a new process does not find in the history it makes up for by watching (kMaxRestartHold).
  constexpr milliseconds kSlowestFigures = scaling::kMaxRestartHold;
  switch (change) {
    case StatusChange::kMeaning:
      return seconds{0};
    case StatusChange::kCounts:
      return seconds{1};
    case StatusChange::kNone:
    case StatusChange::kFigures:
      break;
  }
  return std::clamp(kFiguresPerApp * static_cast<std::int64_t>(app_count), kFastestFigures, kSlowestFigures);
}

}  // namespace scalableapp::controller
