// Cache-aside in two tiers: an LRU in the process with a short TTL, which takes the hot keys, over Redis, which all
// pods share. What neither has is loaded by the caller's function, once per key at a time; a write drops the key in
// every pod by an event. Thread-safe; calls wait for Redis and the loader.
//
// How stale a value may be:
// - After invalidate() returned, its own process gives the new value; another one does as soon as it has the event.
//   A load that read the old row before the write stores it nowhere: it needs the lease that the invalidation deletes.
// - A process that has lost its subscription clears its in-process tier and goes without until it is back. While Redis
//   itself is down, what is loaded may be kept for a tenth of a second, so that hot keys do not all hit the database.
// - If Redis fails during invalidate(), Redis may keep the old value until its TTL; invalidate() says so.
// - When a load fails, the expired value is given if there still is one.
//
// Metrics: cache_requests_total{tier,result}: each get() counts a "miss" for each tier it passed and one other result
// for its answer (hit, stale, coalesced, error), so the hit rate is
// 1 - (tier="load", result "hit" or "error") / (all but "miss").
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "operator/base/result.h"
#include "workload/cache/options.h"
#include "workload/common/redis.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class Cache {
 public:
  // What the cache stands in front of. kNotFound is an answer and is cached too, for a short time; any other error is
  // given to all who wait for it and forgotten.
  using Load = std::function<Result<std::string>()>;

  // `server` is where the thread that listens for invalidations connects to.
  Cache(const CacheOptions& options, const RedisOptions& server, prometheus::Registry& registry);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Errors: those of `load`; kTimeout when another caller's load of this key takes too long.
  Result<std::string> get(const std::string& key, RedisConnection& redis, const Load& load);
  // The same for what is read from replicas, which may lag: the load is told the version that the key's last
  // invalidation named lately, empty if there was none, and must not give anything older.
  using LoadAfter = std::function<Result<std::string>(const std::string& version)>;
  Result<std::string> get(const std::string& key, RedisConnection& redis, const LoadAfter& load);

  // To be called after the write is committed; `version` says how far a replica must be to have it, for LoadAfter.
  // The process's own tier has dropped the key in any case.
  Result<void> invalidate(const std::string& key, RedisConnection& redis, const std::string& version = {});
  // True while invalidations of other processes arrive.
  bool is_subscribed() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace scalableapp::workload
