#include "operator/platform/http_server.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include "operator/platform/log.h"

namespace scalableapp {
namespace {

// A client that is slower than this is cut off, so that it cannot hold one of the few threads for
// long.
constexpr const char* kRequestTimeoutMs = "5000";

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
}

class CivetServer final : public HttpServer {
 public:
  explicit CivetServer(std::map<std::string, ServerHandler> handlers)
      : handlers_(std::move(handlers)) {}
  CivetServer(const CivetServer&) = delete;
  CivetServer& operator=(const CivetServer&) = delete;
  ~CivetServer() override {
    if (context_ != nullptr) mg_stop(context_);
  }

  Result<void> start(const ServerOptions& options) {
    if (!options.address.empty()) {
      return listen_on(fmt::format("{}:{}", options.address, options.port), options.threads);
    }
    // "+": one socket for IPv4 and IPv6. A kernel without IPv6 has none to give.
    const auto started = listen_on(fmt::format("+{}", options.port), options.threads);
    if (started) return started;
    return listen_on(fmt::format("0.0.0.0:{}", options.port), options.threads);
  }

  std::uint16_t port() const override { return port_; }

 private:
  Result<void> listen_on(const std::string& listen, int thread_count) {
    const std::string threads = std::to_string(thread_count);
    std::array<const char*, 9> settings{"listening_ports",
                                        listen.c_str(),
                                        "num_threads",
                                        threads.c_str(),
                                        "request_timeout_ms",
                                        kRequestTimeoutMs,
                                        "enable_keep_alive",
                                        "no",
                                        nullptr};
    mg_callbacks callbacks{};
    callbacks.begin_request = &CivetServer::begin_request;
    callbacks.log_message = [](const mg_connection*, const char* message) {
      log_warn("http server", {{"message", message}});
      return 1;
    };
    std::array<char, 256> text{};
    mg_error_data error{};
    error.text = text.data();
    error.text_buffer_size = text.size();
    mg_init_data init{};
    init.callbacks = &callbacks;
    init.user_data = this;
    init.configuration_options = settings.data();
    context_ = mg_start2(&init, &error);
    if (context_ == nullptr) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("cannot listen on {}: {}", listen, text.data()));
    }
    mg_server_port bound{};
    mg_get_server_ports(context_, 1, &bound);
    port_ = static_cast<std::uint16_t>(bound.port);
    return {};
  }

  static int begin_request(mg_connection* connection) {
    const mg_request_info* info = mg_get_request_info(connection);
    const std::string_view method = info->request_method;
    ServerResponse response;
    if (method != "GET" && method != "HEAD") {
      response = {.status = 405, .body = "only GET and HEAD\n"};
    } else {
      response = static_cast<const CivetServer*>(info->user_data)->respond(*info);
    }
    const std::string head = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        response.status, mg_get_response_code_text(connection, response.status),
        response.content_type, response.body.size());
    mg_write(connection, head.data(), head.size());
    if (method != "HEAD") mg_write(connection, response.body.data(), response.body.size());
    return response.status;
  }

  ServerResponse respond(const mg_request_info& info) const {
    const ServerRequest request{info.local_uri, info.query_string ? info.query_string : ""};
    const ServerHandler* handler = nullptr;
    // In order of the paths, so a longer one comes after those it begins with.
    for (const auto& [prefix, candidate] : handlers_) {
      if (is_below(request.path, prefix)) handler = &candidate;
    }
    if (handler == nullptr) return {.status = 404, .body = "not found\n"};
    try {
      return (*handler)(request);
    } catch (const std::exception& error) {
      log_error("http handler threw", {{"path", request.path}, {"error", error.what()}});
      return {.status = 500, .body = "internal error\n"};
    }
  }

  const std::map<std::string, ServerHandler> handlers_;
  mg_context* context_ = nullptr;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> start_http_server(
    const ServerOptions& options, std::map<std::string, ServerHandler> handlers) {
  static const unsigned library = mg_init_library(MG_FEATURES_DEFAULT);
  static_cast<void>(library);
  auto server = std::make_unique<CivetServer>(std::move(handlers));
  if (const auto started = server->start(options); !started) return tl::unexpected(started.error());
  return server;
}

std::string query_parameter(const std::string& query, const std::string& name) {
  std::string value(query.size() + 1, '\0');  // Decoding never makes it longer.
  const int length =
      mg_get_var(query.data(), query.size(), name.c_str(), value.data(), value.size());
  value.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return value;
}

}  // namespace scalableapp
