// A queue of jobs as a Redis stream with one consumer group.
//
//   QUEUE           stream: id, payload, enqueued, attempts of each job that waits or is in work; group "workers"
//   QUEUE:delayed   sorted set by due time: jobs that failed
//   QUEUE:dead      stream: dead letters with the reason, the last kMaxDeadLetters
//   QUEUE:ids       sorted set by time: ids put in   \.
//   QUEUE:done-ids  the same: ids done                > the last `ids_kept`, gone a day after the last change
//   QUEUE:dead-ids  the same: ids buried             /
//   QUEUE:finished  count of jobs done or buried
//
// A job is in the stream or in the delayed set until it is done or buried, and never in both: each move is one script,
// which Redis runs whole or not at all. The entry's id in the stream is the claim: who acknowledges it first has ended
// the job, everybody else learns that it was not theirs any more. Done and the put into the next stage's queue are one
// script as well, and a job whose id is among the done ones has no second effect: neither can a chain of queues lose or
// double a job. What is lost with Redis' memory is lost: give it a volume or a replica where that matters.
//
// One Redis only, no cluster: a script's keys are those of two queues. One thread, one connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workload/common/redis.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

struct RedisStreamsOptions {
  // A consumer that has not renewed for so long is dead. Above any pause of a healthy worker.
  milliseconds dead_after{10'000};
  long long max_length = 100'000;  // Waiting, in work and delayed.
  long long ids_kept = 150'000;
};

class RedisStreams final : public JobTransport {
 public:
  // The longest a claim may wait, so that the connection's time-out can be longer.
  static constexpr milliseconds kMaxWait{1000};
  static constexpr int kMaxDeadLetters = 10'000;

  // Nothing is sent before the first call.
  RedisStreams(RedisConnection& connection, std::string queue, RedisStreamsOptions options = {});

  Result<bool> put(const Job& job) override;
  Result<std::optional<ClaimedJob>> claim(const std::string& consumer, milliseconds wait) override;
  Result<bool> done(const ClaimedJob& job, const std::optional<NextStage>& next) override;
  Result<bool> retry_later(const ClaimedJob& job, milliseconds delay) override;
  Result<bool> bury(const ClaimedJob& job, const std::string& why) override;
  Result<bool> give_back(const ClaimedJob& job) override;
  Result<void> renew(const std::string& consumer) override;
  Result<void> leave(const std::string& consumer) override;
  Result<void> keep_up() override;
  Result<Backlog> backlog() override;

 private:
  std::string key(std::string_view part) const;
  Result<RedisReply> script(const char* source, const std::vector<std::string>& keys,
                            const std::vector<std::string>& arguments);
  Result<bool> ended(const char* source, std::vector<std::string> keys, const ClaimedJob& job,
                     std::vector<std::string> arguments);

  RedisConnection& connection_;
  const std::string queue_;
  const RedisStreamsOptions options_;
  bool may_hold_one_ = false;  // The last claim's outcome is not known.
};

}  // namespace scalableapp::workload
