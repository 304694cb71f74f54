#include "operator/metrics/details.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

// Older than the value by more, they are of another time: the value stands alone.
constexpr milliseconds kLateDetails{10'000};

// No metric's name has a line break.
std::string detail_id(const api::MetricSpec& metric, std::string_view what) {
  return fmt::format("{}\n{}", metric.name, what);
}
constexpr std::string_view kDetails = "details", kArrivals = "arrivals", kCompletions = "completions";

std::string tagged(std::string_view what, std::string_view per_pod) {
  return fmt::format(R"q(label_replace({}, "pod", "{}/$1", "pod", "(.*)"))q", per_pod, what);
}

bool has_pod_details(const api::MetricSpec& metric) {
  return metric.type == api::MetricType::kLatency && metric.query.empty();
}
bool has_queue_details(const api::MetricSpec& metric) {
  return metric.type == api::MetricType::kQueueLength && metric.drain_seconds.has_value();
}

std::string pod_details(const api::MetricSpec& metric, const api::ObjectKey& app) {
  const std::string pods = render_template(R"q({namespace="$(namespace)",pod=~"$(pods)"})q", app);
  const std::string failed = render_template(R"q({namespace="$(namespace)",pod=~"$(pods)",code=~"5.."})q", app);
  const int window = metric.window_seconds;
  const int soon = scaling::arrivals_window_seconds(window);
  const auto rate = [&](std::string_view part, std::string_view selector) {
    return fmt::format("sum by (pod) (rate({}_{}{}[{}s]))", kLatencyMetric, part, selector, window);
  };
  // Arrivals: what was finished lately, what was refused, and what the number in progress grew by.
  const std::string arrivals = fmt::format(
      "sum(rate({0}_count{1}[{2}s])) + (sum(delta({3}{1}[{2}s])) / {2} or vector(0)) + (sum(rate({4}{1}[{2}s])) or "
      "vector(0))",
      kLatencyMetric, pods, soon, kInFlightMetric, kShedMetric);
  // Where a third of the window does not hold two scrapes, the whole of it must do.
  const std::string known_arrivals =
      fmt::format("({} or sum(rate({}_count{}[{}s])))", arrivals, kLatencyMetric, pods, window);
  const std::string quantiles =
      fmt::format("histogram_quantile({}, sum by (le, pod) (rate({}_bucket{}[{}s])))", metric.quantile,
                  kLatencyMetric, pods, window);
  return fmt::format("{} or {} or {} or {} or {} or {}", tagged("rate", rate("count", pods)),
                     tagged("busy", rate("sum", pods)), tagged("errors", rate("count", failed)),
                     tagged("quantile", quantiles), tagged("arrivals", known_arrivals),
                     tagged("inflight", fmt::format("sum(last_over_time({}{}[{}s]))", kInFlightMetric,
                                                    pods, window)));
}

// Of the jobs that the app's pods did, and of how the queue grew meanwhile.
std::string built_in_completions(const api::MetricSpec& metric, const api::ObjectKey& app) {
  return fmt::format("sum(rate({}{}[{}s]))", kJobsDoneMetric,
                     render_template(R"q({namespace="$(namespace)",pod=~"$(pods)"})q", app),
                     metric.window_seconds);
}
std::string built_in_arrivals(const api::MetricSpec& metric, const api::ObjectKey& app) {
  return fmt::format(R"(({} or vector(0)) + max(delta({}[{}s])) / {})", built_in_completions(metric, app),
                     queue_series(metric, app), metric.window_seconds, metric.window_seconds);
}

std::optional<double> single(const std::optional<QueryResult>& result) {
  if (!result || result->samples.size() != 1 || !std::isfinite(result->samples[0].value)) return std::nullopt;
  return result->samples[0].value;
}

void read_pod_detail(const Sample& sample, scaling::MetricReading& reading) {
  const auto slash = sample.pod.find('/');
  if (slash == std::string::npos || !std::isfinite(sample.value)) return;
  const std::string_view what = std::string_view(sample.pod).substr(0, slash);
  if (what == "arrivals") {
    reading.arrivals_per_second = std::max(0.0, sample.value);
  } else if (what == "inflight") {
    reading.in_flight = sample.value;
  } else {
    scaling::PodLoad& load = reading.loads[sample.pod.substr(slash + 1)];
    if (what == "rate") load.requests_per_second = sample.value;
    if (what == "busy") load.concurrency = sample.value;
    if (what == "errors") load.errors_per_second = sample.value;
    if (what == "quantile") load.quantile_seconds = sample.value;
  }
}

}  // namespace

std::vector<Query> detail_queries(const api::MetricSpec& metric, const api::ObjectKey& app,
                                  int interval_seconds) {
  const auto query = [&](std::string_view what, std::string text) {
    return Query{.id = detail_id(metric, what), .text = std::move(text), .interval = seconds(interval_seconds)};
  };
  if (has_pod_details(metric)) return {query(kDetails, pod_details(metric, app))};
  if (!has_queue_details(metric)) return {};
  const auto own_or = [&](const std::string& own, std::string built_in) {
    return own.empty() ? std::move(built_in) : render_template(own, app);
  };
  return {query(kArrivals, own_or(metric.arrival_query, built_in_arrivals(metric, app))),
          query(kCompletions, own_or(metric.completion_query, built_in_completions(metric, app)))};
}

void add_details(const api::MetricSpec& metric,
                 const std::function<std::optional<QueryResult>(const std::string& id)>& latest,
                 scaling::MetricReading& reading) {
  if (has_pod_details(metric)) {
    const auto result = latest(detail_id(metric, kDetails));
    if (!result || !reading.value || result->age > reading.age + kLateDetails) return;
    for (const Sample& sample : result->samples) read_pod_detail(sample, reading);
    reading.age = std::max(reading.age, result->age);
  } else if (has_queue_details(metric)) {
    reading.arrivals_per_second = single(latest(detail_id(metric, kArrivals)));
    if (reading.arrivals_per_second) *reading.arrivals_per_second = std::max(0.0, *reading.arrivals_per_second);
    reading.completions_per_second = single(latest(detail_id(metric, kCompletions)));
  }
}

std::optional<LoadQuery> load_query(const api::MetricSpec& metric, const api::ObjectKey& app, int days) {
  LoadQuery query{.metric = metric.name, .days = days};
  const auto window = query.window.count();
  const std::string pods = render_template(R"q({namespace="$(namespace)",pod=~"$(pods)"})q", app);
  const auto own = [&](std::string_view form, const std::string& text) {
    query.window = seconds{0};  // What it averages over is not known.
    query.text = fmt::format(fmt::runtime(form), render_template(text, app));
  };
  switch (metric.type) {
    case api::MetricType::kLatency:
      if (!metric.query.empty()) return std::nullopt;
      query.text = fmt::format("sum(rate({}_count{}[{}s]))", kLatencyMetric, pods, window);
      break;
    case api::MetricType::kCpu:
      query.text = fmt::format("sum(rate({}{}[{}s]))", kCpuMetric, pods, window);
      // The line break ends a comment that the query may end in.
      if (!metric.query.empty()) own("sum({}\n)", metric.query);
      break;
    case api::MetricType::kQueueLength:
      if (metric.drain_seconds) {
        api::MetricSpec smooth = metric;
        smooth.window_seconds = static_cast<int>(window);
        query.text = built_in_arrivals(smooth, app);
        if (!metric.arrival_query.empty()) own("{}", metric.arrival_query);
      } else {
        query.text = fmt::format("max(avg_over_time({}[{}s]))", queue_series(metric, app), window);
        if (!metric.query.empty()) own("{}", metric.query);
      }
      break;
    case api::MetricType::kPrometheus:
      if (metric.target_type != api::TargetType::kAverageValue) return std::nullopt;
      own("{}", metric.query);
      break;
  }
  return query;
}

}  // namespace scalableapp::metrics
