#include "workload/worker/options.h"

namespace scalableapp::workload {

FlagSet worker_flags(WorkerOptions& options) {
  FlagSet flags;
  flags.text(options.address, "address", "Address of the admin port.");
  flags.number(options.admin_port, "admin-port",
               "Port of /metrics, /livez, /readyz and /healthz; 0: any.", 0, 65535);
  flags.text(options.redis, "redis", "Where Redis is, HOST:PORT.");
  flags.word(options.queue, "queue", "Redis list to work off.");
  flags.number(options.job_ms, "job-ms", "How long one job takes in ms.", 0, 600'000);
  flags.number(options.job_cpu_ms, "job-cpu-ms", "CPU time of one job in ms, within --job-ms.", 0,
               600'000);
  flags.number(options.concurrency, "concurrency", "Jobs in work at once.", 1, 64);
  flags.number(options.drain_seconds, "drain-seconds",
               "Time after SIGTERM for jobs in work; those that need longer go back to the queue.",
               0, 300);
  return flags;
}

}  // namespace scalableapp::workload
