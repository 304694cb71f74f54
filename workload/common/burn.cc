#include "workload/common/burn.h"

#include "workload/common/instant.h"

namespace scalableapp::workload {

std::uint64_t burn_cpu(double cpu_ms) {
  // About 20 microseconds between two looks at the clock: below 2 % of the smallest useful amount.
  constexpr int kRoundsPerLook = 20'000;
  const auto end =
      thread_cpu_time() + microseconds(static_cast<microseconds::rep>(cpu_ms * 1000.0));
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a's offset and prime.
  std::uint64_t input = 0;
  while (thread_cpu_time() < end) {
    for (int round = 0; round < kRoundsPerLook; ++round) {
      hash = (hash ^ (input++ & 0xff)) * 1099511628211ULL;
    }
  }
  return hash;
}

}  // namespace scalableapp::workload
