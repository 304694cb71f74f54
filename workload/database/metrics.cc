#include "workload/database/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>

namespace scalableapp::workload {
namespace {

using Labels = std::map<std::string, std::string>;

// A registry gives the same family to all who ask for it by the same name and help.
prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help, const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}
prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

// Statements by an index take well under a millisecond.
const prometheus::Histogram::BucketBoundaries kBuckets{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                       0.05,   0.1,    0.2,   0.5,   1,     2};

}  // namespace

struct EndpointMetrics::Series {
  Series(prometheus::Registry& owner, const Labels& labels)
      : registry(owner),
        endpoint(labels),
        idle(connections(registry, endpoint, "idle")),
        used(connections(registry, endpoint, "used")),
        opened(counter(registry, "database_connections_opened_total", "Connections made.", endpoint)),
        errors(counter(registry, "database_errors_total",
                       "Statements and connections that failed, but for the data's own errors.", endpoint)),
        up(gauge(registry, "database_up", "1 while the server is not known to be down.", endpoint)) {}

  static prometheus::Gauge& connections(prometheus::Registry& registry, Labels labels, const char* state) {
    labels["state"] = state;
    return gauge(registry, "database_connections", "Connections that are open.", labels);
  }

  prometheus::Registry& registry;
  const Labels endpoint;
  prometheus::Gauge& idle;
  prometheus::Gauge& used;
  prometheus::Counter& opened;
  prometheus::Counter& errors;
  prometheus::Gauge& up;
};

EndpointMetrics::EndpointMetrics(prometheus::Registry& registry, const std::string& endpoint)
    : series_(std::make_unique<Series>(registry, Labels{{"endpoint", endpoint}})) {}
EndpointMetrics::~EndpointMetrics() = default;

void EndpointMetrics::connections(int idle, int used) {
  series_->idle.Set(idle);
  series_->used.Set(used);
}
void EndpointMetrics::connection_opened() { series_->opened.Increment(); }
void EndpointMetrics::failed() { series_->errors.Increment(); }
void EndpointMetrics::up(bool is_up) { series_->up.Set(is_up ? 1 : 0); }

// There is no sample until the lag is known, and none of a primary.
void EndpointMetrics::lag(double lag_seconds, double lag_bytes) {
  gauge(series_->registry, "database_replica_lag_seconds",
        "How long ago the primary wrote the oldest that the replica has not replayed.", series_->endpoint)
      .Set(lag_seconds);
  gauge(series_->registry, "database_replica_lag_bytes", "Log that the primary wrote and the replica has not replayed.",
        series_->endpoint)
      .Set(lag_bytes);
}

struct ShardMetrics::Series {
  prometheus::Histogram* took[2] = {};  // By whether it is a replica.
  prometheus::Counter* reads[2] = {};
  std::array<prometheus::Counter*, 5> diverted = {};
};

ShardMetrics::ShardMetrics(prometheus::Registry& registry, const std::string& shard, bool has_replicas)
    : series_(std::make_unique<Series>()) {
  for (const int is_replica : {0, 1}) {
    if (is_replica == 1 && !has_replicas) continue;
    const Labels labels{{"shard", shard}, {"role", is_replica == 1 ? "replica" : "primary"}};
    series_->took[is_replica] = &prometheus::BuildHistogram()
                                     .Name("database_query_duration_seconds")
                                     .Help("From a connection asked for to the statement's answer.")
                                     .Register(registry)
                                     .Add(labels, kBuckets);
    series_->reads[is_replica] = &counter(registry, "database_reads_total", "Reads by who answered.", labels);
  }
  constexpr const char* kReasons[] = {"behind", "lag", "down", "conflict", "stale"};  // As Diversion has them.
  for (std::size_t reason = 0; reason < series_->diverted.size(); ++reason) {
    series_->diverted[reason] =
        &counter(registry, "database_reads_diverted_total", "Reads that no fresh replica answered, by why.",
                 {{"shard", shard}, {"reason", kReasons[reason]}});
  }
}
ShardMetrics::~ShardMetrics() = default;

void ShardMetrics::took(bool is_replica, double duration_seconds) {
  series_->took[is_replica ? 1 : 0]->Observe(duration_seconds);
}
void ShardMetrics::read(bool is_replica) { series_->reads[is_replica ? 1 : 0]->Increment(); }
void ShardMetrics::diverted(Diversion reason) {
  series_->diverted[static_cast<std::size_t>(reason)]->Increment();
}

}  // namespace scalableapp::workload
