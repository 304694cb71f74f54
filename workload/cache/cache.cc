#include "workload/cache/cache.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

#include "operator/platform/log.h"
#include "operator/platform/random.h"
#include "workload/cache/cache_metrics.h"
#include "workload/cache/expiry.h"
#include "workload/cache/invalidation_listener.h"
#include "workload/cache/local_tier.h"
#include "workload/cache/redis_tier.h"
#include "workload/cache/single_flight.h"

namespace scalableapp::workload {
namespace {

constexpr milliseconds kNotFoundTtl{2000};
constexpr milliseconds kPatience{2000};  // With a load that another caller does.
// Life in the process while Redis is down and no invalidation can arrive.
constexpr milliseconds kBlindTtl{100};

milliseconds from_seconds(double seconds_count) {
  return std::chrono::duration_cast<milliseconds>(to_duration(seconds_count));
}

Result<std::string> answer(const CachedValue& value) {
  if (value.was_not_found) return fail(ErrorCode::kNotFound, value.text);
  return value.text;
}

// A load's outcome as something to keep; none for an error.
std::optional<CachedValue> to_value(const Result<std::string>& loaded) {
  if (loaded) return CachedValue{*loaded, false};
  if (loaded.error().code == ErrorCode::kNotFound) return CachedValue{loaded.error().message, true};
  return std::nullopt;
}

}  // namespace

struct Cache::Parts {
  Parts(const CacheOptions& cache_options, const RedisOptions& server, prometheus::Registry& registry)
      : options(cache_options),
        metrics(registry),
        local(static_cast<std::size_t>(cache_options.local_bytes)),
        flights(kPatience) {
    if (!options.enabled || !options.invalidation) return;
    listener.emplace(server, InvalidationListener::Events{
                                 .subscribed = [this] { set_subscribed(true); },
                                 .lost =
                                     [this](const Error& error) {
                                       log_warn("invalidations are not heard", {{"error", error}});
                                       set_subscribed(false);
                                       metrics.count(CacheEvent::kSubscriptionLost);
                                     },
                                 .invalidated =
                                     [this](const std::string& key) {
                                       drop(key);
                                       metrics.count(CacheEvent::kInvalidationReceived);
                                     }});
  }

  // What was kept while nothing was heard, or is kept from now on, may be old.
  void set_subscribed(bool is_so) {
    if (!is_so) is_subscribed = false;
    flights.forget_all();
    local.clear();
    if (is_so) is_subscribed = true;
    metrics.set_subscribed(is_so);
    metrics.set_local_bytes(0);
  }

  void drop(const std::string& key) {
    flights.forget(key);
    local.drop(key);
    metrics.set_local_bytes(local.bytes());
  }

  std::optional<Lru::Found> find_local(const std::string& key) {
    if (!options.local) return std::nullopt;
    return local.find(key, instant_now());
  }

  void keep_local(const std::string& key, std::uint64_t stamp, const CachedValue& value, milliseconds fresh_left,
                  bool redis_failed) {
    if (!options.local) return;
    auto ttl = std::min(milliseconds(options.local_ttl_ms), fresh_left);
    if (options.invalidation && !is_subscribed) {
      if (!redis_failed) return;
      ttl = std::min(ttl, kBlindTtl);
    }
    const Instant fresh_until = instant_now() + ttl;
    const auto stale_for = value.was_not_found ? milliseconds(0) : from_seconds(options.stale_seconds);
    if (!local.put(key, stamp, value, fresh_until, fresh_until + stale_for)) metrics.count(CacheEvent::kStoreRefused);
    metrics.set_local_bytes(local.bytes());
  }

  // The redis tier, then the load; for the one caller that does it for all others.
  Result<std::string> fetch(const std::string& key, RedisConnection& redis, const LoadAfter& load) {
    // Before anything is read: an invalidation from here on forbids to keep it.
    const auto stamp = local.stamp(key);
    const auto nearer = find_local(key);  // Another one may have fetched it by now.
    if (nearer && nearer->is_fresh) {
      metrics.count(CacheEvent::kLocalHit);
      return answer(nearer->value);
    }
    if (options.local) metrics.count(CacheEvent::kLocalMiss);

    const auto read = read_entry(redis, key);
    if (!read) metrics.count(CacheEvent::kRedisError);
    const auto entry = read ? *read : std::nullopt;
    const bool is_fresh = entry && entry->fresh_left > milliseconds(0);
    const bool is_early =
        is_fresh && options.early_refresh && refreshes_early(entry->fresh_left, entry->load_time, random.uniform());
    if (is_fresh && !is_early) {
      keep_local(key, stamp, entry->value, entry->fresh_left, false);
      metrics.count(CacheEvent::kRedisHit);
      return answer(entry->value);
    }
    if (is_early) metrics.count(CacheEvent::kEarlyRefresh);

    const auto lease = read ? take_lease(redis, key) : Result<Lease>(tl::unexpected(read.error()));
    const Instant began = instant_now();
    auto loaded = load(lease ? lease->version : std::string());
    if (const auto value = to_value(loaded)) {
      metrics.count(CacheEvent::kRedisMiss);
      metrics.count(CacheEvent::kLoadHit);
      keep(key, stamp, redis, lease, *value, std::chrono::ceil<milliseconds>(instant_now() - began));
      return loaded;
    }
    if (entry) {
      metrics.count(is_fresh ? CacheEvent::kRedisHit : CacheEvent::kRedisStale);
      return answer(entry->value);
    }
    metrics.count(CacheEvent::kRedisMiss);
    if (nearer) {
      metrics.count(CacheEvent::kLocalStale);
      return answer(nearer->value);
    }
    metrics.count(CacheEvent::kLoadError);
    return loaded;
  }

  void keep(const std::string& key, std::uint64_t stamp, RedisConnection& redis, const Result<Lease>& lease,
            const CachedValue& value, milliseconds load_time) {
    const auto base = value.was_not_found ? std::min(kNotFoundTtl, from_seconds(options.ttl_seconds))
                                          : from_seconds(options.ttl_seconds);
    const auto ttl = jittered_ttl(base, options.ttl_jitter, random.uniform());
    bool redis_failed = !lease;
    if (lease) {
      const auto stale_for = value.was_not_found ? milliseconds(0) : from_seconds(options.stale_seconds);
      const auto stored = store_entry(
          redis, key, lease->token,
          {.value = value, .load_time = load_time, .fresh_left = ttl, .stale_for = stale_for});
      redis_failed = !stored;
      if (!stored) metrics.count(CacheEvent::kRedisError);
      if (stored && !*stored) return metrics.count(CacheEvent::kStoreRefused);
    }
    keep_local(key, stamp, value, ttl, redis_failed);
  }

  const CacheOptions options;
  CacheMetrics metrics;
  LocalTier local;
  SingleFlight flights;
  Random random;
  std::atomic<bool> is_subscribed = false;
  std::optional<InvalidationListener> listener;  // Last: its thread ends before what it uses goes.
};

Cache::Cache(const CacheOptions& options, const RedisOptions& server, prometheus::Registry& registry)
    : parts_(std::make_unique<Parts>(options, server, registry)) {}
Cache::~Cache() = default;

Result<std::string> Cache::get(const std::string& key, RedisConnection& redis, const Load& load) {
  return get(key, redis, [&](const std::string&) { return load(); });
}

Result<std::string> Cache::get(const std::string& key, RedisConnection& redis, const LoadAfter& load) {
  auto& parts = *parts_;
  if (!parts.options.enabled) {
    auto loaded = load({});
    parts.metrics.count(to_value(loaded) ? CacheEvent::kLoadHit : CacheEvent::kLoadError);
    return loaded;
  }
  if (!parts.options.single_flight) return parts.fetch(key, redis, load);
  const auto found = parts.find_local(key);  // Hot keys need not meet the others who ask for them.
  if (found && found->is_fresh) {
    parts.metrics.count(CacheEvent::kLocalHit);
    return answer(found->value);
  }
  auto outcome = parts.flights.run(key, [&] { return parts.fetch(key, redis, load); });
  if (!outcome.is_shared) return outcome.result;
  if (parts.options.local) parts.metrics.count(CacheEvent::kLocalMiss);
  if (found && !to_value(outcome.result)) {  // Took too long, perhaps.
    parts.metrics.count(CacheEvent::kLocalStale);
    return answer(found->value);
  }
  parts.metrics.count(CacheEvent::kLoadCoalesced);
  return outcome.result;
}

Result<void> Cache::invalidate(const std::string& key, RedisConnection& redis, const std::string& version) {
  auto& parts = *parts_;
  if (!parts.options.enabled || !parts.options.invalidation) return {};
  auto dropped = drop_entry(redis, key, version);
  parts.drop(key);  // After Redis: what is put in here from now on cannot come from what was there.
  parts.metrics.count(dropped ? CacheEvent::kInvalidationSent : CacheEvent::kInvalidationFailed);
  return dropped;
}

bool Cache::is_subscribed() const { return parts_->is_subscribed; }

}  // namespace scalableapp::workload
