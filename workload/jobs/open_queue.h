// Which transport carries the queues, by flags.
#pragma once

#include <memory>
#include <string>

#include "workload/common/flags.h"
#include "workload/common/redis.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

struct TransportOptions {
  std::string transport = "redis";  // Or "kafka".
  std::string kafka_brokers = "127.0.0.1:9092";
  int max_queue_length = 100'000;
  milliseconds dead_after{10'000};
};
void add_transport_flags(FlagSet& flags, TransportOptions& options);

// A process' way to its queues. Thread-safe.
class Queues {
 public:
  // kInvalid names what is wrong with the options; connects when first used.
  static Result<std::unique_ptr<Queues>> open(const TransportOptions& options);
  virtual ~Queues() = default;

  // An object for one thread; `redis` is that thread's own. Both that and this must outlive it.
  virtual std::unique_ptr<JobTransport> queue(RedisConnection& redis, const std::string& name) = 0;
};

}  // namespace scalableapp::workload
