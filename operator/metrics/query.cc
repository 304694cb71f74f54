#include "operator/metrics/query.h"

#include <fmt/format.h>

#include <cmath>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

// Where to look when the query works and nothing comes back.
std::string explain_empty(const api::MetricSpec& metric) {
  if (!metric.query.empty()) {
    return "empty answer: the query works but matches no series with samples now";
  }
  switch (metric.type) {
    case api::MetricType::kLatency:
      return fmt::format(
          "empty answer: no request was finished within {}s. Does a target expose {} with namespace "
          "and pod labels, and {}, which tells an idle app from a stuck one?",
          metric.window_seconds, kLatencyMetric, kInFlightMetric);
    case api::MetricType::kCpu:
      return fmt::format(
          "empty answer: does a target expose {} with namespace and pod labels, and is it scraped "
          "at least twice within {}s?",
          kCpuMetric, metric.window_seconds);
    case api::MetricType::kQueueLength:
      return fmt::format(
          "empty answer: does a target expose {} with this namespace and queue label, and was it "
          "scraped within {}s?",
          kQueueMetric, metric.window_seconds);
    case api::MetricType::kPrometheus:
      return "empty answer: the metric has no query";
  }
  return "empty answer";
}

void read_per_pod(const std::vector<Sample>& samples, scaling::MetricReading& reading) {
  for (const Sample& sample : samples) {
    if (sample.pod.empty()) {
      reading.per_pod.clear();
      reading.missing = fmt::format(
          "{} has no pod label: the query must yield one series per pod, as sum by (pod) does",
          sample.labels);
      return;
    }
    if (std::isfinite(sample.value)) reading.per_pod[sample.pod] += sample.value;
  }
  if (reading.per_pod.empty()) reading.missing = "no pod has a finite value";
}

void read_single(const std::vector<Sample>& samples, bool failing,
                 scaling::MetricReading& reading) {
  if (samples.size() > 1) {
    reading.missing = fmt::format(
        "{} series where one number is wanted, e.g. {} and {}: aggregate them with sum() or max()",
        samples.size(), samples[0].labels, samples[1].labels);
  } else if (samples[0].idle) {
    reading.idle = !failing;
    if (failing) reading.missing = "was idle when last asked";
  } else if (std::isnan(samples[0].value)) {
    reading.missing = "the value is NaN: the query divides 0 by 0 or has nothing to measure";
  } else if (std::isinf(samples[0].value)) {
    reading.missing = "the value is infinite: the query divides by 0";
  } else {
    reading.value = samples[0].value;
  }
}

}  // namespace

Query query_of(const api::MetricSpec& metric, const api::ObjectKey& app, int interval_seconds) {
  return {.id = metric.name,
          .text = render(metric, app),
          .interval = seconds(interval_seconds),
          .per_pod = metric.type == api::MetricType::kCpu};
}

scaling::MetricReading to_reading(const api::MetricSpec& metric,
                                  const std::optional<QueryResult>& result) {
  scaling::MetricReading reading;
  reading.name = metric.name;
  if (!result) {
    reading.missing = "not measured yet";
    return reading;
  }
  reading.age = result->age;
  if (!result->samples.empty()) {
    if (metric.type == api::MetricType::kCpu) {
      read_per_pod(result->samples, reading);
    } else {
      read_single(result->samples, result->error.has_value(), reading);
    }
  } else if (!result->error) {
    reading.missing = explain_empty(metric);
  }
  if (result->error) {
    reading.missing += reading.missing.empty() ? "" : "; ";
    reading.missing += result->error->message;
  }
  return reading;
}

}  // namespace scalableapp::metrics
