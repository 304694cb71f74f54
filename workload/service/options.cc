#include "workload/service/options.h"

namespace scalableapp::workload {

FlagSet service_flags(ServiceOptions& options) {
  FlagSet flags;
  flags.text(options.address, "address", "Address to listen on.");
  flags.number(options.port, "port", "Port of the service; 0: any.", 0, 65535);
  flags.number(options.admin_port, "admin-port",
               "Port of /metrics, /livez, /readyz and /healthz; 0: any.", 0, 65535);
  flags.number(options.io_threads, "io-threads", "Threads that talk to clients.", 1, 4);
  flags.text(options.redis, "redis", "Where Redis is, HOST:PORT.");
  flags.number(options.redis_connections, "redis-connections",
               "Connections to Redis, and requests that may wait for it at once.", 1, 64);
  flags.word(options.queue, "queue", "Redis list that POST /jobs fills.");
  flags.number(options.session_ttl_seconds, "session-ttl-seconds",
               "Life of a session after its last use.", 1, 86'400 * 30);
  flags.number(options.cpu_ms, "cpu-ms", "CPU time of one GET /work in ms.", 0, 10'000);
  flags.number(options.wait_ms, "wait-ms",
               "Wait of one GET /work in ms, which stands for a downstream call.", 0, 10'000);
  flags.number(options.concurrency, "concurrency", "GET /work requests in work at once.", 1, 256);
  flags.number(options.max_queue, "max-queue",
               "GET /work requests that may wait; more get 503 and Retry-After.", 0, 100'000);
  flags.number(options.warmup_seconds, "warmup-seconds",
               "Time until warm; metric warmup_progress_ratio goes from 0 to 1 in it.", 0, 600);
  flags.boolean(options.warmup_readiness, "warmup-readiness",
                "Not ready until warm; false leaves that to the pod's readiness gate.");
  flags.number(options.cold_factor, "cold-factor",
               "How many times as much a GET /work costs until warm.", 1, 100);
  flags.number(options.drain_seconds, "drain-seconds",
               "Time after SIGTERM in which requests are still taken.", 0, 300);
  flags.text(options.apps, "apps", "Families of routes to serve, comma-separated.");
  flags.number(options.call_cpu_ms, "call-cpu-ms", "CPU time of each request to them in ms, besides what it does.",
               0, 10'000);
  flags.number(options.call_wait_ms, "call-wait-ms", "Wait of each request to them in ms.", 0, 10'000);
  flags.number(options.optional_cpu_ms, "optional-cpu-ms",
               "CPU time of optional work such as recommendations, in ms.", 0, 10'000);
  flags.number(options.optional_wait_ms, "optional-wait-ms", "Wait of optional work in ms.", 0, 10'000);
  flags.text(options.index_directory, "index-directory", "Where an index may be written.");
  flags.number(options.restaurants, "restaurants", "Restaurants to be found.", 1, 100'000);
  flags.text(options.region, "region", "Name of the region, if this is one of several.");
  add_cache_flags(flags, options.cache);
  add_database_flags(flags, options.database);
  add_protection_flags(flags, options.protection);
  flags.word(options.version_label, "version-label", "Version to report.");
  flags.number(options.error_rate, "error-rate", "Share of GET / and GET /work to fail with 500.",
               0, 1);
  flags.number(options.slowdown, "slowdown", "Multiplies the cost of GET /work.", 0.1, 100);
  return flags;
}

}  // namespace scalableapp::workload
