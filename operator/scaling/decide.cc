#include "operator/scaling/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/scaling/combine.h"
#include "operator/scaling/explain.h"
#include "operator/scaling/limits.h"
#include "operator/scaling/signal.h"
#include "operator/scaling/stabilize.h"

namespace scalableapp::scaling {
namespace {

using api::Condition;
using api::ConditionStatus;

struct ClampReason {
  std::string_view clamp;
  const char* reason;
  bool is_limit;  // Shows in ScalingLimited: what stands in the way is not just time or data.
};
constexpr ClampReason kClampReasons[] = {
    {"missingMetrics", "PartialMetrics", false}, {"override", "ManualOverride", false},
    {"stabilization", "Stabilizing", false},     {"restartHold", "Restarted", false},
    {"scaleUpPolicy", "LimitedByPolicy", true},  {"scaleDownPolicy", "LimitedByPolicy", true},
    {"rolloutHold", "RolloutHold", true},        {"minReplicas", "AtMinReplicas", true},
    {"maxReplicas", "AtMaxReplicas", true},
};
const ClampReason* find_clamp(std::string_view clamp) {
  const auto* found = std::ranges::find(kClampReasons, clamp, &ClampReason::clamp);
  return found == std::end(kClampReasons) ? nullptr : found;
}

const MetricReading* find_reading(const Observation& observation, std::string_view name) {
  const auto found = std::ranges::find(observation.readings, name, &MetricReading::name);
  return found == observation.readings.end() ? nullptr : &*found;
}

// By name, so that the order of spec.metrics does not show.
std::string missing_metrics(std::span<const Signal> signals) {
  std::vector<std::string> missing;
  for (const Signal& signal : signals) {
    if (!signal.proposal) {
      missing.push_back(fmt::format("{} ({})", signal.metric->name, signal.missing));
    }
  }
  std::ranges::sort(missing);
  return fmt::format("{}", fmt::join(missing, "; "));
}

// The number on its way down the pipeline: what changes it leaves a step and a clamp behind.
class Pipeline {
 public:
  Pipeline(Decision& decision, int start) : decision_(decision), replicas_(start) {}
  int replicas() const { return replicas_; }
  void clamp(const char* name, int after, std::string detail) {
    decision_.steps.push_back({name, replicas_, after, std::move(detail)});
    decision_.clamps.emplace_back(name);
    replicas_ = after;
  }

 private:
  Decision& decision_;
  int replicas_;
};

void apply_behavior(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                    Decision& decision, Pipeline& pipeline) {
  const int current = observation.current_replicas;
  const api::Behavior& behavior = spec.behavior;
  const int stable = stabilize(now, current, behavior, decision.history.recommendations);
  if (stable != pipeline.replicas()) {
    const auto& rules = pipeline.replicas() > current ? behavior.scale_up : behavior.scale_down;
    pipeline.clamp("stabilization", stable,
                   fmt::format("the {} stabilization window",
                               format_duration(seconds{rules.stabilization_window_seconds})));
  }
  if (pipeline.replicas() < current && observation.observing_since) {
    const seconds hold = std::clamp(seconds{behavior.scale_down.stabilization_window_seconds},
                                    kMinRestartHold, kMaxRestartHold);
    if (now < *observation.observing_since + hold) {
      pipeline.clamp("restartHold", current,
                     fmt::format("the operator's first {} of watching", format_duration(hold)));
    }
  }
  const bool up = pipeline.replicas() > current;
  Limit limit =
      limit_rate(now, current, pipeline.replicas(), behavior, decision.history.scale_events);
  if (limit.replicas != pipeline.replicas()) {
    pipeline.clamp(up ? "scaleUpPolicy" : "scaleDownPolicy", limit.replicas,
                   std::move(limit.policy));
  }
  if (pipeline.replicas() < current && observation.rollout_in_flight) {
    pipeline.clamp("rolloutHold", current, "the rollout in flight");
  }
}

const char* reason_without_clamp(const Combined& combined, std::span<const Signal> signals,
                                 const Decision& decision) {
  if (decision.replicas > decision.from) return "MetricAboveTarget";
  if (decision.replicas < decision.from) return "MetricBelowTarget";
  if (signals.empty()) return "NoMetrics";
  if (combined.usable == 0) return combined.only_waiting ? "WaitingForPods" : "MetricsUnavailable";
  const bool within = std::ranges::all_of(
      signals, [](const Signal& signal) { return !signal.proposal || signal.within_tolerance; });
  return within ? "WithinTolerance" : "NoChangeNeeded";
}

Condition metrics_available(const Combined& combined, std::span<const Signal> signals) {
  Condition condition;
  condition.type = "MetricsAvailable";
  condition.status = ConditionStatus::kTrue;
  if (combined.missing > 0) {
    condition.status = ConditionStatus::kFalse;
    condition.reason = combined.only_waiting  ? "WaitingForPods"
                       : combined.usable == 0 ? "MetricsUnavailable"
                                              : "PartialMetrics";
    condition.message = missing_metrics(signals);
  } else if (signals.empty()) {
    condition.reason = "NoMetrics";
    condition.message = "spec.metrics is empty";
  } else {
    condition.reason = "AllMetricsAvailable";
    condition.message = "every metric has a value";
  }
  return condition;
}

Condition scaling_active(const api::ScalableAppSpec& spec, const Combined& combined,
                         std::span<const Signal> signals) {
  Condition condition;
  condition.type = "ScalingActive";
  condition.status = ConditionStatus::kFalse;
  if (spec.paused) {
    condition.reason = "Paused";
    condition.message = "spec.paused is set: decisions are only reported";
  } else if (spec.dry_run) {
    condition.reason = "DryRun";
    condition.message = "spec.dryRun is set: decisions are only reported";
  } else if (spec.override_replicas) {
    condition.reason = "ManualOverride";
    condition.message = "spec.replicas.override holds the count";
  } else if (combined.usable == 0) {
    condition = metrics_available(combined, signals);
    condition.type = "ScalingActive";
    condition.status = ConditionStatus::kFalse;
  } else {
    condition.status = ConditionStatus::kTrue;
    condition.reason = "ValidMetricFound";
    condition.message =
        fmt::format("{} of {} metrics have a value", combined.usable, signals.size());
  }
  return condition;
}

Condition scaling_limited(const Decision& decision) {
  Condition condition;
  condition.type = "ScalingLimited";
  condition.status = ConditionStatus::kFalse;
  condition.reason = "DesiredWithinRange";
  condition.message = "the count that the metrics need is within the limits";
  for (const Step& step : decision.steps) {
    const ClampReason* clamp = find_clamp(step.name);
    if (clamp == nullptr || !clamp->is_limit) continue;
    condition.status = ConditionStatus::kTrue;
    condition.reason = clamp->reason;
    condition.message = fmt::format("{} instead of {} by {}", step.after, step.before, step.detail);
  }
  return condition;
}

api::MetricStatus to_status(const Signal& signal) {
  const api::MetricSpec& metric = *signal.metric;
  api::MetricStatus status;
  status.name = metric.name;
  status.type = type_name(metric.type);
  status.target = format_value(metric.type, metric.target);
  status.proposed_replicas = signal.proposal;
  status.missing = signal.missing;
  if (signal.value) status.current = format_value(metric.type, *signal.value);
  if (signal.idle) status.current = "idle";
  if (signal.age) {
    status.age_seconds = static_cast<int>(std::chrono::floor<seconds>(*signal.age).count());
  }
  return status;
}

}  // namespace

Decision decide(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                const api::ScalingHistory& history) {
  const int current = observation.current_replicas;
  Decision decision;
  decision.from = current;
  decision.history = history;

  std::vector<Signal> signals;
  signals.reserve(spec.metrics.size());
  decision.metrics.reserve(spec.metrics.size());
  for (const auto& metric : spec.metrics) {
    signals.push_back(
        evaluate(now, spec, metric, find_reading(observation, metric.name), observation));
    decision.metrics.push_back(to_status(signals.back()));
  }

  const Combined combined = combine(current, signals);
  decision.steps.push_back(
      {"metrics", current, combined.proposed,
       fmt::format("{} of {} metrics have a value", combined.usable, signals.size())});
  Pipeline pipeline(decision, combined.proposed);
  if (combined.replicas != combined.proposed && !spec.override_replicas) {
    pipeline.clamp("missingMetrics", combined.replicas,
                   fmt::format("missing metrics: {}", missing_metrics(signals)));
  }
  if (spec.override_replicas) {
    const int held = std::clamp(*spec.override_replicas, 1, std::max(1, spec.max_replicas));
    pipeline.clamp("override", held, "spec.replicas.override");
  }
  decision.history_changed_materially =
      record(now, current, pipeline.replicas(), spec, decision.history.recommendations);
  if (!spec.override_replicas) {
    apply_behavior(now, spec, observation, decision, pipeline);
    if (pipeline.replicas() < spec.min_replicas) {
      pipeline.clamp("minReplicas", spec.min_replicas,
                     fmt::format("the minimum of {}", spec.min_replicas));
    } else if (pipeline.replicas() > spec.max_replicas) {
      pipeline.clamp("maxReplicas", spec.max_replicas,
                     fmt::format("the maximum of {}", spec.max_replicas));
    }
  }
  decision.replicas = pipeline.replicas();

  const int change = spec.paused || spec.dry_run ? 0 : decision.replicas - current;
  record_event(now, change, spec.behavior, decision.history.scale_events);
  decision.history_changed_materially |= change != 0;

  const ClampReason* last = decision.clamps.empty() ? nullptr : find_clamp(decision.clamps.back());
  decision.reason =
      last != nullptr ? last->reason : reason_without_clamp(combined, signals, decision);
  if (decision.reason == "PartialMetrics" && combined.only_waiting)
    decision.reason = "WaitingForPods";
  decision.conditions = {scaling_active(spec, combined, signals), scaling_limited(decision),
                         metrics_available(combined, signals)};
  decision.message = sentence(spec, decision, signals);
  return decision;
}

}  // namespace scalableapp::scaling
