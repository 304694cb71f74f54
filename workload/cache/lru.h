// What was used last, within bounds of bytes and entries. An entry is fresh for a while, then stale, then gone. Pure:
// time is an argument. One thread.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "workload/common/instant.h"

namespace scalableapp::workload {

struct CachedValue {
  std::string text;           // Of a thing that was not found: what to say of it.
  bool was_not_found = false;

  bool operator==(const CachedValue&) const = default;
};

class Lru {
 public:
  struct Found {
    CachedValue value;
    bool is_fresh = false;
  };

  Lru(std::size_t max_bytes, std::size_t max_entries) : max_bytes_(max_bytes), max_entries_(max_entries) {}

  // Not stored when it is larger than an eighth of the bound: one value must not drive out all others.
  void put(const std::string& key, CachedValue value, Instant fresh_until, Instant keep_until);
  // None when there is nothing or `keep_until` has passed.
  std::optional<Found> find(std::string_view key, Instant now);
  bool erase(std::string_view key);
  void clear();

  std::size_t bytes() const { return bytes_; }  // Estimated, with what an entry costs beside its text.
  std::size_t entries() const { return by_key_.size(); }

 private:
  struct Entry {
    std::string key;
    CachedValue value;
    Instant fresh_until;
    Instant keep_until;
  };
  using Entries = std::list<Entry>;

  static std::size_t cost(const std::string& key, const CachedValue& value);
  void erase(Entries::iterator entry);

  const std::size_t max_bytes_;
  const std::size_t max_entries_;
  std::size_t bytes_ = 0;
  Entries entries_;  // Used last comes first.
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // Views of the entries' keys.
};

}  // namespace scalableapp::workload
