// The queue between what happens (watch events, timers) and the workers that reconcile, after
// client-go's workqueue:
//  - an item waits at most once, however often it is added;
//  - it is never with two workers at a time: added while one has it, it waits until that one is
//  done;
//  - first come, first served;
//  - a delayed item becomes ready at the earliest of the times asked for, but no sooner than a
//  server allowed after a failure;
//  - workers are woken one by one, each when the item in front is late: short work stays on a warm
//  thread, and work that waits for a server spreads over all of them.
// Keeps no payload: the worker looks the object up when it gets the key. Not persistent.
// Thread-safe.
//
//   while (auto key = queue.get(stop)) {
//     reconcile(*key) ? queue.forget(*key) : queue.add_rate_limited(*key);
//     queue.done(*key);
//   }
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>

#include "operator/api/meta.h"
#include "operator/kube/rate_limiter.h"
#include "operator/platform/clock.h"

namespace scalableapp::kube {

class WorkQueue {
 public:
  // An item that waits for longer is worth another worker; less is a switch of threads for nothing.
  static constexpr milliseconds kLate{5};
  // For longer than this: all workers are busy with something slow.
  static constexpr milliseconds kBehind{25};

  // `clock` must outlive the queue.
  explicit WorkQueue(const Clock& clock, const RateLimits& limits = {})
      : clock_(clock), longest_hold_(limits.cap), limiter_(limits) {}

  void add(const api::ObjectKey& key);
  // Not positive: the same as add.
  void add_after(const api::ObjectKey& key, milliseconds delay);
  // In place of any delay the item had, also a shorter one: who has just seen to it knows best. (A
  // timer that each visit renews then never fires.)
  void revisit_after(const api::ObjectKey& key, milliseconds delay);
  // After a failure: add_after with a delay that doubles until forget. A positive `at_least`, which
  // a server asked for with Retry-After, is kept whoever else adds the item, up to the longest of
  // those delays.
  void add_rate_limited(const api::ObjectKey& key, milliseconds at_least = milliseconds::zero());
  void forget(const api::ObjectKey& key);

  // Waits for an item and hands it to the caller, who must call done for it. Empty once `stop` is
  // asked for, even if items wait.
  std::optional<api::ObjectKey> get(std::stop_token stop);
  void done(const api::ObjectKey& key);

  // Items that are ready, by now, and that no worker has taken yet.
  std::size_t depth();
  // Whether an item has waited for kBehind.
  bool is_behind();

 private:
  void add_locked(const api::ObjectKey& key);
  void delay_locked(const api::ObjectKey& key, milliseconds delay);
  void drop_delay_locked(const api::ObjectKey& key);
  void hold_locked(const api::ObjectKey& key, milliseconds delay);
  void promote_due_locked();
  void make_ready_locked(const api::ObjectKey& key);
  bool is_late_locked() const;
  std::optional<MonotonicTime> next_deadline_locked() const;
  void call_one_locked();
  void see_to_the_watch_locked();

  const Clock& clock_;
  const milliseconds longest_hold_;
  std::mutex mutex_;  // Guards all below.
  std::condition_variable_any changed_;           // For idle workers.
  std::condition_variable_any deadline_changed_;  // For the one that waits for the next deadline.
  int idle_ = 0;                                  // Workers that wait for changed_.
  int calls_ = 0;                                 // Workers called to take an item.
  std::optional<MonotonicTime> watched_until_;    // One idle worker waits so long, the rest sleep.
  RateLimiter limiter_;
  struct Ready {
    api::ObjectKey key;
    MonotonicTime since;
  };
  std::deque<Ready> ready_;
  std::set<api::ObjectKey>
      dirty_;  // To be handed out: in ready_, or with a worker and added again.
  std::set<api::ObjectKey> processing_;  // With a worker.
  std::map<api::ObjectKey, MonotonicTime> delayed_;
  std::set<std::pair<MonotonicTime, api::ObjectKey>> due_;  // delayed_ by time.
  std::set<api::ObjectKey> held_;  // Of delayed_: those that nothing makes ready sooner.
};

}  // namespace scalableapp::kube
