#include "workload/worker/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/common/metrics_page.h"
#include "workload/common/random_id.h"
#include "workload/common/stop.h"
#include "workload/database/database.h"
#include "workload/worker/slot.h"
#include "workload/worker/worker_metrics.h"

namespace scalableapp::workload {
namespace {

// A claim blocks for a second on Redis' side.
constexpr milliseconds kCommandTimeout{3000};
// Four renewals fit into the time after which a worker is dead.
constexpr milliseconds kMaxHousekeepingInterval{1000};
constexpr milliseconds kFirstReachInterval{100};

Result<JobHandler> find_handler(const std::string& name, const JobHandlers& handlers) {
  const auto found = handlers.find(name);
  if (found != handlers.end()) return found->second;
  std::string names;
  for (const auto& [known, handler] : handlers) names += (names.empty() ? "" : ", ") + known;
  return fail(ErrorCode::kInvalid, fmt::format("--handler={}: must be one of {}", name, names));
}

class RunningWorker final : public Worker {
 public:
  RunningWorker(const WorkerOptions& options, const HostPort& redis)
      : options_(options),
        metrics_(page_.registry()),
        parts_{.options = options_,
               .redis = {.server = redis, .command_timeout = kCommandTimeout},
               .metrics = metrics_,
               .failed = [this](const Error& error) { queue_failed(error); },
               .claiming = claiming_.get_token(),
               .working = working_.get_token()} {
    // By chance: a restarted container must not take itself for its predecessor.
    const auto name = random_id().substr(0, 16);
    for (int index = 0; index < options.concurrency; ++index) consumers_.push_back(fmt::format("{}-{}", name, index));
  }

  ~RunningWorker() override {
    drain();
    housekeeper_ = {};
    admin_.reset();
  }

  Result<void> open(const MakeJobHandlers& make_handlers) {
    if (!options_.database.shards.empty()) {
      auto database = Database::open(options_.database, page_.registry());
      if (!database) return tl::unexpected(database.error());
      database_ = std::move(*database);
    }
    auto queues = Queues::open(options_.transport);
    if (!queues) return tl::unexpected(queues.error());
    queues_ = std::move(*queues);
    parts_.queues = queues_.get();
    auto handler = find_handler(options_.handler, make_handlers(database_.get()));
    if (!handler) return tl::unexpected(handler.error());
    parts_.handler = std::move(*handler);
    auto admin = HttpServer::start(
        {.address = options_.address, .port = options_.admin_port, .port_flag = "admin-port", .max_connections = 256},
        [this](const HttpRequest& request, const Respond& respond) { respond(answer(request)); });
    if (!admin) return tl::unexpected(admin.error());
    admin_ = std::move(*admin);
    housekeeper_ = std::jthread([this](const std::stop_token& stop) { keep_house(stop); });
    running_slots_ = options_.concurrency;
    for (const auto& consumer : consumers_) {
      slots_.emplace_back([this, &consumer] {
        run_slot(parts_, consumer);
        const std::lock_guard lock(mutex_);
        --running_slots_;
        changed_.notify_all();
      });
    }
    return {};
  }

  int admin_port() const override { return admin_->port(); }

  void drain() override {
    if (slots_.empty()) return;
    log_info("draining", {{"in_progress", metrics_.in_progress()}});
    claiming_.request_stop();
    {
      const auto deadline = clock_.monotonic_now() + milliseconds(static_cast<int>(options_.drain_seconds * 1000));
      std::unique_lock lock(mutex_);
      while (running_slots_ > 0 && clock_.monotonic_now() < deadline) {
        clock_.wait_until(changed_, lock, deadline, {});
      }
    }
    working_.request_stop();
    slots_.clear();
    log_info("drained");
  }

 private:
  void keep_house(const std::stop_token& stop) {
    RedisConnection connection(parts_.redis);
    const auto queue = queues_->queue(connection, options_.queue);
    const auto interval = std::min(kMaxHousekeepingInterval, options_.transport.dead_after / 4);
    do {
      if (const auto kept = keep_up(*queue); !kept) queue_failed(kept.error());
      const auto backlog = queue->backlog();
      metrics_.show_queue(options_.queue, backlog ? std::optional(*backlog) : std::nullopt);
      if (backlog) was_reached_ = true;
    } while (sleep_for(clock_, was_reached_ ? interval : kFirstReachInterval, stop));
  }

  Result<void> keep_up(JobTransport& queue) {
    for (const auto& consumer : consumers_) {
      if (auto renewed = queue.renew(consumer); !renewed) return renewed;
    }
    return queue.keep_up();
  }

  void queue_failed(const Error& error) {
    metrics_.count(WorkerEvent::kQueueError);
    const std::lock_guard lock(mutex_);
    if (instant_now() < next_log_) return;
    next_log_ = instant_now() + seconds(5);
    log_warn("the queue failed", {{"error", error}});
  }

  HttpResponse answer(const HttpRequest& request) {
    if (request.method != "GET") return error_response(405, "use GET");
    if (request.path == "/metrics") return {200, page_.render(), kMetricsContentType};
    if (request.path == "/livez") return {200, "ok\n", "text/plain"};
    if (request.path == "/readyz" || request.path == "/healthz") {
      const char* why = claiming_.stop_requested() ? "draining" : !was_reached_ ? "the queue was not reached yet" : "";
      return {*why == '\0' ? 200 : 503, fmt::format("{}\n", *why == '\0' ? "ok" : why), "text/plain"};
    }
    return error_response(404, "use /metrics, /livez, /readyz or /healthz");
  }

  const WorkerOptions options_;
  SystemClock clock_;
  MetricsPage page_;
  WorkerMetrics metrics_;
  std::stop_source claiming_;
  std::stop_source working_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Queues> queues_;
  SlotParts parts_;  // Set before the first slot starts.
  std::vector<std::string> consumers_;
  std::atomic<bool> was_reached_ = false;
  std::mutex mutex_;  // Guards the next two.
  int running_slots_ = 0;
  Instant next_log_{};
  std::condition_variable_any changed_;
  std::unique_ptr<HttpServer> admin_;
  std::jthread housekeeper_;
  std::vector<std::jthread> slots_;
};

}  // namespace

Result<std::unique_ptr<Worker>> Worker::start(const WorkerOptions& options, const MakeJobHandlers& make_handlers) {
  const auto redis = parse_host_port(options.redis, "redis");
  if (!redis) return tl::unexpected(redis.error());
  if (options.next == options.queue)
    return fail(ErrorCode::kInvalid, fmt::format("--next={}: must not be the queue itself", options.next));
  auto worker = std::make_unique<RunningWorker>(options, *redis);
  if (auto opened = worker->open(make_handlers); !opened) return tl::unexpected(opened.error());
  log_info("working", {{"queue", options.queue}, {"admin_port", worker->admin_port()}});
  return worker;
}

Result<void> run_worker(const WorkerOptions& options, const MakeJobHandlers& make_handlers, std::stop_token stop) {
  auto worker = Worker::start(options, make_handlers);
  if (!worker) return tl::unexpected(worker.error());
  wait_until_stopped(stop);
  (*worker)->drain();
  return {};
}

}  // namespace scalableapp::workload
