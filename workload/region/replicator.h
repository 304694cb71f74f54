// Brings the other regions' changes into this one: reads each peer's events from its Redis and merges them into the own
// one. A replicator that dies or loses a connection goes on where the own Redis says it was; several at once do no harm.
//
// Admin port: /metrics, /livez, /readyz (the own Redis was reached). Metrics:
//   region_events_applied_total{peer}, region_conflicts_total{peer}, region_snapshots_total{peer},
//   region_replication_lag_seconds{peer} (age of the last event when it was applied), region_peer_up{peer}
#pragma once

#include <stop_token>
#include <string>

#include "operator/base/result.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

struct ReplicatorOptions {
  std::string region = "a";
  std::string redis = "127.0.0.1:6379";
  std::string peers;  // "b=redis.region-b:6379,c=..."
  std::string address = "0.0.0.0";
  int admin_port = 9100;
};
FlagSet replicator_flags(ReplicatorOptions& options);
// Returns when asked to stop. kInvalid for a bad option, kUnavailable for a port in use.
Result<void> run_replicator(const ReplicatorOptions& options, std::stop_token stop);

struct EvacuationOptions {
  std::string redis = "127.0.0.1:6379";
  bool back = false;
};
FlagSet evacuation_flags(EvacuationOptions& options);
// Tells the region whose Redis that is to take no traffic, or to take it again.
Result<void> run_evacuation(const EvacuationOptions& options);

}  // namespace scalableapp::workload
