#include "workload/worker/slot.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"
#include "workload/common/burn.h"
#include "workload/common/instant.h"
#include "workload/jobs/retry_delay.h"

namespace scalableapp::workload {
namespace {

constexpr milliseconds kClaimWait{1000};
// After an error of the queue the next try waits, beyond what the connection's own backoff does; the same for a next
// stage that is full.
constexpr milliseconds kErrorPause{200};
constexpr milliseconds kLongestRetryDelay{30'000};

class Slot {
 public:
  Slot(const SlotParts& parts, const std::string& consumer)
      : parts_(parts),
        consumer_(consumer),
        connection_(parts.redis),
        queue_(parts.queues->queue(connection_, parts.options.queue)) {}

  void run() {
    while (!parts_.claiming.stop_requested()) {
      const auto job = queue_->claim(consumer_, kClaimWait);
      if (!job) {
        parts_.failed(job.error());
        sleep_for(clock_, kErrorPause, parts_.claiming);
      } else if (*job) {
        begin(**job);
      }
    }
    // What a failed call may have left goes back as well.
    if (const auto left = queue_->leave(consumer_); !left) parts_.failed(left.error());
  }

 private:
  void begin(const ClaimedJob& job) {
    if (job.is_reclaimed) parts_.metrics.count(WorkerEvent::kReclaimed);
    if (!job.why_malformed.empty()) {
      if (bury(job, "malformed: " + job.why_malformed)) parts_.metrics.count(WorkerEvent::kMalformed);
      return;
    }
    if (job.attempts >= parts_.options.max_attempts) {
      bury(job, fmt::format("its worker died, {} tries", job.attempts));
      return;
    }
    if (job.attempts == 0) {
      parts_.metrics.was_old(std::chrono::duration<double>(wall_now() - job.job.enqueued).count());
    }
    parts_.metrics.began();
    work_on(job);
    parts_.metrics.ended();
  }

  void work_on(const ClaimedJob& job) {
    const Instant began = instant_now();
    burn_cpu(std::min(parts_.options.job_cpu_ms, parts_.options.job_ms));
    const double rest_ms = parts_.options.job_ms - to_seconds(instant_now() - began) * 1000;
    if (rest_ms > 0 && !sleep_for(clock_, milliseconds(static_cast<int>(rest_ms)), parts_.working)) {
      return give_back(job);
    }
    const auto outcome = attempt(job.job);
    if (!outcome) return failed(job, outcome.error());
    std::optional<NextStage> next;
    if (!parts_.options.next.empty()) next = NextStage{parts_.options.next, *outcome};
    auto done = queue_->done(job, next);
    // The next stage's queue is full: this one waits for it, so that the first one's producers will.
    while (!done && done.error().code == ErrorCode::kTooManyRequests) {
      parts_.metrics.count(WorkerEvent::kHeldBack);
      if (!sleep_for(clock_, kErrorPause, parts_.working)) return give_back(job);
      done = queue_->done(job, next);
    }
    if (!done && done.error().code == ErrorCode::kInvalid) return failed(job, done.error());
    if (!told(done, WorkerEvent::kProcessed)) return;
    parts_.metrics.took(to_seconds(instant_now() - began));
  }

  Result<std::string> attempt(const Job& job) {
    if (parts_.options.fail_rate > 0 && random_.uniform() < parts_.options.fail_rate) {
      return fail(ErrorCode::kUnavailable, "failed by --fail-rate");
    }
    return parts_.handler(job, connection_);
  }

  void failed(const ClaimedJob& job, const Error& error) {
    const int failures = job.attempts + 1;
    if (!is_retryable(error)) {
      bury(job, error.message);
    } else if (failures >= parts_.options.max_attempts) {
      bury(job, fmt::format("{} tries, the last: {}", failures, error.message));
    } else {
      const auto delay = retry_delay(failures, parts_.options.retry_base, kLongestRetryDelay, random_.uniform());
      told(queue_->retry_later(job, delay), WorkerEvent::kRetried);
    }
  }

  bool bury(const ClaimedJob& job, const std::string& why) {
    if (!told(queue_->bury(job, why), WorkerEvent::kDead)) return false;
    log_warn("job is dead", {{"queue", parts_.options.queue}, {"id", job.job.id}, {"why", why}});
    return true;
  }

  void give_back(const ClaimedJob& job) { told(queue_->give_back(job), WorkerEvent::kReturned); }

  // Counts what became of the job. False if it is the event of another worker, or not known: then the next claim has
  // it.
  bool told(const Result<bool>& answer, WorkerEvent event) {
    if (!answer) {
      parts_.failed(answer.error());
      return false;
    }
    parts_.metrics.count(*answer ? event : WorkerEvent::kRepeated);
    return *answer;
  }

  const SlotParts& parts_;
  const std::string& consumer_;
  const SystemClock clock_;
  Random random_;
  RedisConnection connection_;
  const std::unique_ptr<JobTransport> queue_;
};

}  // namespace

void run_slot(const SlotParts& parts, const std::string& consumer) { Slot(parts, consumer).run(); }

}  // namespace scalableapp::workload
