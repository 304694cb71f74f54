#include "workload/worker/options.h"

namespace scalableapp::workload {

FlagSet worker_flags(WorkerOptions& options) {
  FlagSet flags;
  flags.text(options.address, "address", "Address of the admin port.");
  flags.number(options.admin_port, "admin-port", "Port of /metrics, /livez, /readyz and /healthz; 0: any.", 0, 65535);
  flags.text(options.redis, "redis", "Where Redis is, HOST:PORT.");
  flags.word(options.queue, "queue", "Queue to work off.");
  flags.text(options.next, "next", "Queue of the next stage, which gets what is done here; empty: none.");
  flags.word(options.handler, "handler", "What to do with a job; sleep: what --job-ms and --job-cpu-ms say.");
  flags.number(options.job_ms, "job-ms", "How long one job takes in ms, before its handler begins.", 0, 600'000);
  flags.number(options.job_cpu_ms, "job-cpu-ms", "CPU time of one job in ms, within --job-ms.", 0, 600'000);
  flags.number(options.concurrency, "concurrency", "Jobs in work at once.", 1, 64);
  flags.number(options.max_attempts, "max-attempts", "Tries of a job; then it goes to the dead letters.", 1, 1000);
  flags.duration(options.retry_base, "retry-base", "Wait after a job's first failure; doubles with each, up to 30s.",
                 milliseconds(1), milliseconds(30'000));
  flags.number(options.fail_rate, "fail-rate", "Share of tries to fail, for trying that out.", 0, 1);
  flags.number(options.drain_seconds, "drain-seconds",
               "Time after SIGTERM for jobs in work; those that need longer go back to the queue.", 0, 300);
  add_transport_flags(flags, options.transport);
  add_database_flags(flags, options.database);
  return flags;
}

}  // namespace scalableapp::workload
