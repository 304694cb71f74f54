#include "operator/kube/work_queue.h"

namespace scalableapp::kube {

void WorkQueue::add(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  add_locked(key);
}

void WorkQueue::add_after(const api::ObjectKey& key, milliseconds delay) {
  std::lock_guard lock(mutex_);
  delay_locked(key, delay);
}

void WorkQueue::add_rate_limited(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  delay_locked(key, limiter_.next_delay(key));
}

void WorkQueue::forget(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  limiter_.forget(key);
}

std::optional<api::ObjectKey> WorkQueue::get(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    promote_due_locked();
    if (!ready_.empty()) {
      api::ObjectKey key = std::move(ready_.front());
      ready_.pop_front();
      dirty_.erase(key);
      processing_.insert(key);
      // This worker may have been the one that watched the next deadline: another takes over.
      if (!ready_.empty() || !due_.empty()) changed_.notify_one();
      return key;
    }
    if (due_.empty()) {
      changed_.wait(lock, stop, [this] { return !ready_.empty() || !due_.empty(); });
    } else {
      clock_.wait_until(changed_, lock, due_.begin()->first, stop);
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  processing_.erase(key);
  if (dirty_.contains(key)) {
    ready_.push_back(key);
    changed_.notify_one();
  }
}

std::size_t WorkQueue::depth() {
  std::lock_guard lock(mutex_);
  promote_due_locked();
  return ready_.size();
}

void WorkQueue::add_locked(const api::ObjectKey& key) {
  if (!dirty_.insert(key).second || processing_.contains(key)) return;
  ready_.push_back(key);
  changed_.notify_one();
}

void WorkQueue::delay_locked(const api::ObjectKey& key, milliseconds delay) {
  if (delay <= milliseconds::zero()) return add_locked(key);
  const MonotonicTime at = clock_.monotonic_now() + delay;
  const auto [entry, is_new] = delayed_.try_emplace(key, at);
  if (!is_new) {
    if (entry->second <= at) return;
    due_.erase({entry->second, key});
    entry->second = at;
  }
  due_.emplace(at, key);
  if (due_.begin()->second == key) changed_.notify_one();
}

void WorkQueue::promote_due_locked() {
  const MonotonicTime now = clock_.monotonic_now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const api::ObjectKey key = due_.begin()->second;
    due_.erase(due_.begin());
    delayed_.erase(key);
    add_locked(key);
  }
}

}  // namespace scalableapp::kube
