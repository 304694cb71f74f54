#include "operator/plugin/status_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/plugin/progress.h"
#include "operator/plugin/table.h"

namespace scalableapp::plugin {
namespace {

constexpr const char* kGood = "✔";
constexpr const char* kBad = "✖";
constexpr const char* kGoing = "◌";
constexpr const char* kWaiting = "‖";
constexpr std::size_t kLongestInfo = 100;

const char* sign_of(api::RolloutPhase phase) {
  switch (phase) {
    case api::RolloutPhase::kHealthy:
      return kGood;
    case api::RolloutPhase::kProgressing:
      return kGoing;
    case api::RolloutPhase::kPaused:
      return kWaiting;
    case api::RolloutPhase::kDegraded:
      return kBad;
  }
  return "";
}

bool is_settled(const api::ScalableApp& app) {
  return app.status.rollout.phase == api::RolloutPhase::kHealthy &&
         app.status.updated_revision == app.status.current_revision;
}

// --- pods ---------------------------------------------------------------------------------------------------------

const char* sign_of(const api::Pod& pod) {
  if (pod.terminating() || pod.draining()) return kGoing;
  if (is_ejected(pod) || pod.finished()) return kBad;
  if (pod.ready) return kGood;
  return pod.trouble.empty() ? kGoing : kBad;
}

std::string gate_text(const PodView& view, WallTime now) {
  std::string text = gate_state(view.pod);
  if (!view.pod.has_warm_gate || !view.gate_since) return text;
  text += " " + age_text(now - *view.gate_since);
  return view.pod.warm || view.pod.gate_reason.empty() ? text : text + ": " + view.pod.gate_reason;
}

std::string info_of(const api::Pod& pod, WallTime now) {
  if (pod.draining_since) return fmt::format("leaves, draining for {}", age_text(now - *pod.draining_since));
  if (is_ejected(pod)) {
    return fmt::format("out of service for {}: {}", age_text(now - pod.ejection->time), pod.ejection->why);
  }
  std::string text = pod.ready ? "" : pod.trouble;
  std::ranges::replace(text, '\n', ' ');
  if (text.size() <= kLongestInfo) return text;
  std::size_t end = kLongestInfo;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // Not within a character.
  return text.substr(0, end) + "...";
}

// --- the tree -----------------------------------------------------------------------------------------------------

std::ptrdiff_t ready_pods(const RevisionView& revision) {
  return std::ranges::count_if(revision.pods, [](const PodView& view) { return view.pod.ready; });
}

std::vector<std::string> revision_row(const AppView& view, const RevisionView& revision, WallTime now) {
  const std::string role = role_of(view.app, revision.revision);
  const bool is_failed = role.find("failed") != std::string::npos || !revision.replica_set.failure.empty();
  const auto ready = ready_pods(revision);
  const char* sign = is_failed ? kBad : ready >= revision.replica_set.spec_replicas ? kGood : kGoing;
  std::string info = revision_text(view.revisions, revision.revision);
  if (!revision.change_cause.empty()) info += ": " + revision.change_cause;
  if (!revision.replica_set.failure.empty()) info += "; " + revision.replica_set.failure;
  return {revision.replica_set.metadata.name,
          fmt::format("{} {}", sign, role.empty() ? "old" : role),
          fmt::format("{}/{}", ready, revision.replica_set.spec_replicas),
          "",
          "",
          age_text(now - revision.replica_set.metadata.creation_time),
          "",
          info};
}

std::vector<std::string> pod_row(const PodView& view, WallTime now) {
  return {view.pod.metadata.name,
          fmt::format("{} {}", sign_of(view.pod), state_of(view.pod)),
          "",
          gate_text(view, now),
          fmt::format("{}", view.pod.restart_count),
          age_text(now - view.pod.metadata.creation_time),
          view.pod.node.empty() ? "-" : view.pod.node,
          info_of(view.pod, now)};
}

bool is_shown(const AppView& view, const RevisionView& revision) {
  return revision.replica_set.spec_replicas > 0 || !revision.pods.empty() ||
         !role_of(view.app, revision.revision).empty();
}

std::string tree(const AppView& view, WallTime now) {
  const api::ScalableAppStatus& status = view.app.status;
  Table table{.headings = {"NAME", "STATUS", "READY", "GATE", "RESTARTS", "AGE", "NODE", "INFO"},
              .is_number = {false, false, true, false, true, true, false, false}};
  table.rows.push_back({view.app.metadata.name,
                        fmt::format("{} {}", sign_of(status.rollout.phase), to_string(status.rollout.phase)),
                        fmt::format("{}/{}", status.ready_replicas, status.desired_replicas), "", "",
                        age_text(now - view.app.metadata.creation_time), "", ""});
  std::vector<const RevisionView*> shown;
  for (const RevisionView& revision : view.revisions) {
    if (is_shown(view, revision)) shown.push_back(&revision);
  }
  for (const RevisionView* revision : shown) {
    const bool is_last = revision == shown.back();
    table.rows.push_back(revision_row(view, *revision, now));
    table.rows.back()[0].insert(0, is_last ? "└─ " : "├─ ");
    for (const PodView& pod : revision->pods) {
      table.rows.push_back(pod_row(pod, now));
      table.rows.back()[0].insert(
          0, fmt::format("{}  {}", is_last ? " " : "│", &pod == &revision->pods.back() ? "└─ " : "├─ "));
    }
  }
  std::string text = render(table);
  if (const auto hidden = view.revisions.size() - shown.size(); hidden > 0) {
    text += fmt::format("{} older revision{} without pods: kubectl scalableapp history {}\n", hidden,
                        hidden == 1 ? "" : "s", view.app.metadata.name);
  }
  return text;
}

// --- the lines above and below it -----------------------------------------------------------------------------------

// What a person can do now; empty: nothing need be done.
std::string next_text(const api::ScalableApp& app) {
  const std::string& name = app.metadata.name;
  switch (app.status.rollout.phase) {
    case api::RolloutPhase::kPaused:
      return app.spec.rollout.paused ? "kubectl scalableapp resume " + name
                                     : fmt::format("kubectl scalableapp promote {0}, or abort {0}", name);
    case api::RolloutPhase::kDegraded:
      return fmt::format("kubectl scalableapp undo {0}, or retry {0}{1}", name,
                         can_be_overruled(app) ? ", or promote " + name + " --full" : "");
    default:
      return {};
  }
}

std::string held_text(const api::ScalableAppSpec& spec, WallTime now) {
  if (!spec.override_replicas) return {};
  if (!spec.override_until) return fmt::format("at {} until released", *spec.override_replicas);
  if (*spec.override_until <= now) return {};
  return fmt::format("at {} for another {}", *spec.override_replicas, age_text(*spec.override_until - now));
}

std::string degraded_text(const api::ScalableAppStatus& status, WallTime now) {
  if (status.degrade_level == 0) return {};
  const auto* why = api::find_condition(status.conditions, "Brownout");
  std::string text = why != nullptr ? why->message : fmt::format("level {}", status.degrade_level);
  if (status.degrade_level_since) text += fmt::format(" ({} ago)", age_text(now - *status.degrade_level_since));
  return text;
}

std::string expected_text(const api::ScalableAppStatus& status) {
  const auto* expected = api::find_condition(status.conditions, "ExpectedLoad");
  return expected == nullptr || expected->reason == "Over" ? std::string{} : expected->message;
}

std::string decision_text(const std::optional<api::LastDecision>& last, WallTime now) {
  if (!last) return "none yet";
  return fmt::format("{}, {} ago: {}", last->reason, age_text(now - last->time), last->message);
}

std::string status_text(const api::ScalableApp& app) {
  const api::RolloutStatus& rollout = app.status.rollout;
  std::string text = fmt::format("{} {}", sign_of(rollout.phase), to_string(rollout.phase));
  const std::string& reason = rollout.failure_reason.empty() ? rollout.pause_reason : rollout.failure_reason;
  if (!reason.empty() && rollout.phase != api::RolloutPhase::kHealthy) text += " (" + reason + ")";
  if (is_behind(app)) text += ", of a spec before the present one: the operator has not seen it yet";
  return text;
}

std::string head(const AppView& view, WallTime now) {
  const api::ScalableApp& app = view.app;
  const api::ScalableAppStatus& status = app.status;
  const api::RolloutStatus& rollout = status.rollout;
  const bool goes_on = !is_settled(app);
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<15} {}\n", std::string(name) + ":", value);
  };
  line("Name", app.metadata.name);
  line("Namespace", app.metadata.namespace_name);
  line("Status", status_text(app));
  line("Message", rollout.message.empty() && goes_on ? progress_of(app).line : rollout.message);
  if (const auto* ready = api::find_condition(status.conditions, "Ready"); ready && ready->reason == "SpecInvalid") {
    line("Invalid spec", ready->message);
  }
  if (rollout.message.find(rollout.failure_message) == std::string::npos) line("Failure", rollout.failure_message);
  line("Next", next_text(app));
  line("Strategy", to_string(app.spec.rollout.strategy));
  if (goes_on) {
    line("Step", step_text(app, now));
    if (app.spec.rollout.strategy == api::RolloutStrategy::kCanary) {
      line("Weight", fmt::format("{}% for {}", rollout.weight, revision_text(view.revisions, status.updated_revision)));
    }
    if (app.spec.rollout.strategy == api::RolloutStrategy::kBlueGreen) {
      line("Switched", rollout.switched_at ? age_text(now - *rollout.switched_at) + " ago" : "not yet");
    }
  }
  if (app.spec.paused) line("Paused", "spec.paused: neither scales nor rolls out");
  if (app.spec.rollout.paused) line("Paused", "spec.rollout.paused: the rollout stays where it is");
  if (app.spec.dry_run) line("Dry run", "spec.dryRun: decides and changes no pods");
  line("Replicas", fmt::format("{} desired, {} exist, {} ready, {} available, {} warming, {} updated, {} terminating",
                               status.desired_replicas, status.replicas, status.ready_replicas,
                               status.available_replicas, status.warming_replicas, status.updated_replicas,
                               status.terminating_replicas));
  line("Held", held_text(app.spec, now));
  line("Expected load", expected_text(status));
  line("Degraded", degraded_text(status, now));
  line("Last decision", decision_text(status.last_decision, now));
  return text;
}

std::string analysis_text(const api::ScalableApp& app, WallTime now) {
  const api::AnalysisStatus& status = app.status.rollout.analysis;
  if (!app.spec.rollout.analysis || is_settled(app)) return {};
  const api::Analysis& analysis = *app.spec.rollout.analysis;
  std::string text = fmt::format("Analysis: every {}, {}\n", format_duration(seconds{analysis.interval_seconds}),
                                 status.measured_at ? "last " + age_text(now - *status.measured_at) + " ago"
                                                    : std::string("no measurement yet"));
  if (!status.message.empty()) text += "  " + status.message + "\n";
  Table table{.headings = {"METRIC", "VALUE", "LAST", "GOOD", "BAD", "INCONCLUSIVE"}};
  for (const api::AnalysisMetricStatus& metric : status.metrics) {
    const char* sign = metric.last == api::Verdict::kSuccessful ? kGood
                       : metric.last == api::Verdict::kFailed   ? kBad
                                                                : kGoing;
    table.rows.push_back({metric.name, metric.value.empty() ? "-" : metric.value,
                          fmt::format("{} {}", sign, to_string(metric.last)),
                          fmt::format("{} of {} needed", metric.successful, analysis.count),
                          fmt::format("{} (limit {})", metric.failed, analysis.failure_limit),
                          fmt::format("{} (limit {})", metric.inconclusive, analysis.inconclusive_limit)});
  }
  return table.rows.empty() ? text : text + render(table);
}

}  // namespace

std::string status_tree(const AppView& view, WallTime now) {
  std::string text = head(view, now) + "\n" + tree(view, now);
  if (const std::string analysis = analysis_text(view.app, now); !analysis.empty()) text += "\n" + analysis;
  return text;
}

}  // namespace scalableapp::plugin
