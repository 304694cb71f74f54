// A queue of jobs in a Redis list from which nothing gets lost: at least once, in order of arrival
// but for jobs that come back.
//
//   QUEUE                     waiting jobs; put in on the left, claimed from the right
//   QUEUE:processing:SLOT     the one job that slot works on (a slot is one thread of one worker)
//   QUEUE:slots               names of the slots that may hold a job
//   QUEUE:alive:SLOT          expires unless its worker renews it
//   QUEUE:accepted:ID         ids put in lately: putting one in again changes nothing
//   QUEUE:processed           count of jobs done
//
// A job is in QUEUE or in one processing list until it is done, since each move is one command or
// one script. Each claim first renews SLOT's entries on the same connection, so a slot that holds a
// job is always listed; the reclaim of dead slots' jobs forgets a slot only in the script that
// empties it. A worker that was stalled for longer than the alive time may finish a job that is
// done a second time by another; it learns of it by the answer of done(). One thread, one
// connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

struct Job {
  std::string id;
  WallTime enqueued;

  std::string encoded() const;
  static Result<Job> decode(const std::string& payload);
};

class JobQueue {
 public:
  // Nothing is sent before the first call.
  JobQueue(RedisConnection& connection, std::string queue)
      : connection_(connection), queue_(std::move(queue)) {}

  // False if a job of that id was put in within the last minutes already.
  Result<bool> put(const Job& job);
  Result<long long> length();
  Result<long long> processed_total();

  // Moves the oldest job to the slot and returns it as it is stored; waits up to a second, then
  // none.
  Result<std::optional<std::string>> claim(const std::string& slot);
  // The job that the slot holds already, if any: after an error whose effect is not known.
  Result<std::optional<std::string>> held_by(const std::string& slot);
  // Forgets the slot's job; false if it was not the slot's any more.
  Result<bool> done(const std::string& slot, const std::string& payload);
  // Puts the slot's job back as the next to be claimed.
  Result<void> give_back(const std::string& slot, const std::string& payload);

  Result<void> keep_alive(const std::string& slot);
  // The slot takes no more jobs. It stays listed if it holds one, which is then reclaimed.
  Result<void> leave(const std::string& slot);
  // Puts the jobs of slots that are not alive back into the queue; returns how many.
  Result<long long> reclaim();

 private:
  std::string key(std::string_view part, std::string_view slot = {}) const;
  Result<RedisReply> script(const char* source, const std::vector<std::string>& keys,
                            const std::vector<std::string>& arguments);

  RedisConnection& connection_;
  const std::string queue_;
};

}  // namespace scalableapp::workload
