#include "operator/kube/work_queue.h"

#include <algorithm>

namespace scalableapp::kube {

void WorkQueue::add(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  add_locked(key);
}

void WorkQueue::add_after(const api::ObjectKey& key, milliseconds delay) {
  std::lock_guard lock(mutex_);
  delay_locked(key, delay);
}

void WorkQueue::revisit_after(const api::ObjectKey& key, milliseconds delay) {
  std::lock_guard lock(mutex_);
  if (held_.contains(key)) return;
  drop_delay_locked(key);
  delay_locked(key, delay);
}

void WorkQueue::add_rate_limited(const api::ObjectKey& key, milliseconds at_least) {
  std::lock_guard lock(mutex_);
  const milliseconds delay = limiter_.next_delay(key);
  if (at_least > milliseconds::zero()) {
    hold_locked(key, std::max(delay, std::min(at_least, longest_hold_)));
  } else {
    delay_locked(key, delay);
  }
}

void WorkQueue::forget(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  limiter_.forget(key);
}

std::optional<api::ObjectKey> WorkQueue::get(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  bool may_take = true;  // Who has waited takes an item only when called, or when one is late.
  while (!stop.stop_requested()) {
    promote_due_locked();
    if (!ready_.empty() && (may_take || calls_ > 0 || is_late_locked())) {
      if (!may_take && calls_ > 0) --calls_;
      api::ObjectKey key = std::move(ready_.front().key);
      ready_.pop_front();
      dirty_.erase(key);
      processing_.insert(key);
      if (!ready_.empty() && is_late_locked()) {
        call_one_locked();
      } else {
        see_to_the_watch_locked();
      }
      return key;
    }
    if (ready_.empty()) calls_ = 0;
    may_take = false;
    const auto deadline = next_deadline_locked();
    if (!deadline || watched_until_) {
      ++idle_;
      changed_.wait(lock, stop, [this] {
        return calls_ > 0 || (!watched_until_ && next_deadline_locked());
      });
      --idle_;
    } else {
      watched_until_ = *deadline;
      clock_.wait_until(deadline_changed_, lock, *deadline, stop);
      watched_until_.reset();
    }
  }
  // What it was called for, or watched, is another's now.
  if (!ready_.empty()) call_one_locked();
  see_to_the_watch_locked();
  return std::nullopt;
}

void WorkQueue::done(const api::ObjectKey& key) {
  std::lock_guard lock(mutex_);
  processing_.erase(key);
  if (dirty_.contains(key)) {
    make_ready_locked(key);
  }
}

std::size_t WorkQueue::depth() {
  std::lock_guard lock(mutex_);
  promote_due_locked();
  return ready_.size();
}

bool WorkQueue::is_behind() {
  std::lock_guard lock(mutex_);
  promote_due_locked();
  return !ready_.empty() && clock_.monotonic_now() >= ready_.front().since + kBehind;
}

void WorkQueue::add_locked(const api::ObjectKey& key) {
  if (held_.contains(key)) return;
  if (!dirty_.insert(key).second || processing_.contains(key)) return;
  make_ready_locked(key);
}

// The first of a burst calls a worker, which takes the others as well; if it gets stuck with one, as
// in a call to the API server, the next is late and calls another.
void WorkQueue::make_ready_locked(const api::ObjectKey& key) {
  ready_.push_back({key, clock_.monotonic_now()});
  if (ready_.size() == 1) {
    call_one_locked();
  } else {
    see_to_the_watch_locked();
  }
}

bool WorkQueue::is_late_locked() const {
  return clock_.monotonic_now() >= ready_.front().since + kLate;
}

std::optional<MonotonicTime> WorkQueue::next_deadline_locked() const {
  std::optional<MonotonicTime> next;
  if (!ready_.empty()) next = ready_.front().since + kLate;
  if (!due_.empty() && (!next || due_.begin()->first < *next)) next = due_.begin()->first;
  return next;
}

void WorkQueue::call_one_locked() {
  ++calls_;
  (idle_ > 0 ? changed_ : deadline_changed_).notify_one();
}

// Somebody idle, if there is anybody, must wake at the next deadline.
void WorkQueue::see_to_the_watch_locked() {
  const auto deadline = next_deadline_locked();
  if (!deadline) return;
  if (!watched_until_) {
    changed_.notify_one();
  } else if (*deadline < *watched_until_) {
    deadline_changed_.notify_one();
  }
}

void WorkQueue::delay_locked(const api::ObjectKey& key, milliseconds delay) {
  if (held_.contains(key)) return;
  if (delay <= milliseconds::zero()) return add_locked(key);
  const MonotonicTime at = clock_.monotonic_now() + delay;
  const auto [entry, is_new] = delayed_.try_emplace(key, at);
  if (!is_new) {
    if (entry->second <= at) return;
    due_.erase({entry->second, key});
    entry->second = at;
  }
  due_.emplace(at, key);
  see_to_the_watch_locked();
}

void WorkQueue::drop_delay_locked(const api::ObjectKey& key) {
  const auto entry = delayed_.find(key);
  if (entry == delayed_.end()) return;
  due_.erase({entry->second, key});
  delayed_.erase(entry);
}

// Puts `delay` in the place of all that was asked for, while a worker has the item included.
void WorkQueue::hold_locked(const api::ObjectKey& key, milliseconds delay) {
  if (dirty_.erase(key) > 0) {
    std::erase_if(ready_, [&](const Ready& ready) { return ready.key == key; });
  }
  drop_delay_locked(key);
  held_.erase(key);
  delay_locked(key, delay);
  held_.insert(key);
}

void WorkQueue::promote_due_locked() {
  const MonotonicTime now = clock_.monotonic_now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const api::ObjectKey key = due_.begin()->second;
    due_.erase(due_.begin());
    delayed_.erase(key);
    held_.erase(key);
    add_locked(key);
  }
}

}  // namespace scalableapp::kube
