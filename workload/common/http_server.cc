#include "workload/common/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t kMaxHeaderBytes = 8 * 1024;

HttpRequest to_request(http::request<http::string_body>&& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  const auto question = target.find('?');
  request.path = std::string(target.substr(0, question));
  std::string_view rest =
      question == target.npos ? std::string_view() : target.substr(question + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    request.query[percent_decoded(pair.substr(0, equals), PlusSign::kSpace)] =
        equals == pair.npos ? "" : percent_decoded(pair.substr(equals + 1), PlusSign::kSpace);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

// What all connections of one server share.
struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  std::atomic<bool> close_after_answers = false;
  std::atomic<std::size_t> in_flight = 0;
  std::atomic<std::size_t> connections = 0;
};

// One client: read a request, hand it over, write the answer, again. All its members are touched on
// its strand only; an answer from another thread is dispatched there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->connections;
    error_code gone;
    const auto peer = stream_.socket().remote_endpoint(gone);
    if (!gone) peer_ = peer.address().to_string();
  }
  ~Connection() {
    answered();
    --shared_->connections;
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(shared_->options.max_body_bytes);
    stream_.expires_after(shared_->options.read_timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(error_code error) {
    stream_.expires_never();
    if (error) {
      keep_alive_ = false;
      version_ = 11;
      if (error == http::error::body_limit)
        return write(error_response(413, "the body is too large"));
      if (error == http::error::header_limit) {
        return write(error_response(431, "the headers are too large"));
      }
      // Errors of HTTP's own category are malformed requests, but for the ends of a connection.
      if (error.category() == make_error_code(http::error::bad_method).category() &&
          error != http::error::end_of_stream && error != http::error::partial_message) {
        return write(error_response(400, "this is not an HTTP/1.1 request"));
      }
      return;
    }
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    ++shared_->in_flight;
    is_in_flight_ = true;
    auto request = to_request(std::move(message));
    request.peer = peer_;
    shared_->handler(std::move(request),
                     [self = shared_from_this()](HttpResponse response) {
                       asio::dispatch(self->stream_.get_executor(),
                                      [self, response = std::move(response)]() mutable {
                                        self->write(std::move(response));
                                      });
                     });
  }

  void write(HttpResponse response) {
    response_ = {};
    response_.version(version_);
    response_.result(static_cast<unsigned>(response.status));
    response_.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) response_.set(name, value);
    response_.keep_alive(keep_alive_ && !shared_->close_after_answers);
    response_.body() = std::move(response.body);
    response_.prepare_payload();
    // A client that does not read its answer holds the connection no longer than a slow sender.
    stream_.expires_after(shared_->options.read_timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        self->answered();
                        if (error) return;
                        if (self->response_.keep_alive()) return self->read();
                        self->stream_.socket().shutdown(tcp::socket::shutdown_send, error);
                        self->linger();
                      });
  }

  // Closing with unread input would reset the connection and could cost the client its answer:
  // read until the client closes, for a short while.
  void linger() {
    stream_.expires_after(seconds(1));
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (error) return;
                              self->lingered_ += size;
                              if (self->lingered_ < 256 * 1024) self->linger();
                            });
  }

  void answered() {
    if (std::exchange(is_in_flight_, false)) --shared_->in_flight;
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  bool is_in_flight_ = false;
  bool keep_alive_ = false;
  unsigned version_ = 11;
  std::size_t lingered_ = 0;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(const HttpServerOptions& options, HttpHandler handler)
      : shared_(std::make_shared<Shared>()),
        io_(options.threads),
        acceptor_(make_strand(io_)),
        retry_(acceptor_.get_executor()) {
    shared_->options = options;
    shared_->handler = std::move(handler);
  }

  ~BeastServer() override {
    io_.stop();
    threads_.clear();
  }

  error_code listen() {
    error_code error;
    const auto& options = shared_->options;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) return error;
    const tcp::endpoint endpoint(address, static_cast<unsigned short>(options.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(1024, error);  // A spike's connections wait here, none is refused.
    if (error) return error;
    port_ = acceptor_.local_endpoint().port();
    accept();
    for (int index = 0; index < options.threads; ++index) {
      threads_.emplace_back([this] { io_.run(); });
    }
    return error;
  }

  int port() const override { return port_; }
  void close_after_answers() override { shared_->close_after_answers = true; }
  void stop_accepting() override {
    asio::dispatch(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
    });
  }
  std::size_t in_flight() const override { return shared_->in_flight; }

 private:
  void accept() {
    acceptor_.async_accept(make_strand(io_), [this](error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error && shared_->connections < shared_->options.max_connections) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<Connection>(std::move(socket), shared_)->read();
      }
      if (!error) return accept();
      // Out of file descriptors, most likely: trying at once again would only spin.
      retry_.expires_after(milliseconds(50));
      retry_.async_wait([this](error_code) { accept(); });
    });
  }

  std::shared_ptr<Shared> shared_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  int port_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace

std::string percent_decoded(std::string_view text, PlusSign plus_sign) {
  const auto hex = [](char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && hex(text[at + 1]) >= 0 &&
        hex(text[at + 2]) >= 0) {
      decoded += static_cast<char>(hex(text[at + 1]) * 16 + hex(text[at + 2]));
      at += 2;
    } else {
      decoded += text[at] == '+' && plus_sign == PlusSign::kSpace ? ' ' : text[at];
    }
  }
  return decoded;
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (beast::iequals(beast::string_view(key.data(), key.size()),
                       beast::string_view(name.data(), name.size()))) {
      return value;
    }
  }
  return {};
}

std::string_view HttpRequest::cookie(std::string_view name) const {
  std::string_view rest = header("Cookie");
  while (!rest.empty()) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const auto end = rest.find(';');
    const auto pair = rest.substr(0, end);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  return {};
}

HttpResponse error_response(int status, std::string_view message) {
  return {status, nlohmann::json{{"error", message}}.dump(
                      -1, ' ', false, nlohmann::json::error_handler_t::replace) +
                      "\n"};
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options,
                                                      HttpHandler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  if (const auto error = server->listen()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("--{}={}: cannot listen on {}: {}", options.port_flag, options.port,
                            options.address, error.message()));
  }
  return server;
}

}  // namespace scalableapp::workload
