// PromQL as text: the built-in queries of each metric type, the placeholders of user queries, and
// the combination of many instant queries into one. Pure; evaluates and parses nothing.
//
// The built-in queries look only at samples within the metric's window (rate and last_over_time
// over a range), never at Prometheus' lookback, which makes a target that died minutes ago look
// alive.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::metrics {

// The metric names that a workload exposes to be scaled without a query of its own.
inline constexpr std::string_view kLatencyMetric = "http_request_duration_seconds";  // Histogram.
inline constexpr std::string_view kInFlightMetric = "http_requests_in_flight";  // Gauge, optional.
inline constexpr std::string_view kShedMetric = "http_requests_shed_total";  // Counter of those refused, optional.
inline constexpr seconds kIdleWithoutGauge{300};  // As long as HPA's scale-down stabilization.
inline constexpr std::string_view kCpuMetric = "process_cpu_seconds_total";     // Counter.
inline constexpr std::string_view kQueueMetric = "queue_length";  // Gauge with label `queue`.
inline constexpr std::string_view kJobsDoneMetric = "jobs_processed_total";  // Counter of the workers.

// Tells the answers of a combined query apart; its value is the query's index.
inline constexpr std::string_view kQueryLabel = "scalableapp_query";
// A series with this label and the value "true" says: it works, and there is nothing to measure.
inline constexpr std::string_view kIdleLabel = "scalableapp_idle";

struct Placeholder {
  std::string_view name;  // "$(newPods)"
  std::string value;
};
// Replaces $(namespace), $(name) and $(pods), a regular expression of the app's pod names, and what
// else is given. The names are DNS labels, so the replacements are the same within any of PromQL's
// quotes; other characters come out escaped for double quotes.
std::string render_template(std::string_view query, const api::ObjectKey& app,
                            const std::vector<Placeholder>& more = {});

// A regular expression of the names of these ReplicaSets' pods; of no pod's where there are none.
std::string pods_of(const std::vector<std::string>& replica_sets);

// The query of `metric`: its own, with the placeholders replaced, or the one built in for its type.
// Latency yields a series marked idle when no request was finished in the window and kInFlightMetric
// says that none waits either; where the workload has no such gauge, when none was finished for
// kIdleWithoutGauge or the window, whichever is longer. Else nothing: that no request is finished is also what a stuck app looks like.
std::string render(const api::MetricSpec& metric, const api::ObjectKey& app);

// The series of the queue that a QueueLength metric without a query is about.
std::string queue_series(const api::MetricSpec& metric, const api::ObjectKey& app);

// kInvalid for text that could reach beyond its own place in a combined query: brackets that do not
// match outside of strings and comments, an open string, or no text at all.
Result<void> check_self_contained(std::string_view query);

// More series than this are an error of the query: no app has so many pods, and a selector that
// forgot its labels must not fill the memory. A combined query asks for one more of each part, so
// that Prometheus does not even send them.
inline constexpr std::size_t kMaxSeries = 2000;

struct QueryPart {
  std::string_view text;   // Must have passed check_self_contained.
  bool is_scalar = false;  // Its type is scalar, which has no labels.
};
// One query whose answer has each part's series with kQueryLabel = index of the part. Parts are
// joined as a balanced tree: `or` compares all series of one side with those of the other, so a
// chain of n costs n^2.
std::string combine(std::span<const QueryPart> parts);

}  // namespace scalableapp::metrics
