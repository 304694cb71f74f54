#include "workload/jobs/intake.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

#include "operator/platform/clock.h"
#include "workload/common/instant.h"
#include "workload/jobs/age_gate.h"
#include "workload/jobs/queue_metrics.h"

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxQueues = 16;
// An age gate lags by this at most; a hundred pods ask a Redis 200 times a second for each queue.
constexpr milliseconds kLookInterval{500};

Result<std::vector<std::string>> queues_of(const IntakeOptions& options) {
  std::vector<std::string> queues = {options.queue};
  const auto& list = options.more_queues;
  for (std::size_t from = 0; !list.empty() && from <= list.size();) {
    const auto comma = std::min(list.find(',', from), list.size());
    auto name = list.substr(from, comma - from);
    from = comma + 1;
    if (name.empty()) return fail(ErrorCode::kInvalid, fmt::format("--job-queues={}: must be names, A,B,C", list));
    if (std::ranges::find(queues, name) == queues.end()) queues.push_back(std::move(name));
  }
  if (queues.size() > kMaxQueues) {
    return fail(ErrorCode::kInvalid, fmt::format("--job-queues={}: must be at most {} queues", list, kMaxQueues - 1));
  }
  return queues;
}

class RunningIntake final : public JobIntake {
 public:
  RunningIntake(const IntakeOptions& options, const RedisOptions& redis, prometheus::Registry& registry,
                const std::vector<std::string>& queues, std::unique_ptr<Queues> transport)
      : options_(options),
        redis_(redis),
        transport_(std::move(transport)),
        metrics_(registry),
        accepted_(
            prometheus::BuildCounter().Name("jobs_accepted_total").Help("Jobs put into the queue.").Register(registry)),
        shed_(prometheus::BuildCounter()
                  .Name("jobs_shed_total")
                  .Help("Jobs refused because the queue was too old or too long.")
                  .Register(registry)) {
    for (const auto& queue : queues) add(queue, true);
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }

  void add_queue(const std::string& queue) override { add(queue, false); }

  bool is_open(const std::string& name) const override {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(name);
    return found != queues_.end() && found->second.is_open;
  }

  Result<void> admits(const std::string& name) override {
    auto queue = find(name);
    if (!queue) return tl::unexpected(queue.error());
    return admits(name, **queue);
  }

  Result<bool> put(RedisConnection& redis, const std::string& name, const Job& job) override {
    const auto queue = find(name);
    if (!queue) return tl::unexpected(queue.error());
    if (auto admitted = admits(name, **queue); !admitted) return tl::unexpected(admitted.error());
    const auto put = transport_->queue(redis, name)->put(job);
    if (put && *put) (*queue)->accepted.Increment();
    if (!put && put.error().code == ErrorCode::kTooManyRequests) (*queue)->shed.Increment();
    return put;
  }

 private:
  struct Queue {
    AgeGate gate;  // Under mutex_.
    const bool is_open;
    prometheus::Counter& accepted;
    prometheus::Counter& shed;
  };

  void add(const std::string& queue, bool is_open) {
    const std::lock_guard lock(mutex_);
    queues_.try_emplace(queue, Queue{AgeGate(options_.max_queue_age_seconds), is_open,
                                     accepted_.Add({{"queue", queue}}), shed_.Add({{"queue", queue}})});
  }

  Result<Queue*> find(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(name);
    if (found == queues_.end()) return fail(ErrorCode::kNotFound, "no such queue; --job-queues names those there are");
    return &found->second;
  }

  Result<void> admits(const std::string& name, Queue& queue) {
    const std::lock_guard lock(mutex_);
    const auto wait = queue.gate.retry_after(instant_now());
    if (!wait) return {};
    queue.shed.Increment();
    return tl::unexpected(Error{ErrorCode::kTooManyRequests, fmt::format("queue {} is behind", name), *wait});
  }

  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [name, queue] : queues_) all.push_back(name);
    return all;
  }

  void watch(const std::stop_token& stop) {
    RedisConnection connection(redis_);
    std::map<std::string, std::unique_ptr<JobTransport>> looks;
    do {
      for (const auto& name : names()) {
        auto& queue = looks[name];
        if (queue == nullptr) queue = transport_->queue(connection, name);
        const auto backlog = queue->backlog();
        metrics_.show(name, backlog ? std::optional(*backlog) : std::nullopt);
        if (!backlog) continue;
        const std::lock_guard lock(mutex_);
        queues_.at(name).gate.look(instant_now(), *backlog);
      }
    } while (sleep_for(clock_, kLookInterval, stop));
  }

  const IntakeOptions options_;
  const RedisOptions redis_;
  const std::unique_ptr<Queues> transport_;
  const SystemClock clock_;
  QueueMetrics metrics_;
  prometheus::Family<prometheus::Counter>& accepted_;
  prometheus::Family<prometheus::Counter>& shed_;
  mutable std::mutex mutex_;             // Guards the map and the gates in it.
  std::map<std::string, Queue> queues_;  // Only grows.
  std::jthread watcher_;                 // Last: uses all of the above.
};

}  // namespace

void add_intake_flags(FlagSet& flags, IntakeOptions& options) {
  flags.word(options.queue, "queue", "Queue that POST /jobs fills.");
  flags.text(options.more_queues, "job-queues", "Queues that POST /jobs/QUEUE may fill besides, A,B,C.");
  flags.number(options.max_queue_age_seconds, "max-queue-age-seconds",
               "Sheds jobs with 429 while the first of their queue has waited for longer; 0: never.", 0, 86'400);
  add_transport_flags(flags, options.transport);
}

Result<std::unique_ptr<JobIntake>> JobIntake::start(const IntakeOptions& options, const RedisOptions& redis,
                                                    prometheus::Registry& registry) {
  const auto queues = queues_of(options);
  if (!queues) return tl::unexpected(queues.error());
  auto transport = Queues::open(options.transport);
  if (!transport) return tl::unexpected(transport.error());
  return std::make_unique<RunningIntake>(options, redis, registry, *queues, std::move(*transport));
}

}  // namespace scalableapp::workload
