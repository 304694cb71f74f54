// What is asked of a metric source and what came back, as values; and the way from an app's metric
// to a query and from the answer to a reading. Knows no Prometheus syntax (promql.h) and does no IO
// (sampler.h). Pure.
//
// A missing number is never 0: an empty answer, NaN, an infinity, several series where one number
// is wanted and a failed query are told apart, each with what to look at.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/scaling/observation.h"

namespace scalableapp::metrics {

struct Query {
  std::string id;    // Unique within the app.
  std::string text;  // PromQL of an instant query.
  milliseconds interval{2000};
  bool per_pod = false;  // One series a pod, told by its `pod` label, rather than one number.
  bool operator==(const Query&) const = default;
};

struct Sample {
  double value = 0;    // May be NaN or infinite.
  std::string pod;     // Value of the label `pod`; empty: none.
  bool idle = false;   // Marked as "nothing to measure" by the query; the value says nothing.
  std::string labels;  // All labels, for a person: {pod="a",zone="b"}.
  bool operator==(const Sample&) const = default;
};

// The newest answer to a query. While asking fails, `error` says why, and samples, at and age stay
// those of the last answer.
struct QueryResult {
  std::vector<Sample> samples;
  WallTime at{};        // When it was asked; a sample in it may be older by the query's own window.
  milliseconds age{0};  // Since `at`, by the monotonic clock.
  std::optional<Error> error;
  bool operator==(const QueryResult&) const = default;
};

// What the load of the last days is asked for with, see load_history.h.
struct LoadQuery {
  std::string metric;  // Of the app's spec, by name.
  std::string text;    // PromQL without placeholders that yields one series.
  int days = 15;
  // Each value is the mean over so long before its time; the series tells it at the middle.
  seconds window{300};
  bool operator==(const LoadQuery&) const = default;
};

// The query that `metric` of `app` stands for.
Query query_of(const api::MetricSpec& metric, const api::ObjectKey& app, int interval_seconds);

// What `result` says about `metric`; no result is "not measured yet". An idle mark counts only
// while the source answers: what was idle before it went silent is unknown now.
scaling::MetricReading to_reading(const api::MetricSpec& metric,
                                  const std::optional<QueryResult>& result);

}  // namespace scalableapp::metrics
