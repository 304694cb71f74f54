#include "operator/plugin/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/plugin/app_view.h"
#include "operator/rollout/plan.h"

namespace scalableapp::plugin {
namespace {

// Asked for, and not acted upon: the failure is older than the request.
bool awaits_retry(const api::ScalableApp& app) {
  const auto found = app.metadata.annotations.find(api::kRetryAnnotation);
  if (found == app.metadata.annotations.end()) return false;
  const std::string prefix = app.status.rollout.revision + " ";
  if (!found->second.starts_with(prefix)) return false;
  const auto at = parse_rfc3339(found->second.substr(prefix.size()));
  return at && app.status.rollout.failed_at.value_or(WallTime{}) < *at;
}

std::string counts_text(const api::ScalableAppStatus& status) {
  return fmt::format("{} of {} replicas are updated, {} available", status.updated_replicas, status.desired_replicas,
                     status.available_replicas);
}

std::string describe(const api::CanaryStep& step, std::optional<WallTime> since, WallTime now) {
  if (step.set_weight) return fmt::format("setWeight {}%", *step.set_weight);
  if (step.analysis) return "analysis";
  if (!step.pause_seconds) return "pause until promoted";
  const milliseconds length = seconds{*step.pause_seconds};
  const std::string text = "pause " + format_duration(length);
  return since ? fmt::format("{}, {} left", text, age_text(*since + length - now)) : text;
}

}  // namespace

bool is_behind(const api::ScalableApp& app) { return app.status.observed_generation < app.metadata.generation; }

Progress progress_of(const api::ScalableApp& app) {
  const api::ScalableAppStatus& status = app.status;
  const api::RolloutStatus& rollout = status.rollout;
  if (is_behind(app)) {
    return {.line = fmt::format("the operator has not seen the latest change yet (generation {}, it has seen {})",
                                app.metadata.generation, status.observed_generation)};
  }
  if (const auto* ready = api::find_condition(status.conditions, "Ready"); ready && ready->reason == "SpecInvalid") {
    return {Outcome::kFailed, "the spec is invalid: " + ready->message};
  }
  if (!rollout.failure_reason.empty() && !awaits_retry(app)) {
    return {Outcome::kFailed, fmt::format("revision {} failed: {}: {}", rollout.revision, rollout.failure_reason,
                                          rollout.failure_message)};
  }
  const bool is_rolled_out = !status.updated_revision.empty() && status.updated_revision == status.current_revision;
  if (is_rolled_out && rollout.phase == api::RolloutPhase::kHealthy) {
    return {Outcome::kComplete,
            fmt::format("revision {} is rolled out, {} of {} replicas are available", status.updated_revision,
                        status.available_replicas, status.desired_replicas)};
  }
  std::string line = fmt::format("{}: {}", to_string(rollout.phase),
                                 rollout.message.empty() ? counts_text(status) : rollout.message);
  if (app.spec.paused) line += "; spec.paused is set: nothing is rolled out";
  if (app.spec.dry_run) line += "; spec.dryRun is set: nothing is rolled out";
  return {.line = line};
}

bool can_be_overruled(const api::ScalableApp& app) {
  return !app.spec.rollout.automatic_rollback && app.status.rollout.failure_reason == rollout::kAnalysisFailed;
}

std::string step_text(const api::ScalableApp& app, WallTime now) {
  const api::RolloutSpec& spec = app.spec.rollout;
  const api::RolloutStatus& state = app.status.rollout;
  const int count = rollout::step_count(spec);
  if (count == 0) return {};
  const int step = std::max(0, state.step);
  if (step >= count) return fmt::format("past the last of {}", count);
  std::string what = "analysis";
  if (spec.strategy == api::RolloutStrategy::kCanary) {
    what = describe(spec.canary.steps[static_cast<std::size_t>(step)], state.step_started_at, now);
  } else if (spec.strategy == api::RolloutStrategy::kBlueGreen && step == 0) {
    what = "before the switch";
  }
  return fmt::format("{} of {}: {}", step + 1, count, what);
}

}  // namespace scalableapp::plugin
