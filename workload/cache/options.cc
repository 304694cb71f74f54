#include "workload/cache/options.h"

namespace scalableapp::workload {

void add_cache_flags(FlagSet& flags, CacheOptions& options) {
  flags.boolean(options.enabled, "cache", "Keep what was loaded; false loads it each time.");
  flags.boolean(options.local, "cache-local", "A tier in the process in front of Redis.");
  flags.boolean(options.single_flight, "cache-single-flight", "Callers that miss the same key share one load.");
  flags.boolean(options.invalidation, "cache-invalidation",
                "A write drops the key in every pod; false leaves that to the TTL.");
  flags.number(options.ttl_seconds, "cache-ttl-seconds", "Life of an entry in Redis.", 0.05, 86'400 * 7);
  flags.number(options.ttl_jitter, "cache-ttl-jitter", "Share by which lives differ from the TTL, up or down.", 0, 1);
  flags.number(options.local_ttl_ms, "cache-local-ttl-ms", "Life of an entry in the process.", 1, 60'000);
  flags.number(options.local_bytes, "cache-local-bytes", "Bound of the tier in the process.", 4096, 1024 * 1024 * 1024);
  flags.boolean(options.early_refresh, "cache-early-refresh",
                "Load by chance shortly before expiry, so that not all readers miss at once.");
  flags.number(options.stale_seconds, "cache-stale-seconds",
               "How long past its life an entry may stand in for a load that fails.", 0, 86'400);
}

}  // namespace scalableapp::workload
