// Counts what nginx, in the same pod, tells of each request by UDP, since nginx exports no metrics itself.
//
// Admin port: /livez and /metrics:
//   edge_requests_total{cache,code}       code is the status' hundred: 2xx
//   edge_request_duration_seconds{cache}
//   edge_upstream_requests_total{upstream}  by the name that --upstreams gives the address
//   edge_log_lines_malformed_total
#pragma once

#include <stop_token>
#include <string>

#include "operator/base/result.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

struct EdgeExporterOptions {
  std::string address = "0.0.0.0";  // Of the admin port.
  int admin_port = 9100;
  int log_port = 5140;    // UDP, on loopback.
  std::string upstreams;  // "web:80,web.region-b:80": looked up at the start; other addresses count as "other".
};

FlagSet edge_exporter_flags(EdgeExporterOptions& options);
// Returns when asked to stop. kInvalid for a bad option, kUnavailable for a port in use.
Result<void> run_edge_exporter(const EdgeExporterOptions& options, std::stop_token stop);

}  // namespace scalableapp::workload
