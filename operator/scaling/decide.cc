#include "operator/scaling/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "operator/scaling/brownout.h"
#include "operator/scaling/clamps.h"
#include "operator/scaling/combine.h"
#include "operator/scaling/conditions.h"
#include "operator/scaling/expected_load.h"
#include "operator/scaling/explain.h"
#include "operator/scaling/limits.h"
#include "operator/scaling/outliers.h"
#include "operator/scaling/prediction.h"
#include "operator/scaling/schedule.h"
#include "operator/scaling/signal.h"
#include "operator/scaling/stabilize.h"
#include "operator/scaling/text.h"
#include "operator/scaling/warm_up.h"

namespace scalableapp::scaling {
namespace {

// After a fallback the count goes down no faster than this.
const api::ScalingRules kRecoveryRules{.policies = {{api::PolicyType::kPercent, 10, 15}}};
const MetricReading* find_reading(const Observation& observation, std::string_view name) {
  const auto found = std::ranges::find(observation.readings, name, &MetricReading::name);
  return found == observation.readings.end() ? nullptr : &*found;
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

// Another version takes another time for a request, which is measured anew; what it can do at a time
// is taken to be the same until it is seen to be otherwise.
void meet_revision(const std::string& revision, api::ScalingHistory& history) {
  if (revision.empty() || revision == history.revision) return;
  if (!history.revision.empty()) {
    for (api::MetricMemory& memory : history.metrics) memory.service_seconds = memory.quantile_seconds = 0;
  }
  history.revision = revision;
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

// Whether spec.replicas.override has the last word.
bool is_held(WallTime now, const api::ScalableAppSpec& spec) {
  return spec.override_replicas && !(spec.override_until && now >= *spec.override_until);
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
  if (!is_held(now, spec) && recommended > observation.current_replicas && recommended > serving &&
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
         before.brownout.level != after.brownout.level || before.expected_load != after.expected_load ||
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
                  const Bounds& bounds, bool may_be_zero, bool in_burst, Pipeline& pipeline) {
  const int current = observation.current_replicas;
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
  meet_revision(observation.revision, decision.history);
  meet_lower_level(now, spec, decision.history);
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

  const bool held = is_held(now, spec);
  const Combined combined = combine(current, signals);
  decision.steps.push_back(
      {"metrics", current, combined.proposed, text_of(combined.usable, " of ", signals.size(), " metrics have a value")});
  Pipeline pipeline(decision, combined.proposed);
  const Prediction prediction = predict(spec, observation, signals);
  if (prediction.replicas > pipeline.replicas() && !held) {
    pipeline.clamp("forecast", prediction.replicas, prediction.detail);
  }
  const ExpectedFloor expected =
      keep_expected_load(now, observation.expected_load, combined.replicas, decision.history.expected_load);
  if (expected.replicas > pipeline.replicas() && !held) {
    pipeline.clamp("expectedLoad", expected.replicas, expected.detail);
  }
  if (combined.missing > 0 && pipeline.replicas() < current && !held) {
    pipeline.clamp("missingMetrics", current,
                   "missing metrics: " + missing_metrics(signals));
  }
  if (held) {
    const int count = std::clamp(*spec.override_replicas, 1, std::max(1, spec.max_replicas));
    pipeline.clamp("override", count, "spec.replicas.override" + end_of_hold(spec));
  }
  decision.history_changed_materially =
      record(now, current, pipeline.replicas(), spec, decision.history.recommendations);
  const bool may_be_zero = keep_idle(now, spec, signals, decision.history);
  decision.in_burst = keep_burst(now, spec, observation, pipeline.replicas(), decision.history);
  const Bounds bounds = bounds_of(spec, observation);
  if (!held) {
    apply_behavior(now, spec, observation, decision.in_burst, decision, pipeline);
    apply_bounds(now, spec, observation, bounds, may_be_zero, decision.in_burst, pipeline);
  }
  decision.replicas = pipeline.replicas();
  keep_brownout(now, spec, observation, signals, decision.replicas, held ? decision.replicas : bounds.max,
                decision.history.brownout);

  const int change = spec.paused || spec.dry_run ? 0 : decision.replicas - current;
  record_event(now, change, spec.behavior, decision.history.scale_events);
  decision.history_changed_materially |= change != 0 || is_new(history, decision.history);

  const ClampReason* last = decision.clamps.empty() ? nullptr : find_clamp(decision.clamps.back());
  decision.reason =
      last != nullptr ? last->reason : reason_without_clamp(combined, signals, decision);
  if (decision.reason == "PartialMetrics" && combined.only_waiting)
    decision.reason = "WaitingForPods";
  add_conditions(spec, combined, signals, prediction, decision);
  if (!observation.expected_load.empty()) {
    decision.conditions.push_back(expected_load_condition(expected, bounds.max));
  }
  decision.message = sentence(spec, decision, signals);
  return decision;
}

}  // namespace scalableapp::scaling
