#include "workload/cache/lru.h"

#include <utility>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kBytesBesideText = 160;  // List node, map node, time stamps.

}  // namespace

std::size_t Lru::cost(const std::string& key, const CachedValue& value) {
  return key.size() + value.text.size() + kBytesBesideText;
}

void Lru::put(const std::string& key, CachedValue value, Instant fresh_until, Instant keep_until) {
  erase(key);
  if (cost(key, value) > max_bytes_ / 8) return;
  bytes_ += cost(key, value);
  entries_.push_front({key, std::move(value), fresh_until, keep_until});
  by_key_.emplace(entries_.front().key, entries_.begin());
  while (bytes_ > max_bytes_ || entries_.size() > max_entries_) erase(std::prev(entries_.end()));
}

std::optional<Lru::Found> Lru::find(std::string_view key, Instant now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const auto entry = found->second;
  if (now >= entry->keep_until) {
    erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return Found{entry->value, now < entry->fresh_until};
}

bool Lru::erase(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return false;
  erase(found->second);
  return true;
}

void Lru::erase(Entries::iterator entry) {
  bytes_ -= cost(entry->key, entry->value);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

void Lru::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

}  // namespace scalableapp::workload
