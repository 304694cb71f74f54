#include "operator/metrics/analysis_queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <string_view>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

// No metric's name is empty or has a line break.
constexpr const char* kCountsId = "\nanalysis";
std::string value_id(const api::AnalysisMetric& metric) { return fmt::format("\nanalysis\n{}", metric.name); }

constexpr std::string_view kUpdated = "updated", kStable = "stable";
constexpr std::string_view kRequests = "requests", kErrors = "errors", kShed = "shed", kBusy = "busy", kCpu = "cpu",
                           kBuckets = "le/";

struct Counters {
  std::string now;
  std::string before;
};
// What has been added since; nothing where the counter began anew or was not there.
std::string growth(const Counters& of) { return fmt::format("{0} - ({1} <= {0})", of.now, of.before); }

std::vector<std::string> side_counts(std::string_view side, const api::ObjectKey& app,
                                     const std::vector<std::string>& replica_sets, int interval_seconds) {
  if (replica_sets.empty()) return {};
  const auto counters = [&](std::string_view by, std::string_view metric, std::string_view more_labels = "") {
    const std::string selector = render_template(
        fmt::format(R"q({{namespace="$(namespace)",pod=~"$(those)"{}}})q", more_labels), app,
        {{"$(those)", pods_of(replica_sets)}});
    return Counters{.now = fmt::format("sum by ({}) ({}{})", by, metric, selector),
                    .before = fmt::format("sum by ({}) ({}{} offset {}s)", by, metric, selector, interval_seconds)};
  };
  const auto part = [&](std::string_view what, const Counters& of) {
    return fmt::format(R"q(label_replace(sum({}), "pod", "{}/{}", "", ""))q", growth(of), side, what);
  };
  const std::string count = fmt::format("{}_count", kLatencyMetric);
  const Counters requests = counters("pod", count);
  // A pod that had no errors yet has no series of them.
  Counters errors = counters("pod", count, R"q(,code=~"5..")q");
  errors.before = fmt::format("({} or {} * 0)", errors.before, requests.before);
  return {part(kRequests, requests),
          part(kErrors, errors),
          part(kShed, counters("pod", kShedMetric)),
          part(kBusy, counters("pod", fmt::format("{}_sum", kLatencyMetric))),
          part(kCpu, counters("pod", kCpuMetric)),
          fmt::format(R"q(label_replace(sum by (le) ({}), "pod", "{}/{}$1", "le", "(.*)"))q",
                      growth(counters("le, pod", fmt::format("{}_bucket", kLatencyMetric))), side, kBuckets)};
}

// One side of the answer.
struct SideCounts {
  bool is_exposed = false;
  api::RevisionEvidence evidence;
  std::map<double, double> within;  // How many took so long at most.
};

void read_sample(std::string_view what, double value, SideCounts& side) {
  value = std::max(value, 0.0);
  if (what == kRequests) side.is_exposed = true;
  if (what == kRequests || what == kShed) side.evidence.requests += value;
  if (what == kErrors || what == kShed) side.evidence.errors += value;
  if (what == kBusy) side.evidence.busy_seconds += value;
  if (what == kCpu) side.evidence.cpu_seconds += value;
  if (!what.starts_with(kBuckets)) return;
  what.remove_prefix(kBuckets.size());
  if (what.starts_with('+')) what.remove_prefix(1);  // "+Inf"
  double bound = 0;
  const auto [end, error] = std::from_chars(what.data(), what.data() + what.size(), bound);
  if (error != std::errc() || end != what.data() + what.size() || std::isnan(bound)) return;
  side.within[bound] += value;
}

// The bounds that both sides have, or the one that has any.
std::vector<double> shared_bounds(const SideCounts& updated, const SideCounts& stable) {
  std::vector<double> bounds;
  for (const auto& [bound, count] : (updated.within.empty() ? stable : updated).within) {
    const bool is_shared = stable.within.empty() || stable.within.contains(bound);
    if (is_shared && std::isfinite(bound)) bounds.push_back(bound);
  }
  return bounds;
}

void fill_buckets(const std::vector<double>& bounds, SideCounts& side) {
  if (bounds.empty()) return;
  const auto& counts = side.within;
  double before = 0;
  const auto put = [&](double count) {
    side.evidence.buckets.push_back(std::max(count - before, 0.0));
    before = std::max(before, count);
  };
  for (const double bound : bounds) put(counts.empty() ? 0 : counts.at(bound));
  put(counts.empty() ? 0 : counts.rbegin()->second);
}

void read_counts(const std::vector<Sample>& samples, const api::Analysis& analysis, rollout::Measurement& out) {
  SideCounts updated, stable;
  for (const Sample& sample : samples) {
    const std::string_view pod = sample.pod;
    const auto slash = std::min(pod.find('/'), pod.size());
    if (slash == pod.size() || !std::isfinite(sample.value)) continue;
    read_sample(pod.substr(slash + 1), sample.value, pod.starts_with(kUpdated) ? updated : stable);
  }
  if (!updated.is_exposed && !stable.is_exposed) {
    out.missing[""] =
        fmt::format("empty answer: does a target expose {} with namespace and pod labels?", kLatencyMetric);
  }
  out.bounds = shared_bounds(updated, stable);
  for (SideCounts* side : {&updated, &stable}) fill_buckets(out.bounds, *side);
  out.updated = std::move(updated.evidence);
  out.stable = std::move(stable.evidence);
  if (!out.bounds.empty() || out.missing.contains("")) return;
  const bool has_buckets = !updated.within.empty() || !stable.within.empty();
  for (const api::AnalysisMetric& metric : analysis.metrics) {
    if (metric.type != api::AnalysisMetricType::kLatency) continue;
    out.missing[metric.name] = has_buckets ? fmt::format("the revisions' buckets of {} share no bound", kLatencyMetric)
                                           : fmt::format("{} has no buckets", kLatencyMetric);
  }
}

void read_value(const api::AnalysisMetric& metric, const QueryResult& result, rollout::Measurement& out) {
  const auto reading = to_reading(
      {.name = metric.name, .type = api::MetricType::kPrometheus, .query = metric.query}, result);
  if (result.error) {
    out.missing[metric.name] = result.error->message;
  } else if (reading.value) {
    out.values[metric.name] = *reading.value;
  } else {
    out.missing[metric.name] = reading.idle ? "there is nothing to measure" : reading.missing;
  }
}

}  // namespace

std::vector<Query> analysis_queries(const api::ObjectKey& app, const AnalysisPods& pods,
                                    const api::Analysis& analysis) {
  const seconds interval{analysis.interval_seconds};
  std::vector<std::string> parts = side_counts(kUpdated, app, pods.updated, analysis.interval_seconds);
  std::ranges::move(side_counts(kStable, app, pods.stable, analysis.interval_seconds), std::back_inserter(parts));
  std::vector<Query> queries;
  // Without pods of either it still has an answer: an empty one.
  queries.push_back({.id = kCountsId,
                     .text = parts.empty() ? "vector(0) < 0" : fmt::format("{}", fmt::join(parts, " or ")),
                     .interval = interval,
                     .per_pod = true});
  for (const api::AnalysisMetric& metric : analysis.metrics) {
    if (metric.type != api::AnalysisMetricType::kPrometheus) continue;
    queries.push_back({.id = value_id(metric),
                       .text = render_template(metric.query, app,
                                               {{"$(newPods)", pods_of(pods.updated)},
                                                {"$(stablePods)", pods_of(pods.stable)}}),
                       .interval = interval});
  }
  return queries;
}

std::optional<rollout::Measurement> read_measurement(
    const api::Analysis& analysis, const std::function<std::optional<QueryResult>(const std::string& id)>& latest,
    int restarts, WallTime now) {
  const auto counts = latest(kCountsId);
  if (!counts) return std::nullopt;
  rollout::Measurement out{.at = counts->error ? now : counts->at, .restarts = restarts};
  if (counts->error) {
    out.missing[""] = counts->error->message;
  } else {
    read_counts(counts->samples, analysis, out);
  }
  for (const api::AnalysisMetric& metric : analysis.metrics) {
    if (metric.type != api::AnalysisMetricType::kPrometheus) continue;
    const auto value = latest(value_id(metric));
    if (!value) return std::nullopt;
    read_value(metric, *value, out);
  }
  return out;
}

}  // namespace scalableapp::metrics
