// A fixed number of threads fed by one bounded first-in-first-out queue: the bulkhead between the
// threads that talk to clients and work that blocks. Does not grow, prioritise or time tasks.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace scalableapp::workload {

class WorkPool {
 public:
  // Gets the index of the thread it runs on, from 0: for what each thread owns.
  using Task = std::function<void(std::size_t thread)>;

  WorkPool(std::size_t threads, std::size_t max_queue);
  // Runs what is queued to its end, then joins.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // False, and the task dropped, when all threads are busy and `max_queue` tasks wait already.
  bool try_submit(Task task);
  std::size_t queued() const;

 private:
  void run(std::size_t thread);

  const std::size_t max_queue_;
  mutable std::mutex mutex_;  // Guards the next three.
  std::deque<Task> queue_;
  std::size_t idle_;  // Threads without a task.
  bool closing_ = false;
  std::condition_variable changed_;
  std::vector<std::jthread> threads_;  // Last: joined before what they use goes.
};

}  // namespace scalableapp::workload
