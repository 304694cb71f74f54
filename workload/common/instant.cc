#include "workload/common/instant.h"

#include <ctime>

namespace scalableapp::workload {

Instant instant_now() { return std::chrono::steady_clock::now(); }

WallTime wall_now() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

microseconds thread_cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return microseconds(used.tv_sec * 1'000'000 + used.tv_nsec / 1000);
}

}  // namespace scalableapp::workload
