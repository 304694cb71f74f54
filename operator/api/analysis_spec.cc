#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "operator/api/spec_parts.h"

namespace scalableapp::api {
namespace {

struct Kind {
  AnalysisMetricType type;
  const char* name;
  const char* block;  // The field that holds what only this type has.
};
constexpr std::array<Kind, 4> kKinds{{
    {AnalysisMetricType::kErrorRate, "ErrorRate", "errorRate"},
    {AnalysisMetricType::kLatency, "Latency", "latency"},
    {AnalysisMetricType::kRestarts, "Restarts", "restarts"},
    {AnalysisMetricType::kPrometheus, "Prometheus", "prometheus"},
}};

constexpr double kMostPoints = 1;    // Of the error rate.
constexpr double kMostPercent = 25;  // Of the latency.

std::vector<AnalysisMetric> default_metrics() {
  return {{.name = "error-rate", .type = AnalysisMetricType::kErrorRate, .max_increase = kMostPoints},
          {.name = "latency", .type = AnalysisMetricType::kLatency, .max_increase = kMostPercent},
          {.name = "restarts", .type = AnalysisMetricType::kRestarts}};
}

// Null where there is no such type; tells of blocks of other types.
const Kind* kind_of(SpecReader& read, const Field& field) {
  const Kind* kind = nullptr;
  for (const Kind& one : kKinds) {
    if (field["type"].value == one.name) kind = &one;
  }
  if (kind == nullptr) {
    read.wrong(field["type"], "must be ErrorRate, Latency, Restarts or Prometheus");
    return nullptr;
  }
  for (const Kind& one : kKinds) {
    if (&one == kind) {
      read.is_block(field[one.block]);
    } else if (field[one.block].is_set()) {
      read.wrong(field[one.block], fmt::format("must not be set for type {}", kind->name));
    }
  }
  return kind;
}

double increase(SpecReader& read, const Field& field, double fallback, int most) {
  const double value = read.number(field, fallback);
  if (value > 0 && value <= most) return value;
  read.wrong(field, fmt::format("must be over 0 and at most {}", most));
  return fallback;
}

void decode_prometheus(SpecReader& read, const Field& field, AnalysisMetric& metric) {
  if (!field.is_set()) read.wrong(field, "must be set for type Prometheus");
  if (!field.value.is_object()) return;
  metric.query = read.words(field["query"]);
  if (!field["query"].is_set() || field["query"].value == "") {
    read.wrong(field["query"], "must be a PromQL query");
  }
  metric.success = read.range(field["success"]);
  metric.failure = read.range(field["failure"]);
  if (metric.success.is_unbounded() && metric.failure.is_unbounded()) {
    read.wrong(field, "needs atLeast or atMost in success or in failure");
  }
}

AnalysisMetric decode_analysis_metric(SpecReader& read, const Field& field) {
  AnalysisMetric metric{.name = read.words(field["name"])};
  if (metric.name.empty() || metric.name.size() > 63) {
    read.wrong(field["name"], "must have 1 to 63 characters");
  }
  const Kind* kind = kind_of(read, field);
  if (kind == nullptr) return metric;
  metric.type = kind->type;
  const Field block = field[kind->block];
  switch (kind->type) {
    case AnalysisMetricType::kErrorRate:
      metric.max_increase = increase(read, block["maxIncreasePoints"], kMostPoints, 100);
      break;
    case AnalysisMetricType::kLatency:
      metric.max_increase = increase(read, block["maxIncreasePercent"], kMostPercent, 1000);
      metric.quantile = read.number(block["quantile"], metric.quantile);
      if (!(metric.quantile > 0 && metric.quantile < 1)) {
        read.wrong(block["quantile"], "must be over 0 and under 1");
      }
      break;
    case AnalysisMetricType::kRestarts:
      metric.max_restarts = read.whole(block["max"], 0, 0, 1000);
      break;
    case AnalysisMetricType::kPrometheus:
      decode_prometheus(read, block, metric);
      break;
  }
  return metric;
}

}  // namespace

Analysis decode_analysis(SpecReader& read, const Field& field) {
  Analysis analysis{.interval_seconds = read.whole(field["intervalSeconds"], 10, 2, 3600),
                    .count = read.whole(field["count"], 3, 1, 1000),
                    .failure_limit = read.whole(field["failureLimit"], 0, 0, 1000),
                    .inconclusive_limit = read.whole(field["inconclusiveLimit"], 0, 0, 1000),
                    .min_requests = read.whole(field["minRequests"], 100, 1, 1'000'000)};
  const Field metrics = field["metrics"];
  if (!metrics.is_set()) {
    analysis.metrics = default_metrics();
    return analysis;
  }
  std::set<std::string> names;
  for (const Field& metric : read.list(metrics, 1, 16)) {
    analysis.metrics.push_back(decode_analysis_metric(read, metric));
    const std::string& name = analysis.metrics.back().name;
    if (!name.empty() && !names.insert(name).second) {
      read.wrong(metric["name"], fmt::format("\"{}\" is used twice; names must differ", name));
    }
  }
  return analysis;
}

}  // namespace scalableapp::api
