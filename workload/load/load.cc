#include "workload/load/load.h"

#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>

#include "operator/platform/log.h"
#include "workload/common/http_server.h"
#include "workload/common/metrics_page.h"
#include "workload/common/stop.h"

namespace scalableapp::workload {
namespace {

class RunningLoadServer final : public LoadServer {
 public:
  RunningLoadServer(const LoadOptions& options, const GeneratorOptions& generator)
      : options_(options),
        generator_(Generator::create(
            generator,
            [quiet = options.quiet](const std::string& line) {
              if (!quiet) fmt::print(stderr, "{}", line);
            },
            [this] {
              const std::lock_guard lock(mutex_);
              has_ended_ = true;
              changed_.notify_all();
            })) {}

  ~RunningLoadServer() override {
    generator_.reset();  // Its last answers go to the admin port's clients.
    admin_.reset();
  }

  Result<void> open() {
    auto admin = HttpServer::start(
        {.address = options_.address,
         .port = options_.admin_port,
         .port_flag = "admin-port",
         .max_connections = 256},
        [this](const HttpRequest& request, const Respond& respond) { answer(request, respond); });
    if (!admin) return tl::unexpected(admin.error());
    admin_ = std::move(*admin);
    return {};
  }

  int admin_port() const override { return admin_->port(); }

  Result<std::string> play(std::stop_token stop) override {
    auto spec = run_spec(options_);
    if (!spec) return tl::unexpected(spec.error());
    if (auto started = generator_->start(std::move(*spec)); !started)
      return tl::unexpected(started.error());
    std::unique_lock lock(mutex_);
    const auto over = [this] { return has_ended_; };
    if (!changed_.wait(lock, stop, over)) {
      generator_->stop();
      changed_.wait(lock, over);  // The last answers, at most one time-out.
    }
    lock.unlock();
    std::optional<std::string> report;
    generator_->report([&](std::string text) {
      const std::lock_guard guard(mutex_);
      report = std::move(text);
      changed_.notify_all();
    });
    lock.lock();
    changed_.wait(lock, [&] { return report.has_value(); });
    return *report;
  }

 private:
  void answer(const HttpRequest& request, const Respond& respond) {
    const auto json = [respond](std::string text) { respond({200, std::move(text)}); };
    const auto& path = request.path;
    const bool is_command = path == "/start" || path == "/stop";
    if (request.method != (is_command ? "POST" : "GET")) {
      return respond(error_response(405, is_command ? "use POST" : "use GET"));
    }
    if (path == "/metrics") return respond({200, generator_->metrics_page(), kMetricsContentType});
    if (path == "/livez" || path == "/readyz" || path == "/healthz")
      return respond({200, "ok\n", "text/plain"});
    if (path == "/stats") return generator_->stats(json);
    if (path == "/report") return generator_->report(json);
    if (path == "/timeline") {
      std::int64_t since = 0;
      if (const auto found = request.query.find("since"); found != request.query.end()) {
        const auto& text = found->second;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), since);
        if (error != std::errc{} || end != text.data() + text.size()) {
          return respond(error_response(400, "since must be a Unix time in whole seconds"));
        }
      }
      return generator_->timeline(since, json);
    }
    if (!is_command) {
      return respond(error_response(
          404, "use /metrics, /stats, /timeline, /report, POST /start or POST /stop"));
    }
    if (!options_.serve) return respond(error_response(403, "only with --serve"));
    if (path == "/stop") {
      generator_->stop();
      log_info("stopped by request");
      return json("{}\n");
    }
    auto spec = run_spec_from_json(request.body, options_);
    if (!spec) return respond(error_response(400, spec.error().message));
    const auto profile = spec->profile_text;
    if (auto started = generator_->start(std::move(*spec)); !started) {
      return respond(error_response(503, started.error().message));
    }
    log_info("started by request", {{"profile", profile}});
    json("{}\n");
  }

  const LoadOptions options_;
  std::mutex mutex_;  // Guards the next.
  bool has_ended_ = false;
  std::condition_variable_any changed_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<HttpServer> admin_;
};

}  // namespace

Result<std::unique_ptr<LoadServer>> LoadServer::start(const LoadOptions& options) {
  const auto generator = generator_options(options);
  if (!generator) return tl::unexpected(generator.error());
  if (const auto spec = run_spec(options); !spec) return tl::unexpected(spec.error());
  auto server = std::make_unique<RunningLoadServer>(options, *generator);
  if (auto opened = server->open(); !opened) return tl::unexpected(opened.error());
  return server;
}

Result<void> run_load(const LoadOptions& options, std::stop_token stop) {
  auto server = LoadServer::start(options);
  if (!server) return tl::unexpected(server.error());
  if (options.serve) {
    log_info("waiting for POST /start",
             {{"admin_port", (*server)->admin_port()}, {"target", options.target}});
    wait_until_stopped(stop);
    return {};
  }
  const auto report = (*server)->play(stop);
  if (!report) return tl::unexpected(report.error());
  if (options.report == "-") {
    fmt::print("{}", *report);
    return {};
  }
  std::ofstream file(options.report);
  file << *report;
  if (!file.flush())
    return fail(ErrorCode::kUnavailable,
                fmt::format("--report={}: cannot write it", options.report));
  return {};
}

}  // namespace scalableapp::workload
