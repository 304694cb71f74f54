// Real work for the processor, in an amount stated beforehand.
#pragma once

#include <cstdint>

namespace scalableapp::workload {

// Hashes until the calling thread has used `cpu_ms` milliseconds of CPU time since the call;
// waiting for a busy core does not count. Returns the hash, so that no compiler drops the work.
std::uint64_t burn_cpu(double cpu_ms);

}  // namespace scalableapp::workload
