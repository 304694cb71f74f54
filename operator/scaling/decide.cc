#include "operator/scaling/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "operator/scaling/combine.h"
#include "operator/scaling/explain.h"
#include "operator/scaling/forecast.h"
#include "operator/scaling/limits.h"
#include "operator/scaling/outliers.h"
#include "operator/scaling/schedule.h"
#include "operator/scaling/signal.h"
#include "operator/scaling/stabilize.h"
#include "operator/scaling/text.h"
#include "operator/scaling/warm_up.h"

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
    {"forecast", "Forecast", false},
    {"missingMetrics", "PartialMetrics", false},
    {"override", "ManualOverride", false},
    {"stabilization", "Stabilizing", false},
    {"restartHold", "Restarted", false},
    {"burst", "Burst", false},
    {"recovery", "Recovering", false},
    {"scaleUpPolicy", "LimitedByPolicy", true},
    {"scaleDownPolicy", "LimitedByPolicy", true},
    {"rolloutHold", "RolloutHold", true},
    {"idle", "WaitingForIdle", false},
    {"scaleToZero", "Idle", false},
    {"minReplicas", "AtMinReplicas", true},
    {"maxReplicas", "AtMaxReplicas", true},
    {"scheduledMin", "Scheduled", true},
    {"scheduledMax", "Scheduled", true},
};
constexpr std::size_t kMostConditions = 7;
// After a fallback the count goes down no faster than this.
const api::ScalingRules kRecoveryRules{.policies = {{api::PolicyType::kPercent, 10, 15}}};
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
    if (!signal.proposal || signal.fallback) {
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

// The memory of each of spec.metrics, in their order; of a metric that is new it is empty.
void align_memory(const api::ScalableAppSpec& spec, std::vector<api::MetricMemory>& memory) {
  const bool aligned = std::ranges::equal(memory, spec.metrics, {}, &api::MetricMemory::name,
                                          &api::MetricSpec::name);
  if (aligned) return;
  std::vector<api::MetricMemory> fresh;
  fresh.reserve(spec.metrics.size());
  for (const auto& metric : spec.metrics) {
    const auto found = std::ranges::find(memory, metric.name, &api::MetricMemory::name);
    fresh.push_back(found != memory.end() ? std::move(*found) : api::MetricMemory{.name = metric.name});
  }
  memory = std::move(fresh);
}

// What a forecast may add: the expected load, believed the less the more such forecasts erred.
struct Prediction {
  int replicas = 0;
  std::string detail;
  double highest_error = 0;
  bool has_forecast = false;
};
Prediction predict(const api::ScalableAppSpec& spec, const Observation& observation,
                   std::span<const Signal> signals) {
  Prediction prediction;
  if (!spec.prediction) return prediction;
  for (const Forecast& forecast : observation.forecasts) {
    const auto signal = std::ranges::find_if(
        signals, [&](const Signal& s) { return s.metric->name == forecast.metric; });
    if (signal == signals.end()) continue;
    prediction.has_forecast = true;
    prediction.highest_error = std::max(prediction.highest_error, forecast.error);
    if (!signal->proposal || signal->fallback || !(signal->load_per_replica > 0)) continue;
    // Without its model a queue's load is its length, which no forecast is about.
    if (signal->metric->drain_seconds && !signal->by_drain) continue;
    const double believed =
        load_with_forecast(signal->load, forecast, spec.prediction->max_error_percent / 100.0);
    if (!(believed > signal->load)) continue;
    const auto count = [&](double each) {
      return each > 0 ? static_cast<int>(std::min(std::ceil(believed / each - 1e-9), 1e6)) : 0;
    };
    // Between what a replica should and what it can carry the count stays, or each guess would change it.
    const int current = observation.current_replicas;
    int needed = count(signal->load_per_replica);
    if (needed > current && count(signal->most_per_replica) <= current) needed = current;
    if (needed <= prediction.replicas) continue;
    prediction.replicas = needed;
    prediction.detail = text_of("the forecast of ", Significant{forecast.expected, 4}, " for ", forecast.metric, " (now ",
                                Significant{signal->load, 4}, "; ", forecast.basis, "; ",
                                Rounded{100 * forecast.error}, "% error so far)");
  }
  return prediction;
}

struct Bounds {
  int min = 0;
  int max = 0;
  std::string min_by, max_by;  // Names of the schedules that set them; empty: the spec.
};
Bounds bounds_of(const api::ScalableAppSpec& spec, const Observation& observation) {
  Bounds bounds{spec.min_replicas, spec.max_replicas, {}, {}};
  const ScheduleBounds scheduled = combine_schedules(observation.schedules);
  if (scheduled.floor && *scheduled.floor > bounds.min) {
    bounds.min = std::min(*scheduled.floor, spec.max_replicas);
    bounds.min_by = scheduled.floor_name;
  }
  if (scheduled.ceiling && *scheduled.ceiling < bounds.max) {
    bounds.max = *scheduled.ceiling;
    bounds.max_by = scheduled.ceiling_name;
  }
  if (bounds.min > bounds.max) {  // The spec's minimum over a schedule's ceiling.
    bounds.max = bounds.min;
    bounds.max_by = bounds.min_by;
  }
  return bounds;
}

// Whether the app may have no pod at all: with min 0, once every metric has been at or under its
// activation threshold for idleSeconds.
bool keep_idle(WallTime now, const api::ScalableAppSpec& spec, std::span<const Signal> signals,
               api::ScalingHistory& history) {
  const bool idle = spec.min_replicas == 0 && !signals.empty() &&
                    std::ranges::all_of(signals, &Signal::is_idle_total);
  if (!idle) {
    history.idle_since.reset();
  } else if (!history.idle_since || *history.idle_since > now) {
    history.idle_since = now;
  }
  return idle && now >= *history.idle_since + seconds{spec.idle_seconds};
}

// Keeps when a burst was last asked for; whether the app is in one.
// Measured, as Knative does, by the pods that serve: those that start do not help yet.
bool keep_burst(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                int recommended, api::ScalingHistory& history) {
  if (!spec.burst) {
    history.burst_over.reset();
    return false;
  }
  const std::int64_t serving = std::ranges::count_if(observation.pods, &PodState::serving);
  if (!spec.override_replicas && recommended > observation.current_replicas && recommended > serving &&
      100 * std::int64_t{recommended} >= std::int64_t{spec.burst->threshold_percent} * std::max<std::int64_t>(1, serving)) {
    history.burst_over = now;
  }
  if (!history.burst_over) return false;
  history.burst_over = std::min(*history.burst_over, now);
  if (now < *history.burst_over + seconds{spec.burst->window_seconds}) return true;
  history.burst_over.reset();
  return false;
}

// Whether something has begun or ended that a restart must not forget.
bool is_new(const api::ScalingHistory& before, const api::ScalingHistory& after) {
  return before.burst_over.has_value() != after.burst_over.has_value() ||
         before.idle_since.has_value() != after.idle_since.has_value() ||
         !std::ranges::equal(before.metrics, after.metrics, [](const auto& a, const auto& b) {
           return a.missing_since.has_value() == b.missing_since.has_value() &&
                  a.fallback_ended == b.fallback_ended && a.not_capacity_bound == b.not_capacity_bound;
         });
}

bool is_recovering(WallTime now, const api::ScalableAppSpec& spec, const api::ScalingHistory& history) {
  const seconds window{2 * std::max(60, spec.behavior.scale_down.stabilization_window_seconds)};
  return std::ranges::any_of(history.metrics, [&](const auto& memory) {
    return memory.fallback_ended && now < *memory.fallback_ended + window;
  });
}

// The time of the hold of a process that has just begun; zero once it is over.
seconds restart_hold(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation) {
  const seconds hold = std::clamp(seconds{spec.behavior.scale_down.stabilization_window_seconds},
                                  kMinRestartHold, kMaxRestartHold);
  const bool lasts = observation.observing_since && now < *observation.observing_since + hold;
  return lasts ? hold : seconds{0};
}

void hold_down(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
               bool in_burst, Pipeline& pipeline) {
  const int current = observation.current_replicas;
  if (pipeline.replicas() >= current) return;
  if (const seconds hold = restart_hold(now, spec, observation); hold > seconds{0}) {
    pipeline.clamp("restartHold", current,
                   fmt::format("the operator's first {} of watching", format_duration(hold)));
    return;
  }
  if (in_burst) {
    pipeline.clamp("burst", current,
                   fmt::format("a burst to be {} ago", format_duration(seconds{spec.burst->window_seconds})));
  }
}

void apply_behavior(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                    bool in_burst, Decision& decision, Pipeline& pipeline) {
  const int current = observation.current_replicas;
  const api::Behavior& behavior = spec.behavior;
  const auto& events = decision.history.scale_events;
  // A burst does not wait for an upward window either.
  const int stable = in_burst && pipeline.replicas() > current
                         ? pipeline.replicas()
                         : stabilize(now, current, behavior, decision.history.recommendations);
  if (stable != pipeline.replicas()) {
    const auto& rules = pipeline.replicas() > current ? behavior.scale_up : behavior.scale_down;
    pipeline.clamp("stabilization", stable,
                   fmt::format("the {} stabilization window",
                               format_duration(seconds{rules.stabilization_window_seconds})));
  }
  hold_down(now, spec, observation, in_burst, pipeline);
  const bool up = pipeline.replicas() > current;
  if (!up && pipeline.replicas() < current && is_recovering(now, spec, decision.history)) {
    // What the fallback added is no count to go back to at once.
    std::vector<api::ScaleEvent> lowered;
    std::ranges::copy_if(events, std::back_inserter(lowered), [](const auto& event) { return event.change < 0; });
    const Limit limit = limit_rate(now, current, pipeline.replicas(), {.scale_down = kRecoveryRules}, lowered);
    if (limit.replicas != pipeline.replicas()) {
      pipeline.clamp("recovery", limit.replicas, "the recovery after a fallback, 10%/15s");
    }
  }
  const bool is_free = up && in_burst && behavior.scale_up.select_policy != api::SelectPolicy::kDisabled;
  Limit limit = limit_rate(now, current, pipeline.replicas(), behavior, events);
  if (limit.replicas != pipeline.replicas() && !is_free) {
    pipeline.clamp(up ? "scaleUpPolicy" : "scaleDownPolicy", limit.replicas,
                   std::move(limit.policy));
  }
  if (pipeline.replicas() < current && observation.rollout_in_flight) {
    pipeline.clamp("rolloutHold", current, "the rollout in flight");
  }
}

// To zero and back from it, and the bounds, which always hold.
void apply_bounds(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                  bool may_be_zero, bool in_burst, Pipeline& pipeline) {
  const int current = observation.current_replicas;
  const Bounds bounds = bounds_of(spec, observation);
  const bool is_held = observation.rollout_in_flight || in_burst ||
                       restart_hold(now, spec, observation) > seconds{0};
  if (bounds.min == 0 && current > 0) {
    if (may_be_zero && !is_held && pipeline.replicas() != 0) {
      pipeline.clamp("scaleToZero", 0,
                     fmt::format("being idle for {}", format_duration(seconds{spec.idle_seconds})));
    } else if (!may_be_zero && pipeline.replicas() == 0) {
      pipeline.clamp("idle", 1, fmt::format("{} of being idle", format_duration(seconds{spec.idle_seconds})));
    }
  }
  if (pipeline.replicas() < bounds.min) {
    if (bounds.min_by.empty()) {
      pipeline.clamp("minReplicas", bounds.min, fmt::format("the minimum of {}", bounds.min));
    } else {
      pipeline.clamp("scheduledMin", bounds.min,
                     fmt::format("the minimum of {} of schedule {}", bounds.min, bounds.min_by));
    }
  } else if (pipeline.replicas() > bounds.max) {
    if (bounds.max_by.empty()) {
      pipeline.clamp("maxReplicas", bounds.max, fmt::format("the maximum of {}", bounds.max));
    } else {
      pipeline.clamp("scheduledMax", bounds.max,
                     fmt::format("the maximum of {} of schedule {}", bounds.max, bounds.max_by));
    }
  }
}

const char* reason_without_clamp(const Combined& combined, std::span<const Signal> signals,
                                 const Decision& decision) {
  if (decision.replicas > decision.from) {
    return decision.in_burst ? "Burst" : "MetricAboveTarget";
  }
  if (decision.replicas < decision.from) return "MetricBelowTarget";
  if (signals.empty()) return "NoMetrics";
  if (combined.usable == 0) return combined.only_waiting ? "WaitingForPods" : "MetricsUnavailable";
  const bool within = std::ranges::all_of(
      signals, [](const Signal& signal) { return !signal.proposal || signal.within_tolerance; });
  return within ? "WithinTolerance" : "NoChangeNeeded";
}

// Adds the conditions one after the other.
class Conditions {
 public:
  explicit Conditions(std::vector<Condition>& conditions) : conditions_(conditions) { conditions.reserve(kMostConditions); }
  void add(const char* type, bool holds, const char* reason, std::string message) {
    // By parentheses, with every field: gcc 12 clears the whole object first where braces leave one out.
    conditions_.emplace_back(type, holds ? ConditionStatus::kTrue : ConditionStatus::kFalse, 0, WallTime{}, reason,
                             std::move(message));
  }

 private:
  std::vector<Condition>& conditions_;
};

const char* reason_for_missing(const Combined& combined) {
  return combined.only_waiting ? "WaitingForPods" : combined.usable == 0 ? "MetricsUnavailable" : "PartialMetrics";
}

void add_metrics_available(const Combined& combined, std::span<const Signal> signals, Conditions& conditions) {
  constexpr const char* kType = "MetricsAvailable";
  if (combined.missing > 0) {
    conditions.add(kType, false, reason_for_missing(combined), missing_metrics(signals));
  } else if (signals.empty()) {
    conditions.add(kType, true, "NoMetrics", "spec.metrics is empty");
  } else {
    conditions.add(kType, true, "AllMetricsAvailable", "every metric has a value");
  }
}

void add_scaling_active(const api::ScalableAppSpec& spec, const Decision& decision, const Combined& combined,
                        std::span<const Signal> signals, Conditions& conditions) {
  constexpr const char* kType = "ScalingActive";
  if (spec.paused) {
    conditions.add(kType, false, "Paused", "spec.paused is set: decisions are only reported");
  } else if (spec.dry_run) {
    conditions.add(kType, false, "DryRun", "spec.dryRun is set: decisions are only reported");
  } else if (spec.override_replicas) {
    conditions.add(kType, false, "ManualOverride", "spec.replicas.override holds the count");
  } else if (signals.empty()) {
    conditions.add(kType, false, "NoMetrics", "spec.metrics is empty");
  } else if (combined.usable == 0) {
    conditions.add(kType, false, reason_for_missing(combined), missing_metrics(signals));
  } else {
    conditions.add(kType, true, "ValidMetricFound", decision.steps.front().detail);
  }
}

void add_scaling_limited(const Decision& decision, Conditions& conditions) {
  constexpr const char* kType = "ScalingLimited";
  const Step* limit = nullptr;
  const char* reason = nullptr;
  for (const Step& step : std::span(decision.steps).subspan(1)) {  // After "metrics".
    const ClampReason* clamp = find_clamp(step.name);
    if (clamp == nullptr || !clamp->is_limit) continue;
    limit = &step;
    reason = clamp->reason;
  }
  if (limit == nullptr) {
    conditions.add(kType, false, "DesiredWithinRange", "the count that the metrics need is within the limits");
  } else {
    conditions.add(kType, true, reason,
                   text_of(limit->after, " instead of ", limit->before, " by ", limit->detail));
  }
}

void add_not_capacity_bound(std::span<const Signal> signals, Conditions& conditions) {
  constexpr const char* kType = "LatencyNotCapacityBound";
  const auto bound = std::ranges::find_if(signals.rbegin(), signals.rend(), &Signal::not_capacity_bound);
  if (bound == signals.rend()) {
    conditions.add(kType, false, "CapacityHelps", "nothing says that more replicas would not help");
    return;
  }
  const api::MetricSpec& metric = *bound->metric;
  conditions.add(kType, true, "ReplicasDoNotHelp",
                 text_of(metric.name, " stays over its target of ", format_value(metric.type, metric.target),
                         " though replicas were added and each has less to do: look at what the app waits for; "
                         "no more are added"));
}

void add_prediction_active(const api::ScalableAppSpec& spec, const Prediction& prediction, Conditions& conditions) {
  constexpr const char* kType = "PredictionActive";
  const Rounded percent{100 * prediction.highest_error};
  const int most_percent = spec.prediction->max_error_percent;
  if (!prediction.has_forecast) {
    conditions.add(kType, false, "NoForecast", "there is no history to forecast from yet");
  } else if (percent.value >= most_percent) {
    conditions.add(kType, false, "ErrorTooHigh",
                   text_of("forecasts were off by ", percent, "%, at ", most_percent, "% they have no say"));
  } else {
    conditions.add(kType, true, "ForecastsHold", text_of("forecasts were off by ", percent, "%"));
  }
}

void add_pod_outliers(const std::vector<Outlier>& outliers, Conditions& conditions) {
  constexpr const char* kType = "PodOutliers";
  if (outliers.empty()) {
    conditions.add(kType, false, "NoOutliers", "no pod is much slower or fails more often than the others");
    return;
  }
  std::string message;
  for (const Outlier& outlier : outliers) {
    append(message, message.empty() ? "" : "; ", outlier.pod, ": ", outlier.why);
  }
  conditions.add(kType, true, "OutliersFound", std::move(message));
}

void add_scaled_to_zero(const api::ScalableAppSpec& spec, const Decision& decision, Conditions& conditions) {
  constexpr const char* kType = "ScaledToZero";
  if (decision.replicas == 0) {
    conditions.add(kType, true, "Idle",
                   "there is nothing to do; the first thing over an activation threshold starts a pod");
  } else {
    conditions.add(kType, false, "NotIdle",
                   text_of("idle for ", format_duration(seconds{spec.idle_seconds}), " in a row takes the app to zero"));
  }
}

void add_status(const Signal& signal, std::vector<api::MetricStatus>& statuses) {
  const api::MetricSpec& metric = *signal.metric;
  std::string current;
  if (signal.idle) {
    current = "idle";
  } else if (signal.value) {
    current = format_value(metric.type, *signal.value);
  }
  std::optional<int> age_seconds;
  if (signal.age) age_seconds = static_cast<int>(std::chrono::floor<seconds>(*signal.age).count());
  statuses.emplace_back(metric.name, type_name(metric.type), std::move(current),
                        format_value(metric.type, metric.target), signal.proposal, age_seconds, signal.missing);
}

}  // namespace

Decision decide(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                const api::ScalingHistory& history) {
  const int current = observation.current_replicas;
  Decision decision;
  decision.from = current;
  decision.history = history;
  align_memory(spec, decision.history.metrics);
  for (auto& memory : decision.history.metrics) {  // The clock was set back.
    for (auto* time : {&memory.fallback_ended, &memory.learned_until, &memory.trial_since}) {
      if (*time && **time > now) *time = now;
    }
  }
  learn_warm_up(now, observation, decision.history);
  decision.outliers = find_outliers(now, spec, observation);
  std::vector<std::string_view> outliers;
  for (const Outlier& outlier : decision.outliers) outliers.emplace_back(outlier.pod);

  std::vector<Signal> signals;
  signals.reserve(spec.metrics.size());
  decision.metrics.reserve(spec.metrics.size());
  for (std::size_t i = 0; i < spec.metrics.size(); ++i) {
    const api::MetricSpec& metric = spec.metrics[i];
    signals.push_back(evaluate(now, spec, metric, find_reading(observation, metric.name), observation,
                               outliers, decision.history.warm_up_seconds,
                               decision.history.metrics[i]));
    add_status(signals.back(), decision.metrics);
  }

  const Combined combined = combine(current, signals);
  decision.steps.push_back(
      {"metrics", current, combined.proposed, text_of(combined.usable, " of ", signals.size(), " metrics have a value")});
  Pipeline pipeline(decision, combined.proposed);
  const Prediction prediction = predict(spec, observation, signals);
  if (prediction.replicas > pipeline.replicas() && !spec.override_replicas) {
    pipeline.clamp("forecast", prediction.replicas, prediction.detail);
  }
  if (combined.missing > 0 && pipeline.replicas() < current && !spec.override_replicas) {
    pipeline.clamp("missingMetrics", current,
                   fmt::format("missing metrics: {}", missing_metrics(signals)));
  }
  if (spec.override_replicas) {
    const int held = std::clamp(*spec.override_replicas, 1, std::max(1, spec.max_replicas));
    pipeline.clamp("override", held, "spec.replicas.override");
  }
  decision.history_changed_materially =
      record(now, current, pipeline.replicas(), spec, decision.history.recommendations);
  const bool may_be_zero = keep_idle(now, spec, signals, decision.history);
  decision.in_burst = keep_burst(now, spec, observation, pipeline.replicas(), decision.history);
  if (!spec.override_replicas) {
    apply_behavior(now, spec, observation, decision.in_burst, decision, pipeline);
    apply_bounds(now, spec, observation, may_be_zero, decision.in_burst, pipeline);
  }
  decision.replicas = pipeline.replicas();

  const int change = spec.paused || spec.dry_run ? 0 : decision.replicas - current;
  record_event(now, change, spec.behavior, decision.history.scale_events);
  decision.history_changed_materially |= change != 0 || is_new(history, decision.history);

  const ClampReason* last = decision.clamps.empty() ? nullptr : find_clamp(decision.clamps.back());
  decision.reason =
      last != nullptr ? last->reason : reason_without_clamp(combined, signals, decision);
  if (decision.reason == "PartialMetrics" && combined.only_waiting)
    decision.reason = "WaitingForPods";
  Conditions conditions(decision.conditions);
  add_scaling_active(spec, decision, combined, signals, conditions);
  add_scaling_limited(decision, conditions);
  add_metrics_available(combined, signals, conditions);
  if (std::ranges::any_of(spec.metrics, [](const auto& metric) {
        return metric.type == api::MetricType::kLatency && metric.query.empty();
      })) {
    add_not_capacity_bound(signals, conditions);
    add_pod_outliers(decision.outliers, conditions);
  }
  if (spec.prediction) add_prediction_active(spec, prediction, conditions);
  if (spec.min_replicas == 0) add_scaled_to_zero(spec, decision, conditions);
  decision.message = sentence(spec, decision, signals);
  return decision;
}

}  // namespace scalableapp::scaling
