#include "workload/jobs/open_queue.h"

#include "workload/jobs/redis_streams.h"

namespace scalableapp::workload {

void add_transport_flags(FlagSet& flags, TransportOptions& options) {
  flags.number(options.max_queue_length, "max-queue-length",
               "Jobs that a queue may hold, those in work and delayed included; more are refused.", 1, 1'000'000);
  flags.duration(options.dead_after, "dead-after", "Silence after which a worker is dead and its jobs are taken over.",
                 milliseconds(100), milliseconds(600'000));
}

std::unique_ptr<JobTransport> open_queue(const TransportOptions& options, RedisConnection& redis,
                                         const std::string& queue) {
  return std::make_unique<RedisStreams>(
      redis, queue, RedisStreamsOptions{.dead_after = options.dead_after, .max_length = options.max_queue_length});
}

}  // namespace scalableapp::workload
