// What the cache does and what it leaves out: every part of it can be switched off, to see what it was good for.
#pragma once

#include "workload/common/flags.h"

namespace scalableapp::workload {

struct CacheOptions {
  bool enabled = true;        // False: every get() loads.
  bool local = true;          // The in-process tier.
  bool single_flight = true;  // One load per key and process at a time.
  bool invalidation = true;   // False: a write is seen when the entry expires.
  double ttl_seconds = 60;
  double ttl_jitter = 0.1;  // A TTL is drawn from ttl_seconds times [1 - jitter, 1 + jitter].
  int local_ttl_ms = 1000;
  int local_bytes = 16 * 1024 * 1024;
  bool early_refresh = true;  // A load by chance before the entry expires.
  // How long past its TTL an entry is kept, to be served when a load fails; 0: not at all.
  double stale_seconds = 60;
};

void add_cache_flags(FlagSet& flags, CacheOptions& options);

}  // namespace scalableapp::workload
