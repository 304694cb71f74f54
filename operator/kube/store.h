// Store<T>: what a reflector has seen last, by key and by one index. Readers get shared pointers to
// const values, which stay as they were when read; the store may be ahead of them and behind the
// server. Only an Informer writes to it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "operator/api/meta.h"
#include "operator/platform/clock.h"

namespace scalableapp::kube {

// Thread-safe.
template <typename T>
class Store {
 public:
  using Pointer = std::shared_ptr<const T>;
  using Objects = std::map<api::ObjectKey, Pointer>;
  // The value that an object is indexed under, e.g. "namespace/app"; empty: not indexed.
  using Index = std::function<std::string(const T&)>;

  explicit Store(Index index = {}) : index_(std::move(index)) {}

  // Null if there is none.
  Pointer get(const api::ObjectKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = objects_.find(key);
    return it == objects_.end() ? nullptr : it->second;
  }

  // All objects, by key.
  std::vector<Pointer> list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Pointer> out;
    out.reserve(objects_.size());
    for (const auto& [key, object] : objects_) out.push_back(object);
    return out;
  }

  // The objects whose index is `value`, by key.
  std::vector<Pointer> list_by_index(const std::string& value) const {
    const std::lock_guard lock(mutex_);
    const auto it = by_index_.find(value);
    if (it == by_index_.end()) return {};
    std::vector<Pointer> out;
    out.reserve(it->second.size());
    for (const Entry* entry : it->second) out.push_back(entry->second);
    return out;
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return objects_.size();
  }

  // True once the first list is in, for good.
  bool synced() const {
    const std::lock_guard lock(mutex_);
    return synced_;
  }

  // synced(), waiting for it until `deadline` or `stop`.
  bool wait_for_sync(const Clock& clock, MonotonicTime deadline, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!synced_ && !stop.stop_requested() && clock.monotonic_now() < deadline) {
      clock.wait_until(synced_changed_, lock, deadline, stop);
    }
    return synced_;
  }

  // Sets the object under `key`, or erases it if null. What was there before.
  Pointer put(const api::ObjectKey& key, Pointer object) {
    const std::lock_guard lock(mutex_);
    const auto it = objects_.find(key);
    Pointer old = it == objects_.end() ? nullptr : it->second;
    if (old) unindex(*it);
    if (object) {
      index(*objects_.insert_or_assign(key, std::move(object)).first);
    } else if (old) {
      objects_.erase(it);
    }
    return old;
  }

  // Makes `objects` the whole content, in one step for all readers, and the store synced. What was
  // there before.
  Objects replace(Objects objects) {
    const std::lock_guard lock(mutex_);
    objects_.swap(objects);
    by_index_.clear();
    for (const Entry& entry : objects_) index(entry);
    synced_ = true;
    synced_changed_.notify_all();
    return objects;
  }

 private:
  using Entry = typename Objects::value_type;
  static const api::ObjectKey& key_of(const Entry* entry) { return entry->first; }

  void index(const Entry& entry) {
    if (!index_) return;
    std::string value = index_(*entry.second);
    if (value.empty()) return;
    auto& entries = by_index_[std::move(value)];
    entries.insert(std::ranges::lower_bound(entries, entry.first, {}, key_of), &entry);
  }

  void unindex(const Entry& entry) {
    if (!index_) return;
    const auto it = by_index_.find(index_(*entry.second));
    if (it == by_index_.end()) return;
    std::erase(it->second, &entry);
    if (it->second.empty()) by_index_.erase(it);
  }

  const Index index_;
  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable_any synced_changed_;
  bool synced_ = false;
  Objects objects_;
  std::map<std::string, std::vector<const Entry*>> by_index_;  // Into objects_, by key.
};

}  // namespace scalableapp::kube
