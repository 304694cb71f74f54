// What the service can be told on its command line.
#pragma once

#include <string>

#include "operator/base/time.h"
#include "workload/cache/options.h"
#include "workload/common/flags.h"
#include "workload/database/options.h"
#include "workload/protection/options.h"

namespace scalableapp::workload {

struct ServiceOptions {
  std::string address = "0.0.0.0";
  int port = 8080;
  int admin_port = 9100;
  int io_threads = 1;
  std::string redis = "127.0.0.1:6379";
  int redis_connections = 2;
  std::string queue = "jobs";
  int session_ttl_seconds = 3600;

  double cpu_ms = 3;
  double wait_ms = 20;
  int concurrency = 8;
  int max_queue = 512;

  double warmup_seconds = 2;
  bool warmup_readiness = false;
  double cold_factor = 5;
  double drain_seconds = 5;

  std::string apps;
  double call_cpu_ms = 0;
  double call_wait_ms = 0;
  double optional_cpu_ms = 0;
  double optional_wait_ms = 0;
  std::string index_directory = "/tmp";
  int restaurants = 2000;
  std::string region;
  CacheOptions cache;
  DatabaseOptions database;
  ProtectionOptions protection;

  std::string version_label = "dev";
  double error_rate = 0;
  double slowdown = 1;
};

// Binds the flags to `options`, which must outlive the set.
FlagSet service_flags(ServiceOptions& options);

}  // namespace scalableapp::workload
