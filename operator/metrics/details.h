// What the models of scaling/ need to know beside a metric's value: what each pod did (Latency), what
// comes and what gets done (Latency, QueueLength). One query more for each such metric, whose answer
// tells its figures apart by what stands before the slash of the pod label ("rate/web-abc"). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/metrics/query.h"
#include "operator/scaling/observation.h"

namespace scalableapp::metrics {

// None for a metric whose value says all.
std::vector<Query> detail_queries(const api::MetricSpec& metric, const api::ObjectKey& app,
                                  int interval_seconds);

// Adds what the answers say to the metric's reading; `latest` gives the answer to a query's id. While
// the source fails to answer, what was known stands, as old as it is; where it has never answered, or
// has no such series, the reading is left as it is.
void add_details(const api::MetricSpec& metric,
                 const std::function<std::optional<QueryResult>(const std::string& id)>& latest,
                 scaling::MetricReading& reading);

// The query of what a forecast of the metric is made from: its load, in the measure that
// observation.h gives for Forecast. Nothing for a metric that has no load of its own: a latency or a
// ratio that a query of the user's yields.
std::optional<LoadQuery> load_query(const api::MetricSpec& metric, const api::ObjectKey& app, int days);

}  // namespace scalableapp::metrics
