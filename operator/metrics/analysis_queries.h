// What an analysis (rollout/analysis.h) asks of Prometheus, and what the answers say. One query for all that is
// counted of the two revisions, whose answer tells its figures apart by the pod label ("stable/errors"), and one for
// each Prometheus metric. Pure.
//
// What is counted is the difference of two counters an interval apart, pod by pod, rather than increase(), which
// extrapolates: that makes five requests of four, and evidence of chance. It needs no two scrapes in an interval, only
// one in Prometheus' lookback (5 min unless set otherwise). A pod counts from its second scrape on; one that was
// restarted misses an interval. Requests refused by kShedMetric have failed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/metrics/query.h"
#include "operator/rollout/analysis.h"

namespace scalableapp::metrics {

// The ReplicaSets of both sides, by name.
struct AnalysisPods {
  std::vector<std::string> updated;
  std::vector<std::string> stable;
};

// An analysis without metrics counts all the same (rollout::capacity_change).
std::vector<Query> analysis_queries(const api::ObjectKey& app, const AnalysisPods& pods,
                                    const api::Analysis& analysis);

// Nothing while a query has neither been answered nor failed. `latest` gives the answer to a query's id, `restarts` is
// of the updated revision's pods. Its time is that of the answer; `now` where there is none because asking fails.
std::optional<rollout::Measurement> read_measurement(
    const api::Analysis& analysis, const std::function<std::optional<QueryResult>(const std::string& id)>& latest,
    int restarts, WallTime now);

}  // namespace scalableapp::metrics
