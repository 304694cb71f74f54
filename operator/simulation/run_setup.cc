#include "operator/simulation/run_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "operator/scaling/explain.h"
#include "operator/simulation/columns.h"

namespace scalableapp::simulation {
namespace {

constexpr double kFirstUse = 0.6;
constexpr int kDefaultWait = 30;           // Seconds a job may wait where the spec says nothing.
constexpr double kDefaultServiceTimes = 5;  // A request may take where the spec says nothing.

Result<void> check(const Workload& workload) {
  const auto within = [](const char* name, double value, double low, double high) -> Result<void> {
    if (value >= low && value <= high) return {};
    return fail(ErrorCode::kInvalid,
                fmt::format("workload: {} is {}, must be from {} to {}", name, value, low, high));
  };
  struct Rule {
    const char* name;
    double value, low, high;
  };
  const Rule rules[] = {
      {"service_seconds", workload.service_seconds, 1e-4, 3600},
      {"service_cv", workload.service_cv, 0, 10},
      {"concurrency", static_cast<double>(workload.concurrency), 1, 10000},
      {"queue_limit", static_cast<double>(workload.queue_limit), 0, 1e9},
      {"cpu_seconds_per_request", workload.cpu_seconds_per_request, 0, 3600},
      {"startup_seconds", workload.startup_seconds, 0, 86400},
      {"warmup_seconds", workload.warmup_seconds, 0, 86400},
      {"create_seconds", workload.create_seconds, 0, 3600},
      {"termination_grace_seconds", workload.termination_grace_seconds, 0, 86400},
      {"scrape_seconds", workload.scrape_seconds, 0.5, 300}};
  for (const Rule& rule : rules) {
    const auto ok = within(rule.name, rule.value, rule.low, rule.high);
    if (!ok) return ok;
  }
  return {};
}

Result<void> check(const api::ScalableApp& app) {
  if (!app.problems.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("{}", fmt::join(app.problems, "; ")));
  }
  if (app.spec.min_replicas < 0 || app.spec.max_replicas < std::max(1, app.spec.min_replicas)) {
    return fail(ErrorCode::kInvalid, "spec.replicas: 0 <= min <= max and 1 <= max must hold");
  }
  if (has_metric(app.spec, api::MetricType::kLatency) &&
      has_metric(app.spec, api::MetricType::kQueueLength)) {
    return fail(ErrorCode::kInvalid,
                "spec.metrics: both Latency and QueueLength: a trace is either requests or jobs, "
                "take one of the two away");
  }
  return {};
}

Result<void> check(const Trace& trace) {
  const std::size_t rows = trace.seconds.size();
  if (rows == 0 || trace.requests_per_second.size() != rows) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: has no rows", trace.name));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const bool ascends = i == 0 || trace.seconds[i] > trace.seconds[i - 1];
    if (!ascends || !std::isfinite(trace.seconds[i]) ||
        !(trace.requests_per_second[i] >= 0 && trace.requests_per_second[i] <= 1e6)) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: row {} makes no sense", trace.name, i + 1));
    }
  }
  return {};
}

double first_service_seconds(const Trace& trace, const Workload& workload) {
  const auto factor = trace.columns.find("service_factor");
  return workload.service_seconds * (factor == trace.columns.end() ? 1 : factor->second[0]);
}

}  // namespace

bool has_metric(const api::ScalableAppSpec& spec, api::MetricType type) {
  return std::ranges::any_of(spec.metrics, [&](const auto& metric) { return metric.type == type; });
}

Level level_of(const api::ScalableAppSpec& spec, const Workload& workload) {
  Level level;
  for (const api::MetricSpec& metric : spec.metrics) {
    const bool is_wait = metric.type == api::MetricType::kQueueLength;
    if (!is_wait && metric.type != api::MetricType::kLatency) continue;
    const double target = is_wait ? metric.drain_seconds.value_or(kDefaultWait) : metric.target;
    if (level.seconds > 0 && level.seconds <= target) continue;
    level = {is_wait ? kDefaultQuantile : metric.quantile, target, is_wait, {}};
  }
  if (!(level.seconds > 0)) level.seconds = kDefaultServiceTimes * workload.service_seconds;
  level.text = fmt::format("{:.4g}% of a second's {} within {}", level.quantile * 100,
                           level.is_wait ? "jobs begun" : "requests answered",
                           scaling::format_value(api::MetricType::kLatency, level.seconds));
  return level;
}

Result<void> check_run(const api::ScalableApp& app, const Workload& workload, const Trace& trace) {
  for (const auto& ok : {check(app), check(workload), check(trace), check_columns(trace, app.spec)}) {
    if (!ok) return ok;
  }
  return {};
}

milliseconds in_milliseconds(double seconds) {
  return milliseconds{static_cast<std::int64_t>(std::llround(seconds * 1000))};
}

milliseconds in_ticks(double seconds) {
  return kTick * std::max<std::int64_t>(1, std::llround(seconds * 10));
}

PodTimes times_of(const api::ScalableAppSpec& spec, const Workload& workload) {
  const int gate = spec.readiness.gate ? spec.readiness.min_warm_seconds : 0;
  return {.create = in_milliseconds(workload.create_seconds),
          .startup = in_milliseconds(workload.startup_seconds),
          .warmup = in_milliseconds(workload.warmup_seconds + gate),
          .drain = seconds{spec.drain_seconds},
          .grace = in_milliseconds(workload.termination_grace_seconds)};
}

int initial_replicas(const api::ScalableAppSpec& spec, const Trace& trace, const Workload& workload,
                     Policy policy, int asked_for) {
  const double service = first_service_seconds(trace, workload);
  const double fits =
      std::ceil(trace.requests_per_second[0] * service / (kFirstUse * workload.concurrency) - 1e-9);
  const int wanted = asked_for > 0
                         ? asked_for
                         : static_cast<int>(std::min(fits, static_cast<double>(spec.max_replicas)));
  // Only a queue tells of work while nothing runs; HPA would stay at 0 for ever.
  const bool may_be_zero =
      policy != Policy::kHpa && has_metric(spec, api::MetricType::kQueueLength);
  const int lowest = may_be_zero ? spec.min_replicas : std::max(1, spec.min_replicas);
  return std::clamp(wanted, lowest, spec.max_replicas);
}


double carried_by(int replicas, const Trace& trace, const Workload& workload) {
  return kFirstUse * replicas * workload.concurrency / first_service_seconds(trace, workload);
}

}  // namespace scalableapp::simulation
