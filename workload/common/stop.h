// Waiting for the request to stop, which is all that a program's main thread does.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace scalableapp::workload {

inline void wait_until_stopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, std::move(stop), [] { return false; });
}

}  // namespace scalableapp::workload
