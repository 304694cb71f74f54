#include "operator/scaling/decide.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "operator/scaling/limits.h"
#include "operator/scaling/signal.h"
#include "operator/scaling/stabilize.h"

namespace scalableapp::scaling {
namespace {

using api::Condition;
using api::ConditionStatus;

int clamp_to_bounds(int replicas, const api::ScalableAppSpec& spec) {
  return std::min(std::max(replicas, spec.min_replicas), std::max(spec.min_replicas, spec.max_replicas));
}

seconds longest_period(const api::Behavior& behavior) {
  int longest = 0;
  for (const auto* rules : {&behavior.scale_up, &behavior.scale_down}) {
    for (const auto& policy : rules->policies) longest = std::max(longest, policy.period_seconds);
  }
  return seconds{longest};
}

// "cpu 92% over 60% needs 6"
std::string driver_text(const Signal& signal) {
  const auto& status = signal.status;
  if (signal.within_tolerance) return fmt::format("{} {} is near its target {}", status.name, status.current, status.target);
  if (status.current == "idle") return fmt::format("{} is idle", status.name);
  const char* relation = status.type == "QueueLength" || signal.ratio == 0 ? "at" : signal.ratio > 1 ? "over" : "under";
  if (status.type == "QueueLength") {
    return fmt::format("{} {} at {} a replica needs {}", status.name, status.current, status.target, signal.proposed);
  }
  return fmt::format("{} {} {} {} needs {}", status.name, status.current, relation, status.target, signal.proposed);
}

// Keeps the number, and a record of every step that changed it.
class Pipeline {
 public:
  explicit Pipeline(int replicas) : replicas_(replicas) {}
  int replicas() const { return replicas_; }
  void propose(int replicas, std::string detail) { move("metrics", replicas, std::move(detail)); }
  void clamp(const char* name, int replicas, std::string detail) {
    if (replicas == replicas_) return;
    clamps_.push_back(name);
    move(name, replicas, std::move(detail));
  }
  std::vector<Step> take_steps() { return std::move(steps_); }
  const std::vector<std::string>& clamps() const { return clamps_; }
  const std::string& last_detail() const { return steps_.back().detail; }

 private:
  void move(const char* name, int replicas, std::string detail) {
    steps_.push_back({.name = name, .before = replicas_, .after = replicas, .detail = std::move(detail)});
    replicas_ = replicas;
  }
  int replicas_;
  std::vector<Step> steps_;
  std::vector<std::string> clamps_;
};

const char* hold_reason(const std::string& clamp) {
  if (clamp == "stabilization") return "Stabilizing";
  if (clamp == "restart") return "JustStarted";
  if (clamp == "rolloutHold") return "RolloutHold";
  if (clamp == "scaleUpPolicy" || clamp == "scaleDownPolicy") return "LimitedByPolicy";
  if (clamp == "maxReplicas") return "AtMaxReplicas";
  if (clamp == "minReplicas") return "AtMinReplicas";
  return "PartialMetrics";
}

}  // namespace

seconds restart_hold(const api::ScalableAppSpec& spec) {
  return seconds{std::clamp(spec.behavior.scale_down.stabilization_window_seconds, 10, 60)};
}

Decision decide(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                const api::ScalingHistory& history) {
  const int current = observation.current_replicas;
  const api::Behavior& behavior = spec.behavior;
  Decision decision;
  decision.from = current;
  decision.history = history;
  forget_old_events(decision.history.scale_events, now, longest_period(behavior));

  // 1 metrics
  std::vector<Signal> signals;
  std::vector<std::string> missing, drivers;
  const Signal* strongest = nullptr;
  int recommended = 0;
  for (std::size_t i = 0; i < spec.metrics.size(); ++i) {
    static const MetricReading kNone;
    const MetricReading& reading = i < observation.readings.size() ? observation.readings[i] : kNone;
    signals.push_back(evaluate(spec, spec.metrics[i], reading, observation));
  }
  for (const Signal& signal : signals) {
    decision.metrics.push_back(signal.status);
    if (signal.missing) {
      missing.push_back(fmt::format("{}: {}", signal.status.name, signal.status.missing));
    } else if (strongest == nullptr || signal.proposed > recommended) {
      strongest = &signal;
      recommended = signal.proposed;
    }
  }
  // Named in the order of the spec whatever decides, so that the sentence does not depend on chance.
  for (const Signal& signal : signals) {
    if (!signal.missing && (signal.proposed == recommended || signal.proposed > current)) drivers.push_back(driver_text(signal));
  }
  const std::string why = fmt::format("{}", fmt::join(drivers, "; "));

  Pipeline pipeline(current);
  std::string forced_reason;  // Where the outcome is not the metrics'.
  std::string forced_text;
  if (spec.override_replicas) {
    forced_reason = "ManualOverride";
    forced_text = fmt::format("spec.replicas.override holds the app at {}", *spec.override_replicas);
    pipeline.clamp("override", *spec.override_replicas, forced_text);
  } else if (strongest == nullptr) {
    forced_reason = spec.metrics.empty() ? "NoMetrics" : "MetricsUnavailable";
    forced_text = spec.metrics.empty() ? "spec.metrics is empty" : fmt::format("no metric has a value ({})", fmt::join(missing, "; "));
  } else {
    // 2 missing data
    pipeline.propose(recommended, why);
    if (!missing.empty() && recommended < current) {
      pipeline.clamp("missingMetrics", current, fmt::format("scale-down waits for a value ({})", fmt::join(missing, "; ")));
      recommended = current;
    }
    // 4 stabilization
    const seconds up_window{behavior.scale_up.stabilization_window_seconds};
    const seconds down_window{behavior.scale_down.stabilization_window_seconds};
    recommended = clamp_to_bounds(recommended, spec);
    auto& runs = decision.history.recommendations;
    remember(runs, now, recommended, std::max({up_window, down_window, seconds{1}}), observation.observing_since);
    const int floor_of_up = lowest_in_window(runs, now, up_window, recommended);
    const int ceiling_of_down = highest_in_window(runs, now, down_window, recommended);
    const int stabilized = std::min(std::max(current, floor_of_up), std::max(ceiling_of_down, recommended));
    if (pipeline.replicas() > current && stabilized < pipeline.replicas() && stabilized < recommended) {
      pipeline.clamp("stabilization", stabilized,
                     fmt::format("scale-up to {} waits for the {} s stabilization window", recommended, up_window.count()));
    } else if (pipeline.replicas() < current && stabilized > pipeline.replicas() && stabilized > recommended) {
      pipeline.clamp("stabilization", stabilized,
                     fmt::format("scale-down to {} waits for the {} s stabilization window", recommended, down_window.count()));
    }
    // 5 restart
    if (pipeline.replicas() < current && observation.observing_since && now - *observation.observing_since < restart_hold(spec)) {
      pipeline.clamp("restart", current, fmt::format("no scale-down in the first {} s of watching", restart_hold(spec).count()));
    }
  }
  // 6 rollout
  if (pipeline.replicas() < current && observation.rollout_in_flight) {
    pipeline.clamp("rolloutHold", current, "no scale-down while a rollout is in flight");
  }
  // 7 policies
  if (forced_reason.empty() && pipeline.replicas() > current) {
    const Limit limit = scale_up_limit(now, current, behavior.scale_up, history.scale_events);
    if (pipeline.replicas() > limit.replicas) {
      pipeline.clamp("scaleUpPolicy", limit.replicas, fmt::format("held to {} by scaleUp policy {}", limit.replicas, limit.policy));
    }
  } else if (forced_reason.empty() && pipeline.replicas() < current) {
    const Limit limit = scale_down_limit(now, current, behavior.scale_down, history.scale_events);
    if (pipeline.replicas() < limit.replicas) {
      pipeline.clamp("scaleDownPolicy", limit.replicas, fmt::format("held to {} by scaleDown policy {}", limit.replicas, limit.policy));
    }
  }
  // 8 bounds
  if (pipeline.replicas() > spec.max_replicas) {
    pipeline.clamp("maxReplicas", spec.max_replicas, fmt::format("held to {} by replicas.max", spec.max_replicas));
  } else if (pipeline.replicas() < spec.min_replicas) {
    pipeline.clamp("minReplicas", spec.min_replicas, fmt::format("held to {} by replicas.min", spec.min_replicas));
  }

  decision.replicas = pipeline.replicas();
  decision.clamps = pipeline.clamps();
  const bool moved = decision.replicas != current;
  if (moved && !spec.paused && !spec.dry_run) {
    decision.history.scale_events.push_back({.change = decision.replicas - current, .time = now});
  }

  // The reason and the sentence.
  const bool clamped = !decision.clamps.empty();
  if (!forced_reason.empty()) {
    decision.reason = moved && forced_reason != "ManualOverride" ? "OutsideBounds" : forced_reason;
  } else if (decision.replicas > current) {
    decision.reason = strongest->proposed > current ? "MetricAboveTarget" : "OutsideBounds";
  } else if (decision.replicas < current) {
    decision.reason = strongest->proposed < current ? "MetricBelowTarget" : "OutsideBounds";
  } else if (clamped) {
    decision.reason = hold_reason(decision.clamps.back());
  } else {
    decision.reason = "WithinTolerance";
  }
  std::vector<std::string> told;
  if (!forced_text.empty()) told.push_back(forced_text);
  if (!why.empty() && forced_text.empty()) told.push_back(why);
  decision.steps = pipeline.take_steps();
  for (const Step& step : decision.steps) {
    if (step.name != "metrics" && step.detail != forced_text) told.push_back(step.detail);
  }
  const std::string because = fmt::format("{}", fmt::join(told, "; "));
  decision.message = moved ? fmt::format("{} -> {}: {}", current, decision.replicas, because)
                           : fmt::format("held at {}: {}", current, because);

  // Conditions, in HPA's words.
  const bool active = strongest != nullptr && !spec.override_replicas;
  decision.conditions.push_back({.type = "ScalingActive",
                                 .status = active ? ConditionStatus::kTrue : ConditionStatus::kFalse,
                                 .reason = active ? "ValidMetricFound" : forced_reason,
                                 .message = active ? "replicas follow the metrics" : forced_text});
  const bool limited = decision.clamps.size() > 0 && (decision.clamps.back() == "maxReplicas" || decision.clamps.back() == "minReplicas" ||
                                                      decision.clamps.back() == "scaleUpPolicy" || decision.clamps.back() == "scaleDownPolicy");
  decision.conditions.push_back({.type = "ScalingLimited",
                                 .status = limited ? ConditionStatus::kTrue : ConditionStatus::kFalse,
                                 .reason = limited ? hold_reason(decision.clamps.back()) : "DesiredWithinRange",
                                 .message = limited ? decision.steps.back().detail : "the wanted count is within every limit"});
  decision.conditions.push_back({.type = "MetricsAvailable",
                                 .status = missing.empty() ? ConditionStatus::kTrue : ConditionStatus::kFalse,
                                 .reason = missing.empty() ? "AllMetricsAvailable" : "MetricsMissing",
                                 .message = missing.empty() ? "every metric has a fresh value" : fmt::format("{}", fmt::join(missing, "; "))});
  return decision;
}

}  // namespace scalableapp::scaling
