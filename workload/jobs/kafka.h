// A queue of jobs in Kafka, behind the same interface as redis_streams.h.
//
//   QUEUE        topic: a record a job, its key the id, so that equal ids are in one partition; group "QUEUE.workers"
//   QUEUE.retry  topic: jobs that failed, with the time from which they may be tried again
//   QUEUE.dead   topic: dead letters with the reason
//
// A job's offset is committed after what became of it was written (to the next stage's topic, .retry or .dead): a
// worker that is killed in between does the job again, and the next stage then finds a second record of that id. Each
// consumer drops records whose id it knows from earlier in its partition; it reads up to kRemembered of them again when
// it gets one. So a stage takes an id once, as far back as that; its own work is done at least once.
//
// What differs from Redis: put cannot say that an id was there before and is always true; jobs that fail wait for those
// of their partition that failed before them; there is no count of workers that a job has killed; no more consumers
// than partitions have work; jobs in work count as waiting until they are done. Topics are made by the broker
// (auto.create.topics.enable) with as many partitions as it gives them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "workload/jobs/transport.h"

struct rd_kafka_s;

namespace scalableapp::workload {

struct KafkaOptions {
  std::string brokers;              // HOST:PORT,...
  milliseconds dead_after{10'000};  // The broker takes no less than its group.min.session.timeout.ms, 6 s as a rule.
  long long max_length = 100'000;
};

struct KafkaRecord {
  std::string topic;
  Job job;
  int attempts = 0;
  std::optional<WallTime> due;
  std::string why;
};

// A process' connection for writing, shared by its queues. Thread-safe.
class KafkaClient {
 public:
  static Result<std::unique_ptr<KafkaClient>> open(const KafkaOptions& options);
  ~KafkaClient();

  // Returns when the broker has it.
  Result<void> write(const KafkaRecord& record);
  const KafkaOptions& options() const { return options_; }
  // The last length that one of the process' queues has found, for put's bound; -1: none yet.
  void saw_length(const std::string& queue, long long length);
  long long last_length(const std::string& queue) const;

 private:
  struct Free {
    void operator()(rd_kafka_s* handle) const;
  };
  KafkaClient(const KafkaOptions& options, rd_kafka_s* producer);

  const KafkaOptions options_;
  const std::unique_ptr<rd_kafka_s, Free> producer_;
  mutable std::mutex mutex_;  // Guards the next.
  std::map<std::string, long long> lengths_;
  std::jthread poller_;  // Last: hands out the broker's answers.
};

// For one thread; the client must outlive it.
std::unique_ptr<JobTransport> open_kafka_queue(KafkaClient& client, const std::string& queue);

}  // namespace scalableapp::workload
