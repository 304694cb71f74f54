#include "workload/service/service.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"
#include "workload/common/burn.h"
#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/common/job_queue.h"
#include "workload/common/random_id.h"
#include "workload/common/redis.h"
#include "workload/common/work_pool.h"
#include "workload/service/service_metrics.h"
#include "workload/service/sessions.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

// Requests that need Redis and may wait for a connection; with time-outs of half a second, a Redis
// that hangs fills this and the rest is shed at once.
constexpr std::size_t kMaxRedisQueue = 256;
// The pod's grace period is 30 s: after the drain there is this much for what is in work.
constexpr seconds kFinishTimeout{15};

// Users' names and job ids are bytes of the client, which need not be UTF-8.
HttpResponse json_response(int status, const json& body) {
  return {status, body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

HttpResponse unavailable(std::string_view why) {
  auto response = error_response(503, why);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

class RunningService final : public Service {
 public:
  RunningService(const ServiceOptions& options, const HostPort& redis)
      : options_(options), started_(instant_now()), metrics_(options.version_label, options.queue) {
    for (int index = 0; index < options.redis_connections; ++index) {
      connections_.push_back(std::make_unique<RedisConnection>(RedisOptions{.server = redis}));
    }
    probe_connection_ = std::make_unique<RedisConnection>(RedisOptions{.server = redis});
  }

  ~RunningService() override {
    // The admin port asks all others; those that give answers end before the server that sends
    // them.
    probe_ = {};
    admin_.reset();
    work_.reset();
    redis_work_.reset();
    server_.reset();
  }

  Result<void> open() {
    work_ = std::make_unique<WorkPool>(static_cast<std::size_t>(options_.concurrency),
                                       static_cast<std::size_t>(options_.max_queue));
    redis_work_ = std::make_unique<WorkPool>(connections_.size(), kMaxRedisQueue);
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
    const char* route;
    Instant began;
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  struct Route {
    const char* path;
    const char* method;
    void (RunningService::*serve)(const ExchangePtr&);
  };
  static constexpr std::array<Route, 6> routes() {
    return {{{"/", "GET", &RunningService::serve_root},
             {"/work", "GET", &RunningService::serve_work},
             {"/login", "POST", &RunningService::serve_login},
             {"/session", "GET", &RunningService::serve_session},
             {"/jobs", "POST", &RunningService::serve_jobs},
             {"/version", "GET", &RunningService::serve_version}}};
  }

  void answer(HttpRequest request, Respond respond) {
    const auto exchange = std::make_shared<Exchange>(
        Exchange{std::move(request), std::move(respond), "other", instant_now()});
    for (const auto& route : routes()) {
      if (exchange->request.path != route.path) continue;
      exchange->route = route.path;
      if (exchange->request.method == route.method) return (this->*route.serve)(exchange);
      auto refused = error_response(405, fmt::format("use {}", route.method));
      refused.headers.emplace_back("Allow", route.method);
      return finish(exchange, std::move(refused));
    }
    finish(exchange, error_response(404, "no such route"));
  }

  void finish(const ExchangePtr& exchange, HttpResponse response) {
    const auto& method = exchange->request.method;
    metrics_.answered(exchange->route, method == "GET" || method == "POST" ? method : "other",
                      response.status, to_seconds(instant_now() - exchange->began));
    exchange->respond(std::move(response));
  }

  bool fails_by_chance() {
    return options_.error_rate > 0 && random_.uniform() < options_.error_rate;
  }

  void serve_root(const ExchangePtr& exchange) {
    if (fails_by_chance()) return finish(exchange, error_response(500, "failed by --error-rate"));
    finish(exchange, json_response(200, {{"ok", true}, {"version", options_.version_label}}));
  }

  void serve_version(const ExchangePtr& exchange) {
    finish(exchange, json_response(200, {{"version", options_.version_label},
                                         {"build", SCALABLEAPP_VERSION}}));
  }

  // A cost from the query, `initial` without one; negative if it is not a number in range.
  static double cost_of(const HttpRequest& request, const char* name, double initial) {
    const auto found = request.query.find(name);
    if (found == request.query.end()) return initial;
    double cost = -1;
    return parse_number(found->second, cost) && cost >= 0 && cost <= 10'000 ? cost : -1;
  }

  void serve_work(const ExchangePtr& exchange) {
    const double cpu_ms = cost_of(exchange->request, "cpu_ms", options_.cpu_ms);
    const double wait_ms = cost_of(exchange->request, "wait_ms", options_.wait_ms);
    if (cpu_ms < 0 || wait_ms < 0) {
      return finish(exchange,
                    error_response(400, "cpu_ms and wait_ms must be numbers from 0 to 10000"));
    }
    const bool taken = work_->try_submit([this, exchange, cpu_ms, wait_ms](std::size_t) {
      if (fails_by_chance()) return finish(exchange, error_response(500, "failed by --error-rate"));
      const bool is_cold = warmup_progress() < 1;
      const double factor = options_.slowdown * (is_cold ? options_.cold_factor : 1.0);
      const auto hash = burn_cpu(cpu_ms * factor);
      std::this_thread::sleep_for(to_duration(wait_ms * factor / 1000));
      finish(exchange,
             json_response(200, {{"hash", fmt::format("{:016x}", hash)}, {"cold", is_cold}}));
    });
    if (!taken) {
      metrics_.shed(exchange->route);
      finish(exchange, unavailable("overloaded"));
    }
  }

  // Runs `call` with a connection to Redis on one of the threads that may wait for it.
  void with_redis(const ExchangePtr& exchange,
                  std::function<Result<HttpResponse>(RedisConnection&)> call) {
    const bool taken =
        redis_work_->try_submit([this, exchange, call = std::move(call)](std::size_t thread) {
          auto response = call(*connections_[thread]);
          if (response) return finish(exchange, std::move(*response));
          redis_failed(response.error());
          finish(exchange, unavailable("redis does not answer"));
        });
    if (!taken) {
      metrics_.shed(exchange->route);
      finish(exchange, unavailable("overloaded"));
    }
  }

  void serve_login(const ExchangePtr& exchange) {
    const auto user = exchange->request.query.find("user");
    std::string name = user == exchange->request.query.end() ? "anonymous" : user->second;
    if (name.empty() || name.size() > 64) {
      return finish(exchange, error_response(400, "user must have 1 to 64 characters"));
    }
    with_redis(exchange, [this, name = std::move(name)](RedisConnection& redis) {
      return new_session(redis, name);
    });
  }

  Result<HttpResponse> new_session(RedisConnection& redis, const std::string& user) {
    const auto id = Sessions(redis, options_.session_ttl_seconds).create(user);
    if (!id) return tl::unexpected(id.error());
    metrics_.session_created();
    auto response = json_response(200, {{"session", *id}, {"user", user}});
    response.headers.emplace_back(
        "Set-Cookie", fmt::format("session={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", *id,
                                  options_.session_ttl_seconds));
    return response;
  }

  void serve_session(const ExchangePtr& exchange) {
    with_redis(exchange, [this, exchange](RedisConnection& redis) -> Result<HttpResponse> {
      std::string id(exchange->request.header("X-Session"));
      if (id.empty()) id = exchange->request.cookie("session");
      if (id.empty()) return new_session(redis, "anonymous");
      const auto user = Sessions(redis, options_.session_ttl_seconds).find(id);
      if (!user) return tl::unexpected(user.error());
      if (!*user) {
        metrics_.session_unknown();
        return error_response(401, "no such session");
      }
      metrics_.session_verified();
      return json_response(200, {{"user", **user}});
    });
  }

  void serve_jobs(const ExchangePtr& exchange) {
    std::string id(exchange->request.header("Idempotency-Key"));
    if (id.size() > 128) {
      return finish(exchange,
                    error_response(400, "Idempotency-Key must have at most 128 characters"));
    }
    if (id.empty()) id = random_id();
    with_redis(exchange,
               [this, id = std::move(id)](RedisConnection& redis) -> Result<HttpResponse> {
                 const auto put = JobQueue(redis, options_.queue).put({id, wall_now()});
                 if (!put) return tl::unexpected(put.error());
                 if (*put) metrics_.job_accepted();
                 return json_response(202, {{"id", id}});
               });
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
    JobQueue queue(*probe_connection_, options_.queue);
    do {
      const auto length = queue.length();
      jobs_waiting_ = length ? *length : kUnknown;
      if (length) redis_was_reached_ = true;
      if (!length) redis_failed(length.error());
    } while (sleep_for(clock_, redis_was_reached_ ? milliseconds(1000) : milliseconds(100), stop));
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
      return json_response(200, {{"ready", why_not_ready().empty()},
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
    return "";
  }

  ServiceGauges gauges() const {
    const long long waiting = jobs_waiting_;
    return {.in_flight = static_cast<double>(server_->in_flight()),
            .queued = static_cast<double>(work_->queued()),
            .warmup_progress = warmup_progress(),
            .draining = draining_,
            .redis_up = waiting != kUnknown,
            .jobs_waiting = waiting == kUnknown ? std::nullopt : std::optional(waiting)};
  }

  static constexpr long long kUnknown = -1;

  const ServiceOptions options_;
  const Instant started_;
  SystemClock clock_;
  Random random_;
  ServiceMetrics metrics_;
  std::vector<std::unique_ptr<RedisConnection>> connections_;  // Each used by its pool thread only.
  std::unique_ptr<RedisConnection> probe_connection_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> redis_was_reached_ = false;
  std::atomic<long long> jobs_waiting_ = kUnknown;
  std::mutex log_mutex_;  // Guards the next.
  Instant next_redis_log_{};
  std::unique_ptr<WorkPool> work_;
  std::unique_ptr<WorkPool> redis_work_;
  std::unique_ptr<HttpServer> admin_;
  std::unique_ptr<HttpServer> server_;
  std::jthread probe_;
};

}  // namespace

Result<std::unique_ptr<Service>> Service::start(const ServiceOptions& options) {
  const auto redis = parse_host_port(options.redis, "redis");
  if (!redis) return tl::unexpected(redis.error());
  auto service = std::make_unique<RunningService>(options, *redis);
  if (auto opened = service->open(); !opened) return tl::unexpected(opened.error());
  log_info("serving", {{"port", service->port()},
                       {"admin_port", service->admin_port()},
                       {"version", options.version_label}});
  return service;
}

}  // namespace scalableapp::workload
