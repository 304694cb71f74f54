#include "operator/scaling/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "operator/scaling/brownout.h"
#include "operator/scaling/clamps.h"
#include "operator/scaling/explain.h"
#include "operator/scaling/text.h"

namespace scalableapp::scaling {
namespace {

using api::Condition;
using api::ConditionStatus;

constexpr std::size_t kMostConditions = 8;

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
  } else if (decision.steps.back().name == "override") {
    conditions.add(kType, false, "ManualOverride", "spec.replicas.override holds the count" + end_of_hold(spec));
  } else if (signals.empty()) {
    conditions.add(kType, false, "NoMetrics", "spec.metrics is empty");
  } else if (combined.usable == 0) {
    conditions.add(kType, false, reason_for_missing(combined), missing_metrics(signals));
  } else {
    // `kubectl scale` sets a count without looking for an end that has passed.
    const std::string ended = spec.override_replicas ? "; spec.replicas.override has held" + end_of_hold(spec) : "";
    conditions.add(kType, true, "ValidMetricFound", decision.steps.front().detail + ended);
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

}  // namespace

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

void add_conditions(const api::ScalableAppSpec& spec, const Combined& combined,
                    std::span<const Signal> signals, const Prediction& prediction, Decision& decision) {
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
  if (spec.brownout) decision.conditions.push_back(brownout_condition(*spec.brownout, decision.history.brownout));
}

}  // namespace scalableapp::scaling
