#include "workload/service/service.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"
#include "workload/apps/answer.h"
#include "workload/apps/families.h"
#include "workload/apps/recommender.h"
#include "workload/cache/cache.h"
#include "workload/common/burn.h"
#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/common/redis.h"
#include "workload/common/work_pool.h"
#include "workload/database/database.h"
#include "workload/jobs/intake.h"
#include "workload/protection/protection.h"
#include "workload/region/store.h"
#include "workload/service/family_runner.h"
#include "workload/service/service_metrics.h"

namespace scalableapp::workload {
namespace {

// The pod's grace period is 30 s: after the drain there is this much for what is in work.
constexpr seconds kFinishTimeout{15};

HttpResponse unavailable(std::string_view why) {
  auto response = error_response(503, why);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

bool is_usual(std::string_view method) {
  return method == "GET" || method == "POST" || method == "PUT" || method == "DELETE" || method == "HEAD";
}

class RunningService final : public Service {
 public:
  RunningService(const ServiceOptions& options, const HostPort& redis)
      : options_(options),
        redis_{.server = redis},
        started_(instant_now()),
        metrics_(options.version_label) {
    probe_connection_ = std::make_unique<RedisConnection>(redis_);
  }

  ~RunningService() override {
    // The admin port asks all others; those that give answers end before the server that sends
    // them.
    probe_ = {};
    admin_.reset();
    work_.reset();
    families_.reset();
    server_.reset();
  }

  Result<void> open() {
    work_ = std::make_unique<WorkPool>(static_cast<std::size_t>(options_.concurrency),
                                       static_cast<std::size_t>(options_.max_queue));
    protection_ = std::make_unique<Protection>(options_.protection, metrics_.registry());
    cache_ = std::make_unique<Cache>(options_.cache, redis_, metrics_.registry());
    if (!options_.database.shards.empty()) {
      auto database = Database::open(options_.database, metrics_.registry());
      if (!database) return tl::unexpected(database.error());
      database_ = std::move(*database);
    }
    auto jobs = JobIntake::start(options_.jobs, redis_, metrics_.registry());
    if (!jobs) return tl::unexpected(jobs.error());
    jobs_ = std::move(*jobs);
    if (options_.recommendations.empty()) {
      recommender_ = std::make_unique<Recommender>(Recommender::Cost{
          .cpu_ms = options_.recommendation_cpu_ms, .wait_ms = options_.recommendation_wait_ms});
    } else {
      const auto server = parse_host_port(options_.recommendations, "recommendations");
      if (!server) return tl::unexpected(server.error());
      recommender_ = std::make_unique<Recommender>(*server, options_.recommendations_timeout,
                                                   protection_->dependency("recommendations"));
    }
    auto families = make_families(options_.apps, {.registry = metrics_.registry(),
                                                  .redis = redis_,
                                                  .cache = cache_.get(),
                                                  .database = database_.get(),
                                                  .jobs = jobs_.get(),
                                                  .recommender = recommender_.get(),
                                                  .region = options_.region,
                                                  .session_ttl_seconds = options_.session_ttl_seconds,
                                                  .keeps_sessions_itself = options_.session_store == "process",
                                                  .queue = options_.jobs.queue,
                                                  .index_directory = options_.index_directory,
                                                  .restaurants = options_.restaurants});
    if (!families) return tl::unexpected(families.error());
    families_ = std::make_unique<FamilyRunner>(
        std::move(*families), redis_, options_.redis_connections, *protection_,
        FamilyRunner::Hooks{.before_call = [this] { return cost_of_a_call(); },
                            .shed = [this](const std::string& route) { metrics_.shed(route); },
                            .failed = [this](const Error& error) { redis_failed(error); }});
    HttpServerOptions listen{
        .address = options_.address, .port = options_.port, .threads = options_.io_threads};
    auto server = HttpServer::start(listen, [this](HttpRequest request, Respond respond) {
      answer(std::move(request), std::move(respond));
    });
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    listen = {.address = options_.address,
              .port = options_.admin_port,
              .port_flag = "admin-port",
              .max_connections = 256};
    auto admin =
        HttpServer::start(listen, [this](const HttpRequest& request, const Respond& respond) {
          respond(answer_admin(request));
        });
    if (!admin) return tl::unexpected(admin.error());
    admin_ = std::move(*admin);
    probe_ = std::jthread([this](const std::stop_token& stop) { probe_redis(stop); });
    return {};
  }

  int port() const override { return server_->port(); }
  int admin_port() const override { return admin_->port(); }

  void drain(std::stop_token hurry) override {
    draining_ = true;
    server_->close_after_answers();
    log_info("draining",
             {{"seconds", options_.drain_seconds}, {"in_flight", server_->in_flight()}});
    sleep_for(clock_, std::chrono::duration_cast<milliseconds>(to_duration(options_.drain_seconds)),
              hurry);
    server_->stop_accepting();
    const Instant give_up = instant_now() + kFinishTimeout;
    while (server_->in_flight() > 0 && instant_now() < give_up && !hurry.stop_requested()) {
      sleep_for(clock_, milliseconds(10), hurry);
    }
    log_info("drained", {{"in_flight", server_->in_flight()}});
  }

 private:
  // An answer on its way: counted and timed when it is given.
  struct Exchange {
    HttpRequest request;
    Respond respond;
    std::string route = "other";
    std::string method;
    Instant began = instant_now();
    std::optional<Protection::Place> place = {};
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  struct OwnRoute {
    const char* path;
    const char* method;
    void (RunningService::*serve)(const ExchangePtr&);
  };
  static constexpr std::array<OwnRoute, 3> routes() {
    return {{{"/", "GET", &RunningService::serve_root},
             {"/work", "GET", &RunningService::serve_work},
             {"/version", "GET", &RunningService::serve_version}}};
  }

  void answer(HttpRequest request, Respond respond) {
    const auto exchange = std::make_shared<Exchange>();
    exchange->method = request.method;
    exchange->request = std::move(request);
    exchange->respond = std::move(respond);
    if (is_evacuated_) {
      auto refused = unavailable("this region is evacuated");
      refused.headers.emplace_back("X-Evacuated", options_.region);
      return finish(exchange, std::move(refused));
    }
    for (const auto& route : routes()) {
      if (exchange->request.path != route.path) continue;
      exchange->route = route.path;
      if (exchange->request.method == route.method) return (this->*route.serve)(exchange);
      auto refused = error_response(405, fmt::format("use {}", route.method));
      refused.headers.emplace_back("Allow", route.method);
      return finish(exchange, std::move(refused));
    }
    families_->answer(std::move(exchange->request), [this, exchange](FamilyRunner::Outcome outcome) {
      exchange->route = std::move(outcome.route);
      finish(exchange, std::move(outcome.response));
    });
  }

  void finish(const ExchangePtr& exchange, HttpResponse response) {
    if (exchange->place) exchange->place->done(ending_of(response.status), instant_now());
    const auto& method = exchange->method;  // One of few, as it is a label.
    metrics_.answered(exchange->route, is_usual(method) ? method : "other",
                      response.status, to_seconds(instant_now() - exchange->began));
    exchange->respond(std::move(response));
  }

  bool fails_by_chance() {
    return options_.error_rate > 0 && random_.uniform() < options_.error_rate;
  }

  void serve_root(const ExchangePtr& exchange) {
    if (fails_by_chance()) return finish(exchange, error_response(500, "failed by --error-rate"));
    finish(exchange, json_answer(200, {{"ok", true}, {"version", options_.version_label}}));
  }

  void serve_version(const ExchangePtr& exchange) {
    finish(exchange, json_answer(200, {{"version", options_.version_label},
                                         {"build", SCALABLEAPP_VERSION}}));
  }

  // A cost from the query, `initial` without one; negative if it is not a number in range.
  static double cost_of(const HttpRequest& request, const char* name, double initial) {
    const auto found = request.query.find(name);
    if (found == request.query.end()) return initial;
    double cost = -1;
    return parse_number(found->second, cost) && cost >= 0 && cost <= 10'000 ? cost : -1;
  }

  // What each request of a family costs besides what it does.
  Result<void> cost_of_a_call() {
    if (fails_by_chance()) return fail(ErrorCode::kInternal, "failed by --error-rate");
    const double factor = options_.slowdown * (warmup_progress() < 1 ? options_.cold_factor : 1.0);
    if (options_.call_cpu_ms > 0) burn_cpu(options_.call_cpu_ms * factor);
    if (options_.call_wait_ms > 0) std::this_thread::sleep_for(to_duration(options_.call_wait_ms * factor / 1000));
    return {};
  }

  void serve_work(const ExchangePtr& exchange) {
    const double cpu_ms = cost_of(exchange->request, "cpu_ms", options_.cpu_ms);
    const double wait_ms = cost_of(exchange->request, "wait_ms", options_.wait_ms);
    if (cpu_ms < 0 || wait_ms < 0) {
      return finish(exchange,
                    error_response(400, "cpu_ms and wait_ms must be numbers from 0 to 10000"));
    }
    auto place = protection_->admit(Priority::kNormal, instant_now());
    if (!place) {
      metrics_.shed(exchange->route);
      return finish(exchange, overloaded());
    }
    exchange->place.emplace(std::move(*place));
    const bool taken = work_->try_submit([this, exchange, cpu_ms, wait_ms](std::size_t) {
      if (fails_by_chance()) return finish(exchange, error_response(500, "failed by --error-rate"));
      const bool is_cold = warmup_progress() < 1;
      const double factor = options_.slowdown * (is_cold ? options_.cold_factor : 1.0);
      const auto hash = burn_cpu(cpu_ms * factor);
      std::this_thread::sleep_for(to_duration(wait_ms * factor / 1000));
      finish(exchange,
             json_answer(200, {{"hash", fmt::format("{:016x}", hash)}, {"cold", is_cold}}));
    });
    if (!taken) {
      metrics_.shed(exchange->route);
      finish(exchange, overloaded());
    }
  }

  void redis_failed(const Error& error) {
    metrics_.redis_failed();
    const std::lock_guard lock(log_mutex_);
    const Instant now = instant_now();
    if (now < next_redis_log_) return;
    next_redis_log_ = now + seconds(5);  // One line says it; a spike of failures needs no thousand.
    log_warn("redis failed", {{"error", error}});
  }

  double warmup_progress() const {
    if (options_.warmup_seconds <= 0) return 1;
    return std::min(1.0, to_seconds(instant_now() - started_) / options_.warmup_seconds);
  }

  void probe_redis(const std::stop_token& stop) {
    do {
      const auto pong = probe_connection_->run_twice_at_most({"PING"});
      redis_up_ = pong.has_value();
      if (pong) redis_was_reached_ = true;
      if (!pong) redis_failed(pong.error());
      look_for_evacuation();
    } while (sleep_for(clock_, redis_was_reached_ ? milliseconds(1000) : milliseconds(100), stop));
  }

  // What cannot be asked stays as it was.
  void look_for_evacuation() {
    if (options_.region.empty()) return;
    const auto asked = RegionStore(*probe_connection_, options_.region).is_evacuated();
    if (!asked || *asked == is_evacuated_) return;
    is_evacuated_ = *asked;
    log_info(*asked ? "evacuated: all requests are refused" : "takes traffic again", {{"region", options_.region}});
  }

  HttpResponse answer_admin(const HttpRequest& request) {
    if (request.method != "GET") return error_response(405, "use GET");
    if (request.path == "/metrics") return {200, metrics_.page(gauges()), kMetricsContentType};
    if (request.path == "/livez") return {200, "ok\n", "text/plain"};
    if (request.path == "/readyz") {
      const auto why = why_not_ready();
      return {why.empty() ? 200 : 503, (why.empty() ? "ok" : why) + "\n", "text/plain"};
    }
    if (request.path == "/healthz") {
      const auto now = gauges();
      return json_answer(200, {{"ready", why_not_ready().empty()},
                                 {"why_not_ready", why_not_ready()},
                                 {"warmup_progress", now.warmup_progress},
                                 {"draining", now.draining},
                                 {"redis_up", now.redis_up},
                                 {"in_flight", now.in_flight},
                                 {"queued", now.queued}});
    }
    return error_response(404, "use /metrics, /livez, /readyz or /healthz");
  }

  std::string why_not_ready() const {
    if (draining_) return "draining";
    if (!redis_was_reached_) return "redis was not reached yet";
    if (options_.warmup_readiness && warmup_progress() < 1) return "warming up";
    return families_->why_not_ready();
  }

  ServiceGauges gauges() const {
    return {.in_flight = static_cast<double>(server_->in_flight()),
            .queued = static_cast<double>(work_->queued()),
            .warmup_progress = warmup_progress(),
            .draining = draining_,
            .redis_up = redis_up_};
  }

  const ServiceOptions options_;
  const RedisOptions redis_;
  const Instant started_;
  SystemClock clock_;
  Random random_;
  ServiceMetrics metrics_;
  std::unique_ptr<RedisConnection> probe_connection_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> redis_was_reached_ = false;
  std::atomic<bool> redis_up_ = false;
  std::atomic<bool> is_evacuated_ = false;
  std::mutex log_mutex_;  // Guards the next.
  Instant next_redis_log_{};
  std::unique_ptr<WorkPool> work_;
  std::unique_ptr<Protection> protection_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<JobIntake> jobs_;
  std::unique_ptr<Recommender> recommender_;
  std::unique_ptr<FamilyRunner> families_;
  std::unique_ptr<HttpServer> admin_;
  std::unique_ptr<HttpServer> server_;
  std::jthread probe_;
};

}  // namespace

Result<std::unique_ptr<Service>> Service::start(const ServiceOptions& options) {
  const auto redis = parse_host_port(options.redis, "redis");
  if (!redis) return tl::unexpected(redis.error());
  if (!options.region.empty()) {
    if (auto checked = check_region(options.region, "region"); !checked) return tl::unexpected(checked.error());
  }
  auto service = std::make_unique<RunningService>(options, *redis);
  if (auto opened = service->open(); !opened) return tl::unexpected(opened.error());
  log_info("serving", {{"port", service->port()},
                       {"admin_port", service->admin_port()},
                       {"version", options.version_label}});
  return service;
}

}  // namespace scalableapp::workload
