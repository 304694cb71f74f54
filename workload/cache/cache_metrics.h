// The cache's metrics by name, so that the rest of it needs to know nothing of prometheus-cpp. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

// What is counted; its order is that of the table in cache_metrics.cc.
enum class CacheEvent {
  kLocalHit,
  kLocalMiss,
  kLocalStale,
  kRedisHit,
  kRedisMiss,
  kRedisStale,
  kLoadHit,  // Loaded, or known not to exist.
  kLoadError,
  kLoadCoalesced,
  kInvalidationSent,
  kInvalidationReceived,
  kInvalidationFailed,
  kSubscriptionLost,
  kRedisError,
  kStoreRefused,
  kEarlyRefresh,
};

class CacheMetrics {
 public:
  explicit CacheMetrics(prometheus::Registry& registry);
  ~CacheMetrics();

  void count(CacheEvent event);
  void set_local_bytes(std::size_t bytes);
  void set_subscribed(bool is_subscribed);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace scalableapp::workload
