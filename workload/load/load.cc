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
#include "workload/load/calibrate.h"
#include "workload/load/limits.h"

namespace scalableapp::workload {
namespace {

class RunningLoadServer final : public LoadServer {
 public:
  explicit RunningLoadServer(const LoadOptions& options)
      : options_(options),
        generator_(Generator::create(
            generator_options(options),
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
         .max_connections = 256,
         .max_body_bytes = 1 << 20},
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
    return text_of([this](Generator::OnText give) { generator_->report(std::move(give)); });
  }

  std::string html_report() override {
    return text_of([this](Generator::OnText give) { generator_->html_report(std::move(give)); });
  }

 private:
  std::string text_of(const std::function<void(Generator::OnText)>& ask) {
    std::optional<std::string> given;
    ask([&](std::string text) {
      const std::lock_guard guard(mutex_);
      given = std::move(text);
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given.has_value(); });
    return *given;
  }

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
      if (!read_number(request, "since", since)) {
        return respond(error_response(400, "since must be a Unix time in whole seconds"));
      }
      return generator_->timeline(since, json);
    }
    if (path == "/report.html") {
      return generator_->html_report(
          [respond](std::string text) { respond({200, std::move(text), "text/html"}); });
    }
    if (path == "/accepted") return answer_accepted(request, respond);
    if (!is_command) {
      return respond(error_response(
          404, "use /metrics, /stats, /timeline, /report, /report.html, /accepted, POST /start or "
               "POST /stop"));
    }
    if (!options_.serve) return respond(error_response(403, "only with --serve"));
    if (path == "/stop") {
      generator_->stop();
      log_info("stopped by request");
      return json("{}\n");
    }
    auto spec = run_spec_from_body(request.body, options_);
    if (!spec) return respond(error_response(400, spec.error().message));
    const auto profile = spec->streams[0].profile_text;
    if (auto started = generator_->start(std::move(*spec)); !started) {
      return respond(error_response(503, started.error().message));
    }
    log_info("started by request", {{"profile", profile}});
    json("{}\n");
  }

  // True if the parameter is absent, which leaves `into` alone, or a whole number from 0 on.
  static bool read_number(const HttpRequest& request, const char* name, std::int64_t& into) {
    const auto found = request.query.find(name);
    if (found == request.query.end()) return true;
    const auto& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end == text.data() + text.size() && into >= 0;
  }

  void answer_accepted(const HttpRequest& request, const Respond& respond) {
    constexpr std::int64_t kMostLines = 100'000;
    std::int64_t offset = 0;
    std::int64_t limit = 10'000;
    if (!read_number(request, "offset", offset) || !read_number(request, "limit", limit) ||
        limit > kMostLines) {
      return respond(error_response(
          400, fmt::format("offset must be a whole number from 0, limit one up to {}", kMostLines)));
    }
    const auto endpoint = request.query.find("endpoint");
    generator_->accepted(
        endpoint == request.query.end() ? "" : endpoint->second, static_cast<std::size_t>(offset),
        static_cast<std::size_t>(limit),
        [respond](std::optional<std::string> ids) {
          if (!ids) return respond(error_response(404, "the run has no such endpoint"));
          respond({200, std::move(*ids), "text/plain"});
        });
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
  if (const auto spec = run_spec(options); !spec) return tl::unexpected(spec.error());
  auto server = std::make_unique<RunningLoadServer>(options);
  if (auto opened = server->open(); !opened) return tl::unexpected(opened.error());
  log_info("the generator's own limits",
           {{"connections", room_for_connections(options.max_connections)},
            {"local_ports", local_ports()},
            {"requests_per_second", kMaxRate}});
  return server;
}

namespace {

Result<void> write_file(const std::string& flag, const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (file.flush()) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("--{}={}: cannot write it", flag, path));
}

}  // namespace

Result<void> run_load(const LoadOptions& options, std::stop_token stop) {
  if (options.calibrate) {
    fmt::print("{}", describe(calibrate()));
    return {};
  }
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
  if (!options.html.empty()) {
    const auto written = write_file("html", options.html, (*server)->html_report());
    if (!written) return written;
  }
  if (options.report != "-") return write_file("report", options.report, *report);
  fmt::print("{}", *report);
  return {};
}

}  // namespace scalableapp::workload
