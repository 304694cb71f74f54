// What the worker can be told on its command line.
#pragma once

#include <string>

#include "workload/common/flags.h"
#include "workload/database/options.h"
#include "workload/jobs/open_queue.h"

namespace scalableapp::workload {

struct WorkerOptions {
  std::string address = "0.0.0.0";
  int admin_port = 9100;
  std::string redis = "127.0.0.1:6379";
  TransportOptions transport;
  DatabaseOptions database;  // No shards: the handlers keep everything in Redis.
  std::string queue = "jobs";
  std::string next;  // Empty: the last stage.
  std::string handler = "sleep";
  double job_ms = 50;
  double job_cpu_ms = 2;
  int concurrency = 2;
  int max_attempts = 5;
  milliseconds retry_base{500};
  double fail_rate = 0;
  double drain_seconds = 20;
};

// Binds the flags to `options`, which must outlive the set.
FlagSet worker_flags(WorkerOptions& options);

}  // namespace scalableapp::workload
