// The tier in Redis that all processes share, one script a call:
//
//   cache:KEY          an entry: how it came about and its text
//   cache-lease:KEY    a token; whoever loads takes it before it reads the database and stores only if it is still
//                      there. An invalidation deletes it, so a row read before the write is not stored after it.
//                      Should Redis lose it, the store is refused: a miss more, never an old value. (The idea is that
//                      of the leases in Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013; all that load at
//                      once share one token here, since each may store what it read under it.)
//   cache-version:KEY  what the last invalidation told of how new a replica must be
//
// The entry's life is Redis' own, so clocks of pods need not agree.
#pragma once

#include <optional>
#include <string>

#include "workload/cache/lru.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

inline constexpr const char* kInvalidationChannel = "cache-invalidations";

struct RedisEntry {
  CachedValue value;
  milliseconds load_time{};   // What it took to load.
  milliseconds fresh_left{};  // Negative: stale for that long.
  milliseconds stale_for{};   // Kept for that long after it was fresh.
};

struct Lease {
  std::string token;
  std::string version;  // Empty: not written lately.
};

Result<std::optional<RedisEntry>> read_entry(RedisConnection& redis, const std::string& key);
Result<Lease> take_lease(RedisConnection& redis, const std::string& key);
// False if the key was invalidated since the lease was taken.
Result<bool> store_entry(RedisConnection& redis, const std::string& key, const std::string& lease_token,
                         const RedisEntry& entry);
// Deletes the entry and tells all processes.
Result<void> drop_entry(RedisConnection& redis, const std::string& key, const std::string& version);

}  // namespace scalableapp::workload
