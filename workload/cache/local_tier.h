// The tier in the process: an LRU that many threads use, and the guard against putting in what was invalidated while it
// was on its way. Does no IO. Thread-safe; time is an argument.
//
// Whoever is going to put a key takes a stamp before it looks for the value anywhere. An invalidation that comes
// meanwhile changes the stamp, so the put is refused. Stamps are counters shared by keys of equal hash, which bounds
// their memory and at worst refuses a put that would have been right.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "workload/cache/lru.h"

namespace scalableapp::workload {

class LocalTier {
 public:
  explicit LocalTier(std::size_t max_bytes);

  std::uint64_t stamp(const std::string& key) const;
  // False if the key was dropped since the stamp was taken.
  bool put(const std::string& key, std::uint64_t stamp, CachedValue value, Instant fresh_until, Instant keep_until);
  std::optional<Lru::Found> find(const std::string& key, Instant now);
  void drop(const std::string& key);
  void clear();

  std::size_t bytes() const;

 private:
  static constexpr std::size_t kSlots = 4096;
  static std::size_t slot(const std::string& key);

  mutable std::mutex mutex_;  // Guards the rest.
  Lru lru_;
  std::array<std::uint64_t, kSlots> counters_{};  // One count of drops for all keys of a slot.
  std::uint64_t clears_ = 0;
};

}  // namespace scalableapp::workload
