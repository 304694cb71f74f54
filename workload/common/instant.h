// The workload's clock with microseconds, which latency measurement needs (base's MonotonicTime has
// milliseconds). instant.cc and the timers of Asio are all that read the machine's clocks here.
#pragma once

#include <chrono>

#include "operator/base/time.h"

namespace scalableapp::workload {

using Instant = std::chrono::steady_clock::time_point;  // Never jumps; this process only.
using std::chrono::microseconds;

Instant instant_now();
WallTime wall_now();
// CPU time that the calling thread has used so far.
microseconds thread_cpu_time();

inline Instant::duration to_duration(double seconds_count) {
  return std::chrono::duration_cast<Instant::duration>(
      std::chrono::duration<double>(seconds_count));
}
inline double to_seconds(Instant::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace scalableapp::workload
