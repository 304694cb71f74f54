#include "operator/rollout/attempt.h"

#include <algorithm>

#include <fmt/format.h>

namespace scalableapp::rollout {
namespace {

// The state as it is when a revision begins.
void begin_anew(Look& look) {
  const std::string& revision = look.input.updated_revision;
  const bool is_retry = look.state.revision == revision;
  const bool has_old = look.sides.has_other_than(look.sides.updated);
  look.state = {.phase = api::RolloutPhase::kProgressing, .revision = revision};
  if (look.is_current() && !has_old) return;  // It is there already: an app from before there was a state.
  look.state.started_at = look.state.step_started_at = look.now;
  if (look.is_current()) {
    look.note("RolloutStarted", fmt::format("back to revision {}", revision));
  } else {
    const std::string place = look.is_first() ? "" : " takes the place of revision " + look.input.current_revision;
    look.note("RolloutStarted", fmt::format("revision {}{}{}", revision, place, is_retry ? ", once more" : ""));
  }
  // Nothing to compare it with: neither steps nor a verdict.
  if (look.is_first() || look.is_current() || !has_old) look.state.step = step_count(look.spec());
}

void fail(Look& look, const char* reason, std::string message) {
  api::RolloutStatus& state = look.state;
  const bool is_news = state.failure_reason != reason;
  state.failure_reason = reason;
  state.failure_message = std::move(message);
  if (!is_news) return;
  state.failed_at = state.step_started_at = look.now;
  state.available_at.reset();
  look.warn("RolloutAborted", fmt::format("revision {}: {}: {}", state.revision, reason, state.failure_message));
}

// What ends the attempt now, if anything does.
void judge(Look& look) {
  const RolloutInput& input = look.input;
  const Side& updated = look.sides.updated;
  const seconds deadline{look.spec().progress_deadline_seconds};
  if (input.controls.abort) return fail(look, kAborted, "someone asked for it");
  if (look.verdict.verdict == api::Verdict::kFailed) return fail(look, kAnalysisFailed, look.verdict.message);
  if (updated.state == nullptr) {
    if (input.refused_since && look.has_passed(input.refused_since, deadline)) {
      fail(look, kReplicaSetRefused, fmt::format("its ReplicaSet has been refused for {} s", deadline.count()));
    }
    return;
  }
  if (const std::string pod = crash_loop(*updated.state, look.state.started_at); !pod.empty()) {
    return fail(look, kCrashLoop, pod);
  }
  const Progress progress = look_at_progress(*updated.state, look.spec().progress_deadline_seconds, look.now,
                                             look.state.started_at.value_or(WallTime{}));
  if (progress.is_stuck) {
    fail(look, kDeadlineExceeded,
         fmt::format("no pod has come to serve for {} s{}{}", deadline.count(), progress.trouble.empty() ? "" : "; ",
                     progress.trouble));
  } else if (progress.deadline) {
    look.check_at(*progress.deadline);
  }
}

// What people asked for that is not done yet.
void promote(Look& look) {
  api::RolloutStatus& state = look.state;
  const Controls& controls = look.input.controls;
  const int count = step_count(look.spec());
  const int next = controls.promote_fully ? count : std::min(count, controls.promote_past.value_or(-1) + 1);
  if (controls.promote_past.value_or(-1) >= state.step) {
    for (auto& metric : state.analysis.metrics) metric.inconclusive = metric.missing_in_a_row = 0;
  }
  if (next <= state.step) return;
  look.note("Promoted", next == count ? "past all steps" : fmt::format("past step {} of {}", next, count));
  look.begin_step(next);
}

// Causes that pass by themselves end nothing where there is no way back.
bool may_pass(const std::string& reason) {
  return reason == kCrashLoop || reason == kDeadlineExceeded || reason == kReplicaSetRefused;
}

void forget_failure(api::RolloutStatus& state) {
  state.failure_reason.clear();
  state.failure_message.clear();
  state.failed_at.reset();
}

// Looks again at a failure that left the rollout where it is.
void judge_again(Look& look) {
  api::RolloutStatus& state = look.state;
  const api::RolloutStatus before = state;
  if ((may_pass(before.failure_reason) && look.desired() > 0) ||
      (before.failure_reason == kAnalysisFailed && look.input.controls.promote_fully)) {
    forget_failure(state);
  }
  const std::size_t told = look.notes.size();
  judge(look);
  if (state.failure_reason != before.failure_reason || before.failure_reason.empty()) return;
  look.notes.resize(told);  // It is still the same.
  state.failed_at = before.failed_at;
  state.step_started_at = before.step_started_at;
  state.available_at = before.available_at;
}

// Whether the attempt, which goes on or is stopped where it is, may exchange pods.
void hold(Look& look) {
  api::RolloutStatus& state = look.state;
  const std::string& failure = state.failure_reason;
  const bool has_old = look.sides.has_other_than(look.sides.updated);
  if (look.progress.is_stuck || !failure.empty()) look.bounds.unavailable = 0;
  if (!failure.empty()) {
    // The others are lifted by pods that come to serve, as in a Deployment.
    look.is_held = failure == kAborted || failure == kAnalysisFailed || failure == kCrashLoop;
  } else if (look.spec().paused && has_old) {
    state.pause_reason = kSpecPaused;
  } else if (look.verdict.verdict == api::Verdict::kInconclusive) {
    state.pause_reason = kInconclusive;
  }
  const bool is_burst = look.input.in_burst && look.spec().during_burst == api::DuringBurst::kHold && has_old;
  look.is_held |= is_burst || !state.pause_reason.empty();
}

}  // namespace

int step_count(const api::RolloutSpec& spec) {
  switch (spec.strategy) {
    case api::RolloutStrategy::kCanary:
      return static_cast<int>(spec.canary.steps.size());
    case api::RolloutStrategy::kBlueGreen:
      return spec.analysis ? 2 : 1;
    case api::RolloutStrategy::kRolling:
    case api::RolloutStrategy::kRecreate:
      return spec.analysis ? 1 : 0;
  }
  return 0;
}

bool begins_anew(const RolloutInput& input) {
  const api::RolloutStatus& state = input.state;
  if (state.revision != input.updated_revision) return true;
  if (state.failure_reason.empty()) return false;
  if (state.failure_reason == kAborted && !input.controls.abort) return true;
  return input.controls.retry_of && state.failed_at && *input.controls.retry_of > *state.failed_at;
}

bool goes_back(const RolloutInput& input, const api::RolloutStatus& state, const Sides& sides) {
  if (state.failure_reason.empty() || !sides.can_go_back) return false;
  if (input.spec.rollout.automatic_rollback || state.failure_reason == kAborted) return true;
  // It went back before that was changed: what is gone is not tried again.
  return sides.updated.state != nullptr && sides.updated.spec == 0;
}

bool awaits_verdict(const RolloutInput& input, const api::RolloutStatus& state) {
  const api::RolloutSpec& spec = input.spec.rollout;
  if (!spec.analysis || state.step >= step_count(spec)) return false;
  switch (spec.strategy) {
    case api::RolloutStrategy::kCanary:
      return spec.canary.steps[static_cast<std::size_t>(state.step)].analysis;
    case api::RolloutStrategy::kBlueGreen:
      return state.switched_at && state.step == 1;
    case api::RolloutStrategy::kRolling:
    case api::RolloutStrategy::kRecreate:
      return state.available_at.has_value();
  }
  return false;
}

void begin(Look& look) {
  api::RolloutStatus& state = look.state;
  const bool is_anew = begins_anew(look.input);
  if (is_anew) begin_anew(look);
  state.pause_reason.clear();
  state.step = std::min(state.step, step_count(look.spec()));
  if (!look.sides.has_other_than(look.sides.updated) && !look.sides.can_go_back) state.step = step_count(look.spec());
  if (const RevisionState* updated = look.sides.updated.state; updated != nullptr) {
    look.progress = look_at_progress(*updated, look.spec().progress_deadline_seconds, look.now, WallTime{});
  } else {
    look.progress.is_stuck = look.input.refused_since.has_value();
  }
  look.bounds = resolve(look.spec(), look.desired());
  if (look.is_current()) return;

  look.is_back = goes_back(look.input, state, look.sides);
  if (!look.is_back) {
    promote(look);
    if (look.spec().analysis && look.sides.stable && !look.is_first() && !look.input.controls.promote_fully) {
      look.verdict = outcome(*look.spec().analysis, state.analysis);
      // Who promotes it past the last step does not want to be asked again.
      const auto& past = look.input.controls.promote_past;
      const bool is_past_all = past && *past + 1 >= step_count(look.spec());
      if (is_past_all && look.verdict.verdict == api::Verdict::kInconclusive) look.verdict = {};
    }
    judge_again(look);
    look.is_back = goes_back(look.input, state, look.sides);
  }
  if (!look.is_back) hold(look);
}

}  // namespace scalableapp::rollout
