#include "operator/rollout/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "operator/rollout/analysis_evidence.h"
#include "operator/rollout/fisher.h"

namespace scalableapp::rollout {
namespace {

using api::AnalysisMetric;
using api::AnalysisMetricStatus;
using api::AnalysisMetricType;
using api::Verdict;

// So often in a row a Prometheus metric may have no value; the counts of requests as often as good
// measurements are wanted, and some more.
constexpr int kMissingValues = 4;
constexpr int kMissingCountsMore = 2;

// What one measurement says of one metric.
struct Look {
  Verdict verdict = Verdict::kNone;
  std::string value;
  bool is_missing = false;
  bool is_doubtful = false;  // Too much, but it may be chance: neither good nor bad.
};
Look missing(std::string why) { return {.value = std::move(why), .is_missing = true}; }
// `requests`: of the updated revision. With so many the last doubt is in its favour.
Look compared(bool is_more, bool is_unlikely, double requests, std::string value,
              std::string_view doubt = "may be chance") {
  if (!is_more || is_unlikely) {
    return {.verdict = is_more ? Verdict::kFailed : Verdict::kSuccessful, .value = std::move(value)};
  }
  const bool is_doubtful = requests < kMostRequests / 2;
  return {.verdict = is_doubtful ? Verdict::kNone : Verdict::kSuccessful,
          .value = fmt::format("{} ({})", value, doubt),
          .is_doubtful = is_doubtful};
}

struct Side {
  double hits = 0;
  double requests = 0;
  double share() const { return hits / requests; }
};

// `tests`: as one of so many that are made in a look.
bool is_significant(const Side& updated, const Side& stable, int looks_before, int tests = 1) {
  const auto tally = [](const Side& side) {
    const std::int64_t tries = std::llround(std::clamp(side.requests, 0.0, 1e9));
    return Tally{.hits = std::llround(std::clamp(side.hits, 0.0, static_cast<double>(tries))), .tries = tries};
  };
  const double n = looks_before + 1;
  const double level = kFalseAlarms * 6 / (std::numbers::pi * std::numbers::pi * n * n);
  return fisher_more(tally(updated), tally(stable)) <= level / tests;
}

std::string percent(double share) { return fmt::format("{:.3g}%", share * 100); }
std::string time_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.3g}ms", seconds * 1000) : fmt::format("{:.3g}s", seconds);
}
std::string requests_text(double count) { return fmt::format("{:.0f}", count); }

bool cannot_be_compared(const Measurement& measurement) {
  return measurement.is_short_of_pods && (measurement.updated.requests <= 0 || measurement.stable.requests <= 0);
}

// What stands in the way of judging by counts; nothing if nothing does.
std::optional<Look> why_not_yet(const api::Analysis& analysis, const Measurement& measurement, double updated,
                                double stable) {
  if (const auto why = measurement.missing.find(""); why != measurement.missing.end()) return missing(why->second);
  const auto of_them = [&](double count) {
    return fmt::format("{} of {} requests", requests_text(std::floor(count)), analysis.min_requests);
  };
  const int least = std::max(analysis.min_requests, 1);
  if (updated < least) return Look{.value = of_them(updated)};
  if (stable < least) {
    Look look{.value = "stable " + of_them(stable)};
    look.is_missing = measurement.updated.requests > 0 && measurement.stable.requests <= 0;  // It has no more to come.
    return look;
  }
  if (measurement.updated.requests <= 0) return Look{.value = "no new requests"};
  if (cannot_be_compared(measurement)) return Look{.value = "too few pods for the load, and stable has no traffic"};
  return std::nullopt;
}

Look look_at_errors(const api::Analysis& analysis, const AnalysisMetric& metric, const Measurement& measurement,
                    const api::AnalysisStatus& status, int looks_before) {
  const Side updated{status.updated.errors, status.updated.requests};
  const Side stable{status.stable.errors, status.stable.requests};
  if (auto look = why_not_yet(analysis, measurement, updated.requests, stable.requests)) return *look;
  const bool is_more = (updated.share() - stable.share()) * 100 >= metric.max_increase;
  return compared(is_more, is_significant(updated, stable, looks_before), updated.requests,
                  fmt::format("{} of {} requests, stable {} of {}", percent(updated.share()),
                              requests_text(updated.requests), percent(stable.share()),
                              requests_text(stable.requests)));
}

// Of the measurement alone; `stable_seconds` stands for the stable revision where it had no traffic.
bool is_slower_now(const AnalysisMetric& metric, const Measurement& measurement, double stable_seconds) {
  const auto updated = histogram_quantile(metric.quantile, measurement.bounds, measurement.updated.buckets);
  const auto stable = histogram_quantile(metric.quantile, measurement.bounds, measurement.stable.buckets);
  return !updated || *updated >= measurement.bounds.back() ||
         *updated > stable.value_or(stable_seconds) * (1 + metric.max_increase / 100);
}

Look look_at_latency(const api::Analysis& analysis, const AnalysisMetric& metric, const Measurement& measurement,
                     const api::AnalysisStatus& status, int looks_before) {
  const std::vector<double>& bounds = status.bounds;
  const auto sum = [](const std::vector<double>& buckets) {
    return std::accumulate(buckets.begin(), buckets.end(), 0.0);
  };
  const double updated_requests = sum(status.updated.buckets), stable_requests = sum(status.stable.buckets);
  if (const auto why = measurement.missing.find(metric.name); why != measurement.missing.end()) {
    return missing(why->second);
  }
  if (measurement.is_short_of_pods) return Look{.value = "too few pods for the load"};
  if (auto look = why_not_yet(analysis, measurement, updated_requests, stable_requests)) return *look;

  const std::size_t last = bounds.size() - 1;
  const double allowed = 1 + metric.max_increase / 100;
  const auto slower = [&](std::size_t bound) {
    return std::pair<Side, Side>{{slower_than(bound, status.updated.buckets), updated_requests},
                                 {slower_than(bound, status.stable.buckets), stable_requests}};
  };
  const auto [updated_beyond, stable_beyond] = slower(last);
  if (stable_beyond.share() > 1 - metric.quantile) {
    // Of the quantile nothing is known: the share of what is that slow stands for it.
    return compared(updated_beyond.share() > stable_beyond.share() * allowed,
                    is_significant(updated_beyond, stable_beyond, looks_before), updated_requests,
                    fmt::format("{} of {} requests over {}, the histogram's last bound, stable {} of {}",
                                percent(updated_beyond.share()), requests_text(updated_requests),
                                time_text(bounds[last]), percent(stable_beyond.share()),
                                requests_text(stable_requests)));
  }
  const double updated_seconds = *histogram_quantile(metric.quantile, bounds, status.updated.buckets);
  const double stable_seconds = *histogram_quantile(metric.quantile, bounds, status.stable.buckets);
  const bool is_beyond = updated_beyond.share() > 1 - metric.quantile;
  const auto bucket_of = [&](double seconds) {
    return static_cast<std::size_t>(std::ranges::lower_bound(bounds, seconds) - bounds.begin());
  };
  const auto is_unlikely = [&](std::size_t bound) {
    const auto [updated, stable] = slower(bound);
    return is_significant(updated, stable, looks_before, 2);
  };
  const std::size_t bucket = bucket_of(stable_seconds);
  const bool is_same_bucket = !is_beyond && bucket_of(updated_seconds) == bucket;
  std::string doubt = "may be chance";
  if (is_same_bucket) {
    doubt += fmt::format(": the histogram has no bound between {} and {}",
                         time_text(bucket > 0 ? bounds[bucket - 1] : 0), time_text(bounds[bucket]));
  }
  const bool is_so_now = is_slower_now(metric, measurement, stable_seconds);
  if (!is_so_now) doubt = "not in the last interval";
  return compared(is_beyond || updated_seconds > stable_seconds * allowed,
                  is_so_now && (is_unlikely(bucket) || (is_same_bucket && bucket > 0 && is_unlikely(bucket - 1))),
                  updated_requests,
                  fmt::format("p{:.4g} {}{} of {} requests, stable {} of {}", metric.quantile * 100,
                              is_beyond ? "over " : "", time_text(updated_seconds), requests_text(updated_requests),
                              time_text(stable_seconds), requests_text(stable_requests)),
                  doubt);
}

Look look_at_value(const AnalysisMetric& metric, const Measurement& measurement) {
  const auto value = measurement.values.find(metric.name);
  if (value == measurement.values.end() || !std::isfinite(value->second)) {
    const auto why = measurement.missing.find(metric.name);
    return missing(why == measurement.missing.end() ? "no value" : why->second);
  }
  Look look{.verdict = Verdict::kSuccessful, .value = fmt::format("{:.6g}", value->second)};
  if (!metric.failure.is_unbounded() && metric.failure.contains(value->second)) {
    look.verdict = Verdict::kFailed;
  } else if (!metric.success.contains(value->second)) {
    look.verdict = metric.failure.is_unbounded() ? Verdict::kFailed : Verdict::kInconclusive;
  }
  return look;
}

Look look_at(const api::Analysis& analysis, const AnalysisMetric& metric, const Measurement& measurement,
             const api::AnalysisStatus& status, int looks_before) {
  switch (metric.type) {
    case AnalysisMetricType::kErrorRate:
      return look_at_errors(analysis, metric, measurement, status, looks_before);
    case AnalysisMetricType::kLatency:
      return look_at_latency(analysis, metric, measurement, status, looks_before);
    case AnalysisMetricType::kRestarts:
      return {.verdict = measurement.restarts > metric.max_restarts ? Verdict::kFailed : Verdict::kSuccessful,
              .value = fmt::format("{} restart{}", measurement.restarts, measurement.restarts == 1 ? "" : "s")};
    case AnalysisMetricType::kPrometheus:
      return look_at_value(metric, measurement);
  }
  return {};
}

void note(AnalysisMetricType type, Look look, AnalysisMetricStatus& status) {
  status.value = std::move(look.value);
  const bool was_suspected = std::exchange(status.is_suspected, false);
  if (type == AnalysisMetricType::kLatency && look.verdict == Verdict::kFailed && !was_suspected) {
    status.is_suspected = look.is_doubtful = true;
    status.value += " (once more, to be sure)";
  }
  status.missing_in_a_row = look.is_missing ? status.missing_in_a_row + 1 : 0;
  if (look.verdict == Verdict::kNone && !look.is_doubtful) return;
  ++status.measurements;  // Whatever it says, it had its chance to be a false alarm.
  if (look.is_doubtful) return;
  status.last = look.verdict;
  status.successful += look.verdict == Verdict::kSuccessful;
  status.failed += look.verdict == Verdict::kFailed;
  status.inconclusive += look.verdict == Verdict::kInconclusive;
}

// With those that are missing for longer than one may be patient.
int inconclusive_of(const api::Analysis& analysis, const AnalysisMetric& metric, const AnalysisMetricStatus& status) {
  const int patience =
      metric.type == AnalysisMetricType::kPrometheus ? kMissingValues : analysis.count + kMissingCountsMore;
  return status.inconclusive + std::max(status.missing_in_a_row - patience, 0);
}

std::string range_text(const api::Range& range) {
  if (range.at_least && range.at_most) return fmt::format("from {:.6g} to {:.6g}", *range.at_least, *range.at_most);
  return range.at_least ? fmt::format("at least {:.6g}", *range.at_least)
                        : fmt::format("at most {:.6g}", range.at_most.value_or(0));
}
// What a good value is.
std::string wanted(const AnalysisMetric& metric) {
  switch (metric.type) {
    case AnalysisMetricType::kErrorRate:
      return fmt::format("should be less than {:.3g} percentage points above stable", metric.max_increase);
    case AnalysisMetricType::kLatency:
      return fmt::format("should be at most {:.3g}% above stable", metric.max_increase);
    case AnalysisMetricType::kRestarts:
      return fmt::format("should be at most {}", metric.max_restarts);
    case AnalysisMetricType::kPrometheus:
      return metric.success.is_unbounded() ? fmt::format("should not be {}", range_text(metric.failure))
                                           : fmt::format("should be {}", range_text(metric.success));
  }
  return {};
}
std::string complaint(const AnalysisMetric& metric, const AnalysisMetricStatus& status, int count, int limit,
                      std::string_view limit_name) {
  return fmt::format("{}: {}; {}{}", metric.name, status.value, wanted(metric),
                     limit > 0 ? fmt::format(" ({} such measurements, {} {})", count, limit_name, limit) : "");
}

}  // namespace

WallTime next_measurement(const api::Analysis& analysis, const api::AnalysisStatus& status, WallTime now) {
  return status.measured_at ? *status.measured_at + seconds{analysis.interval_seconds} : now;
}

bool is_short_of_pods(WallTime now, const api::Analysis& analysis, const api::ScalingHistory& history, int missing) {
  const WallTime since = now - 2 * seconds{analysis.interval_seconds};
  return missing > 0 || (history.burst_over && *history.burst_over > since) ||
         std::ranges::any_of(history.scale_events,
                             [&](const api::ScaleEvent& event) { return event.change > 0 && event.time > since; });
}

api::AnalysisStatus measure(const api::Analysis& analysis, const Measurement& measurement,
                            api::AnalysisStatus status) {
  const auto soonest = milliseconds{900} * analysis.interval_seconds;
  if (status.measured_at && measurement.at < *status.measured_at + soonest) return status;
  status.measured_at = measurement.at;
  if (!cannot_be_compared(measurement)) add_counts(measurement, status);
  std::vector<AnalysisMetricStatus> metrics;
  for (const AnalysisMetric& metric : analysis.metrics) {
    const auto known = std::ranges::find(status.metrics, metric.name, &AnalysisMetricStatus::name);
    AnalysisMetricStatus& own =
        metrics.emplace_back(known == status.metrics.end() ? AnalysisMetricStatus{.name = metric.name} : *known);
    note(metric.type, look_at(analysis, metric, measurement, status, own.measurements), own);
  }
  status.metrics = std::move(metrics);
  status.message = outcome(analysis, status).message;
  return status;
}

void begin_step(api::AnalysisStatus& status) {
  for (AnalysisMetricStatus& metric : status.metrics) metric.successful = 0;
}

Outcome outcome(const api::Analysis& analysis, const api::AnalysisStatus& status) {
  Outcome inconclusive{.verdict = Verdict::kInconclusive};
  std::string waits_for;
  for (const AnalysisMetric& metric : analysis.metrics) {
    const auto known = std::ranges::find(status.metrics, metric.name, &AnalysisMetricStatus::name);
    const AnalysisMetricStatus own = known == status.metrics.end() ? AnalysisMetricStatus{} : *known;
    if (own.failed > analysis.failure_limit) {
      return {Verdict::kFailed, complaint(metric, own, own.failed, analysis.failure_limit, "failureLimit")};
    }
    const int unclear = inconclusive_of(analysis, metric, own);
    if (unclear > analysis.inconclusive_limit && inconclusive.message.empty()) {
      inconclusive.message = complaint(metric, own, unclear, analysis.inconclusive_limit, "inconclusiveLimit");
    }
    if (own.successful < analysis.count) {
      waits_for += fmt::format("{}{} is good in {} of {} measurements{}{}", waits_for.empty() ? "" : "; ", metric.name,
                               own.successful, analysis.count, own.value.empty() ? "" : ": ", own.value);
    }
  }
  if (!inconclusive.message.empty()) return inconclusive;
  if (!waits_for.empty()) return {Verdict::kNone, std::move(waits_for)};
  return {Verdict::kSuccessful, fmt::format("each metric was good in {} measurements", analysis.count)};
}

}  // namespace scalableapp::rollout
