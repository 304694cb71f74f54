#include "workload/common/work_pool.h"

#include <utility>

namespace scalableapp::workload {

WorkPool::WorkPool(std::size_t threads, std::size_t max_queue)
    : max_queue_(max_queue), idle_(threads) {
  for (std::size_t index = 0; index < threads; ++index) {
    threads_.emplace_back([this, index] { run(index); });
  }
}

WorkPool::~WorkPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
}

bool WorkPool::try_submit(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || queue_.size() >= max_queue_ + idle_) return false;
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

std::size_t WorkPool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() > idle_ ? queue_.size() - idle_ : 0;
}

void WorkPool::run(std::size_t thread) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const Task task = std::exchange(queue_.front(), nullptr);
    queue_.pop_front();
    lock.unlock();
    task(thread);
    lock.lock();
    ++idle_;
  }
}

}  // namespace scalableapp::workload
