#include "operator/rollout/report.h"

#include <algorithm>

#include <fmt/format.h>

#include "operator/rollout/attempt.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

using api::ConditionStatus;

api::Condition condition(ConditionStatus status, std::string reason, std::string message) {
  return {.type = "Progressing", .status = status, .reason = std::move(reason), .message = std::move(message)};
}

std::string counts_of(const Look& look, const Side& side) {
  return fmt::format("{} of {} replicas of revision {} are available", side.available, look.desired(), side.revision);
}
std::string counts_of(const Look& look) { return counts_of(look, look.sides.updated); }

// Why it waits, and how it goes on; empty: it does not wait for a person.
std::string pause_of(const Look& look) {
  const std::string& reason = look.state.pause_reason;
  if (reason == kSpecPaused) return "paused by spec.rollout.paused: set it to false to go on";
  if (reason == kInconclusive) {
    return fmt::format("the analysis cannot tell: {}: promote it to go on, or abort it", look.verdict.message);
  }
  if (reason == kAwaitsPromotion) return "every new replica is available: promote it to switch the traffic";
  if (reason != kPauseStep) return {};
  const api::CanaryStep& step = look.spec().canary.steps[static_cast<std::size_t>(look.state.step)];
  if (!step.pause_seconds) return "paused by its step: promote it to go on";
  const WallTime since = look.state.step_started_at.value_or(look.now);
  return fmt::format("paused by its step until {}, or until it is promoted",
                     format_rfc3339(since + seconds{*step.pause_seconds}));
}

std::string canary_text(const Look& look) {
  const int count = step_count(look.spec());
  const Side& updated = look.sides.updated;
  if (look.state.step >= count) return fmt::format("past all {} steps: {}", count, counts_of(look));
  return fmt::format("step {} of {}: weight {}%, {} of {} canary replicas available", look.state.step + 1, count,
                     weight_at(look.spec().canary, look.state.step), updated.available, updated.wanted);
}

std::string blue_green_text(const Look& look) {
  if (!look.state.switched_at) return counts_of(look);
  return fmt::format("the traffic was switched to revision {}; {} replicas of revision {} are kept",
                     look.input.updated_revision, look.sides.stable ? look.sides.stable->target : 0,
                     look.sides.stable ? look.sides.stable->revision : "");
}

std::string course_of(Look& look) {
  if (look.is_down) {
    return fmt::format("the app is down until the last replica of other revisions than {} is gone",
                       look.goal().revision);
  }
  switch (look.spec().strategy) {
    case api::RolloutStrategy::kCanary:
      return canary_text(look);
    case api::RolloutStrategy::kBlueGreen:
      return blue_green_text(look);
    case api::RolloutStrategy::kRolling:
    case api::RolloutStrategy::kRecreate:
      break;
  }
  return counts_of(look);
}

std::string failure_of(const Look& look) {
  const api::RolloutStatus& state = look.state;
  return fmt::format("revision {} failed ({}): {}", state.revision, state.failure_reason, state.failure_message);
}

std::string with(std::string text, const std::string& more) {
  return more.empty() ? text : text + "; " + more;
}

}  // namespace

std::string where_it_is(Look& look) {
  const Side& goal = look.goal();
  if (look.is_back) {
    return with(failure_of(look), look.is_down ? course_of(look) : counts_of(look, goal));
  }
  if (look.is_current() || look.state.phase == api::RolloutPhase::kHealthy) {
    if (!look.has_others()) return fmt::format("revision {} is rolled out", goal.revision);
    return with(fmt::format("back to revision {}", goal.revision), look.is_down ? course_of(look) : "");
  }
  std::string text = course_of(look);
  if (!look.state.failure_reason.empty()) return with(text, failure_of(look));
  if (const std::string pause = pause_of(look); !pause.empty()) return with(text, pause);
  if (look.desired() == 0) return with(text, "it goes on when the app has replicas again");
  if (look.is_held) return with(text, "nothing is exchanged until the burst is over");
  if (awaits_verdict(look.input, look.state)) {
    return with(text, look.state.analysis.message.empty() ? "analysis" : "analysis: " + look.state.analysis.message);
  }
  return text;
}

api::Condition progressing(Look& look, const RolloutPlan& plan) {
  const api::RolloutStatus& state = look.state;
  const Progress& progress = look.progress;
  if (look.is_back) {
    return condition(ConditionStatus::kFalse, state.available_at ? "RolledBack" : "RollingBack", state.message);
  }
  const std::string stuck =
      with(counts_of(look), progress.trouble.empty() ? "its pods do not become ready" : progress.trouble);
  if (!state.failure_reason.empty()) {
    return condition(ConditionStatus::kFalse, state.failure_reason,
                     state.failure_reason == kDeadlineExceeded ? stuck : state.message);
  }
  if (state.phase == api::RolloutPhase::kPaused) {
    return condition(ConditionStatus::kUnknown, "RolloutPaused", state.message);
  }
  for (const Action& action : plan.actions) {
    const auto* create = std::get_if<CreateReplicaSet>(&action);
    if (create == nullptr) continue;
    return condition(ConditionStatus::kTrue, "NewReplicaSetCreated",
                     fmt::format("revision {} starts with {} of {} replicas", create->revision, create->replicas,
                                 look.desired()));
  }
  if (progress.is_stuck) return condition(ConditionStatus::kFalse, kDeadlineExceeded, stuck);
  if (plan.in_flight) {
    return condition(ConditionStatus::kTrue, "ReplicaSetUpdated",
                     with(look.is_current() ? counts_of(look) : state.message, progress.trouble));
  }
  return condition(ConditionStatus::kTrue, "NewReplicaSetAvailable",
                   progress.trouble.empty() ? fmt::format("revision {} is rolled out", look.input.updated_revision)
                                            : with(counts_of(look), progress.trouble));
}

api::Condition left_alone(const RolloutInput& input) {
  return condition(ConditionStatus::kUnknown, input.spec.paused ? "Paused" : "DryRun",
                   input.spec.paused ? "spec.paused: pods are left as they are"
                                     : fmt::format("spec.dryRun: would run {} replicas of revision {}",
                                                   input.desired_replicas, input.updated_revision));
}

}  // namespace scalableapp::rollout
