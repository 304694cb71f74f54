#include "workload/jobs/open_queue.h"

#include "workload/jobs/kafka.h"
#include "workload/jobs/redis_streams.h"

namespace scalableapp::workload {
namespace {

class RedisQueues final : public Queues {
 public:
  explicit RedisQueues(const RedisStreamsOptions& options) : options_(options) {}
  std::unique_ptr<JobTransport> queue(RedisConnection& redis, const std::string& name) override {
    return std::make_unique<RedisStreams>(redis, name, options_);
  }

 private:
  const RedisStreamsOptions options_;
};

class KafkaQueues final : public Queues {
 public:
  explicit KafkaQueues(std::unique_ptr<KafkaClient> client) : client_(std::move(client)) {}
  std::unique_ptr<JobTransport> queue(RedisConnection&, const std::string& name) override {
    return open_kafka_queue(*client_, name);
  }

 private:
  const std::unique_ptr<KafkaClient> client_;
};

}  // namespace

void add_transport_flags(FlagSet& flags, TransportOptions& options) {
  flags.choice(options.transport, "transport", "What carries the queues.", {"redis", "kafka"});
  flags.text(options.kafka_brokers, "kafka-brokers", "Where Kafka is, HOST:PORT,...");
  flags.number(options.max_queue_length, "max-queue-length",
               "Jobs that a queue may hold, those in work and delayed included; more are refused.", 1, 1'000'000);
  flags.duration(options.dead_after, "dead-after", "Silence after which a worker is dead and its jobs are taken over.",
                 milliseconds(100), milliseconds(600'000));
}

Result<std::unique_ptr<Queues>> Queues::open(const TransportOptions& options) {
  if (options.transport == "redis") {
    return std::make_unique<RedisQueues>(
        RedisStreamsOptions{.dead_after = options.dead_after, .max_length = options.max_queue_length});
  }
  auto client = KafkaClient::open(
      {.brokers = options.kafka_brokers, .dead_after = options.dead_after, .max_length = options.max_queue_length});
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<KafkaQueues>(std::move(*client));
}

}  // namespace scalableapp::workload
