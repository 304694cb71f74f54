#include "workload/cache/local_tier.h"

#include <functional>
#include <utility>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxEntries = 100'000;

}  // namespace

LocalTier::LocalTier(std::size_t max_bytes) : lru_(max_bytes, kMaxEntries) {}

std::size_t LocalTier::slot(const std::string& key) { return std::hash<std::string>{}(key) % kSlots; }

std::uint64_t LocalTier::stamp(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return clears_ + counters_[slot(key)];
}

bool LocalTier::put(const std::string& key, std::uint64_t stamp, CachedValue value, Instant fresh_until,
                    Instant keep_until) {
  const std::lock_guard lock(mutex_);
  if (stamp != clears_ + counters_[slot(key)]) return false;
  lru_.put(key, std::move(value), fresh_until, keep_until);
  return true;
}

std::optional<Lru::Found> LocalTier::find(const std::string& key, Instant now) {
  const std::lock_guard lock(mutex_);
  return lru_.find(key, now);
}

void LocalTier::drop(const std::string& key) {
  const std::lock_guard lock(mutex_);
  ++counters_[slot(key)];
  lru_.erase(key);
}

void LocalTier::clear() {
  const std::lock_guard lock(mutex_);
  ++clears_;
  lru_.clear();
}

std::size_t LocalTier::bytes() const {
  const std::lock_guard lock(mutex_);
  return lru_.bytes();
}

}  // namespace scalableapp::workload
