#include "workload/worker/worker.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "workload/common/burn.h"
#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/common/job_queue.h"
#include "workload/common/metrics_page.h"
#include "workload/common/random_id.h"
#include "workload/common/stop.h"

namespace scalableapp::workload {
namespace {

// Three renewals fit into the alive time of job_queue.cc; a dead worker's jobs come back within
// that and one round of this.
constexpr seconds kHousekeepingInterval{2};
// A claim blocks for a second on Redis' side.
constexpr milliseconds kCommandTimeout{3000};
// After an error of Redis the next try waits, beyond what the connection's own backoff does.
constexpr milliseconds kErrorPause{200};

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : processed(counter(registry, "jobs_processed_total", "Jobs done.")),
        repeated(counter(registry, "jobs_repeated_total",
                         "Jobs done that another worker had taken over.")),
        returned(counter(registry, "jobs_returned_total", "Jobs put back at the stop.")),
        reclaimed(counter(registry, "jobs_reclaimed_total", "Jobs of dead workers put back.")),
        malformed(counter(registry, "jobs_malformed_total", "Entries dropped that are not jobs.")),
        redis_errors(counter(registry, "redis_errors_total", "Redis commands that failed.")),
        in_progress(prometheus::BuildGauge()
                        .Name("jobs_in_progress")
                        .Help("Jobs in work.")
                        .Register(registry)
                        .Add({})),
        duration(prometheus::BuildHistogram()
                     .Name("job_duration_seconds")
                     .Help("From the claim of a job to its end.")
                     .Register(registry)
                     .Add({}, latency_buckets())),
        age(prometheus::BuildHistogram()
                .Name("job_age_seconds")
                .Help("From the acceptance of a job to its claim.")
                .Register(registry)
                .Add({},
                     std::vector<double>{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300})) {
  }

  prometheus::Counter& processed;
  prometheus::Counter& repeated;
  prometheus::Counter& returned;
  prometheus::Counter& reclaimed;
  prometheus::Counter& malformed;
  prometheus::Counter& redis_errors;
  prometheus::Gauge& in_progress;
  prometheus::Histogram& duration;
  prometheus::Histogram& age;
};

class RunningWorker final : public Worker {
 public:
  RunningWorker(const WorkerOptions& options, const HostPort& redis)
      : options_(options),
        redis_{.server = redis, .command_timeout = kCommandTimeout},
        metrics_(page_.registry()),
        name_(random_id().substr(0, 16)) {}

  ~RunningWorker() override {
    drain();
    housekeeper_ = {};
    admin_.reset();
  }

  Result<void> open() {
    auto admin = HttpServer::start(
        {.address = options_.address,
         .port = options_.admin_port,
         .port_flag = "admin-port",
         .max_connections = 256},
        [this](const HttpRequest& request, const Respond& respond) { respond(answer(request)); });
    if (!admin) return tl::unexpected(admin.error());
    admin_ = std::move(*admin);
    housekeeper_ = std::jthread([this](const std::stop_token& stop) { keep_house(stop); });
    for (int index = 0; index < options_.concurrency; ++index) {
      slots_.emplace_back([this, slot = slot_name(index)] { run_slot(slot); });
    }
    return {};
  }

  int admin_port() const override { return admin_->port(); }

  void drain() override {
    if (slots_.empty()) return;
    log_info("draining", {{"in_progress", metrics_.in_progress.Value()}});
    claiming_.request_stop();
    {
      const auto deadline =
          clock_.monotonic_now() + milliseconds(static_cast<int>(options_.drain_seconds * 1000));
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
  std::string slot_name(int index) const { return fmt::format("{}-{}", name_, index); }

  // Claims and works until asked to stop. Never gives a job up without putting it back; if Redis
  // does not answer, the job stays in the slot's list, from where another worker reclaims it.
  void run_slot(const std::string& slot) {
    {
      const std::lock_guard lock(mutex_);
      ++running_slots_;
    }
    RedisConnection connection(redis_);
    JobQueue queue(connection, options_.queue);
    bool may_hold_one = false;
    while (!claiming_.stop_requested()) {
      const auto job = may_hold_one ? queue.held_by(slot) : queue.claim(slot);
      if (!job) {
        // The claim may have been carried out all the same.
        may_hold_one = true;
        redis_failed(job.error());
        sleep_for(clock_, kErrorPause, claiming_.get_token());
        continue;
      }
      if (*job) {
        may_hold_one = !work_on(queue, slot, **job);
      } else {
        may_hold_one = false;
      }
    }
    // What a failed claim may have left goes back as well.
    if (const auto held = queue.held_by(slot); held && *held) give_back(queue, slot, **held);
    if (const auto left = queue.leave(slot); !left) redis_failed(left.error());
    const std::lock_guard lock(mutex_);
    --running_slots_;
    changed_.notify_all();
  }

  // False if it is not known whether the job is out of the slot's list.
  bool work_on(JobQueue& queue, const std::string& slot, const std::string& payload) {
    const auto job = Job::decode(payload);
    if (!job) {
      log_warn("malformed job dropped", {{"error", job.error()}});
      metrics_.malformed.Increment();
      return queue.done(slot, payload).has_value();
    }
    metrics_.age.Observe(std::chrono::duration<double>(wall_now() - job->enqueued).count());
    metrics_.in_progress.Increment();
    const Instant began = instant_now();
    burn_cpu(std::min(options_.job_cpu_ms, options_.job_ms));
    const double rest_ms = options_.job_ms - to_seconds(instant_now() - began) * 1000;
    const bool is_finished =
        rest_ms <= 0 ||
        sleep_for(clock_, milliseconds(static_cast<int>(rest_ms)), working_.get_token());
    metrics_.in_progress.Decrement();
    if (!is_finished) return give_back(queue, slot, payload);
    const auto done = queue.done(slot, payload);
    if (!done) {
      redis_failed(done.error());
      return false;
    }
    (*done ? metrics_.processed : metrics_.repeated).Increment();
    metrics_.duration.Observe(to_seconds(instant_now() - began));
    return true;
  }

  bool give_back(JobQueue& queue, const std::string& slot, const std::string& payload) {
    if (const auto given = queue.give_back(slot, payload); !given) {
      redis_failed(given.error());
      return false;
    }
    metrics_.returned.Increment();
    return true;
  }

  void keep_house(const std::stop_token& stop) {
    RedisConnection connection(redis_);
    JobQueue queue(connection, options_.queue);
    do {
      for (int index = 0; index < options_.concurrency; ++index) {
        // Slots that have left stay dead; a slot's own claims renew it as well.
        if (claiming_.stop_requested() && metrics_.in_progress.Value() == 0) break;
        if (const auto alive = queue.keep_alive(slot_name(index)); !alive) break;
      }
      const auto reclaimed = queue.reclaim();
      if (reclaimed && *reclaimed > 0) {
        metrics_.reclaimed.Increment(static_cast<double>(*reclaimed));
        log_warn("reclaimed jobs of a dead worker", {{"jobs", *reclaimed}});
      }
      read_length(queue);
      for (int beat = 1;
           beat < kHousekeepingInterval.count() && sleep_for(clock_, seconds(1), stop); ++beat) {
        read_length(queue);
      }
    } while (sleep_for(
        clock_, waiting_ == kUnknown && !was_reached_ ? milliseconds(100) : milliseconds(1000),
        stop));
  }

  void read_length(JobQueue& queue) {
    const auto length = queue.length();
    waiting_ = length ? *length : kUnknown;
    if (length) was_reached_ = true;
    if (!length) redis_failed(length.error());
  }

  void redis_failed(const Error& error) {
    metrics_.redis_errors.Increment();
    const std::lock_guard lock(mutex_);
    if (instant_now() < next_log_) return;
    next_log_ = instant_now() + seconds(5);
    log_warn("redis failed", {{"error", error}});
  }

  HttpResponse answer(const HttpRequest& request) {
    if (request.method != "GET") return error_response(405, "use GET");
    if (request.path == "/metrics") {
      const long long waiting = waiting_;
      return {200,
              page_.render() + queue_length_text(options_.queue, waiting == kUnknown
                                                                     ? std::nullopt
                                                                     : std::optional(waiting)),
              kMetricsContentType};
    }
    if (request.path == "/livez") return {200, "ok\n", "text/plain"};
    if (request.path == "/readyz" || request.path == "/healthz") {
      const char* why = claiming_.stop_requested() ? "draining"
                        : !was_reached_            ? "redis was not reached yet"
                                                   : "";
      return {*why == '\0' ? 200 : 503, fmt::format("{}\n", *why == '\0' ? "ok" : why),
              "text/plain"};
    }
    return error_response(404, "use /metrics, /livez, /readyz or /healthz");
  }

  static constexpr long long kUnknown = -1;

  const WorkerOptions options_;
  const RedisOptions redis_;
  SystemClock clock_;
  MetricsPage page_;
  Metrics metrics_;
  const std::string
      name_;  // By chance: a restarted container must not take itself for its predecessor.
  std::stop_source claiming_;
  std::stop_source working_;
  std::atomic<long long> waiting_ = kUnknown;
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

Result<std::unique_ptr<Worker>> Worker::start(const WorkerOptions& options) {
  const auto redis = parse_host_port(options.redis, "redis");
  if (!redis) return tl::unexpected(redis.error());
  auto worker = std::make_unique<RunningWorker>(options, *redis);
  if (auto opened = worker->open(); !opened) return tl::unexpected(opened.error());
  log_info("working", {{"queue", options.queue}, {"admin_port", worker->admin_port()}});
  return worker;
}

Result<void> run_worker(const WorkerOptions& options, std::stop_token stop) {
  auto worker = Worker::start(options);
  if (!worker) return tl::unexpected(worker.error());
  wait_until_stopped(stop);
  (*worker)->drain();
  return {};
}

}  // namespace scalableapp::workload
