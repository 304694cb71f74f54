// What a queue of jobs can do, whatever carries it (redis_streams.h, kafka.h). At least once: a job that was put in is
// worked on until it is done or buried among the dead letters, also through workers that are killed in the midst of it.
//
//   put --> waiting --claim--> in work --done--> done (and, in the same step, put into the next stage's queue)
//              ^                  |--retry_later--> delayed --when due--> waiting
//              |                  |--bury--> dead letters
//              +--give_back, or its consumer is dead
//
// Whoever ends a claim first counts: done, retry_later, bury and give_back are false, and without effect, for a job that
// was taken over by another consumer meanwhile. What a worker does besides (its own writes) may happen twice. One object
// and one connection a thread.
#pragma once

#include <optional>
#include <string>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::workload {

inline constexpr std::size_t kMaxJobIdBytes = 128;
inline constexpr std::size_t kMaxJobPayloadBytes = 16 * 1024;

struct Job {
  std::string id;       // The idempotency key: 1 to kMaxJobIdBytes bytes.
  std::string payload;  // At most kMaxJobPayloadBytes.
  WallTime enqueued;    // When its first stage accepted it.
};

struct ClaimedJob {
  Job job;
  int attempts = 0;            // Tries that failed or whose worker died.
  bool is_reclaimed = false;   // It was a dead consumer's.
  std::string why_malformed;   // Not empty: no job at all, to be buried.
  std::string handle;          // The transport's own.
};

struct NextStage {
  std::string queue;
  std::string payload;
};

struct Backlog {
  long long waiting = 0;   // A worker could begin them now: new, due again, or a dead worker's.
  long long in_work = 0;   // Claimed, their workers alive.
  long long delayed = 0;   // To be tried again, not due yet.
  long long finished = 0;  // Done or buried so far; counts up.
  double oldest_age_seconds = 0;  // How long the first of the line has waited in it.

  long long all() const { return waiting + in_work + delayed; }
  bool operator==(const Backlog&) const = default;
};

class JobTransport {
 public:
  virtual ~JobTransport() = default;

  // False if that id was put in before, as far back as the transport remembers. kInvalid for a job that is too large,
  // kTooManyRequests when the queue is at its bound.
  virtual Result<bool> put(const Job& job) = 0;

  // The next job for `consumer` (one thread of one worker; its name used by nobody else ever); none after `wait`.
  // After an error the next claim gives what the failed one may have taken.
  virtual Result<std::optional<ClaimedJob>> claim(const std::string& consumer, milliseconds wait) = 0;
  virtual Result<bool> done(const ClaimedJob& job, const std::optional<NextStage>& next) = 0;
  // Counts as a failed try.
  virtual Result<bool> retry_later(const ClaimedJob& job, milliseconds delay) = 0;
  virtual Result<bool> bury(const ClaimedJob& job, const std::string& why) = 0;
  // Not worked on after all: to be claimed next, no try counted.
  virtual Result<bool> give_back(const ClaimedJob& job) = 0;

  // The consumer is alive: what it holds is not a dead one's. To be called from another thread's object while the
  // consumer works, several times within dead_after.
  virtual Result<void> renew(const std::string& consumer) = 0;
  // The consumer will claim no more; what it still holds is given back.
  virtual Result<void> leave(const std::string& consumer) = 0;
  // Due jobs come back into the line, dead consumers are forgotten. Every second or so, by any number of processes.
  virtual Result<void> keep_up() = 0;

  virtual Result<Backlog> backlog() = 0;
};

}  // namespace scalableapp::workload
