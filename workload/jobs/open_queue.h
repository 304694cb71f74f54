// Which transport carries the queues, by flags.
#pragma once

#include <memory>
#include <string>

#include "workload/common/flags.h"
#include "workload/common/redis.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

struct TransportOptions {
  int max_queue_length = 100'000;
  milliseconds dead_after{10'000};
};
void add_transport_flags(FlagSet& flags, TransportOptions& options);

// An object for one thread; `redis` is that thread's own and must outlive it.
std::unique_ptr<JobTransport> open_queue(const TransportOptions& options, RedisConnection& redis,
                                         const std::string& queue);

}  // namespace scalableapp::workload
