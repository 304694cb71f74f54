#include "workload/common/http_client.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "workload/common/instant.h"

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxAnswerBytes = 1 << 20;

}  // namespace

class HttpClient::Connection {
 public:
  bool is_open() const { return is_open_; }
  bool has_answered() const { return has_answered_; }

  error_code connect(const HostPort& server, Instant deadline) {
    tcp::resolver resolver(io_);
    error_code error = asio::error::timed_out;
    stream_.expires_at(deadline);
    resolver.async_resolve(server.host, fmt::format("{}", server.port),
                           [&](error_code failed, const tcp::resolver::results_type& found) {
                             error = failed;
                             if (failed) return;
                             stream_.async_connect(found, [&](error_code refused, const tcp::endpoint&) {
                               error = refused;
                             });
                           });
    run(deadline, error);
    if (!error) stream_.socket().set_option(tcp::no_delay(true));
    is_open_ = !error;
    return error;
  }

  error_code ask(const http::request<http::string_body>& request, Instant deadline, HttpAnswer& answer) {
    error_code error = asio::error::timed_out;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxAnswerBytes);
    has_answered_ = false;
    stream_.expires_at(deadline);
    http::async_write(stream_, request, [&](error_code failed, std::size_t) {
      error = failed;
      if (failed) return;
      error = asio::error::timed_out;
      http::async_read(stream_, buffer_, parser, [&](error_code broken, std::size_t) { error = broken; });
    });
    run(deadline, error);
    has_answered_ = parser.got_some();
    is_open_ = !error && parser.get().keep_alive();
    if (!error) answer = {static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
    return error;
  }

 private:
  // A look-up cannot be cut short by the stream's expiry, so the loop has the deadline as well.
  void run(Instant deadline, error_code& error) {
    io_.restart();
    io_.run_until(deadline);
    if (io_.stopped()) return;
    error = asio::error::timed_out;
    stream_.close();
    io_.stop();
    io_.restart();
    while (io_.poll() > 0) {
    }
    error = asio::error::timed_out;
  }

  asio::io_context io_{1};
  beast::tcp_stream stream_{io_};
  beast::flat_buffer buffer_;
  bool is_open_ = false;
  bool has_answered_ = false;
};

HttpClient::HttpClient(HostPort server) : server_(std::move(server)) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::ask(const std::string& method, const std::string& target, const std::string& body,
                                   milliseconds timeout) {
  const Instant deadline = instant_now() + timeout;
  http::request<http::string_body> request{http::string_to_verb(method), target, 11};
  request.set(http::field::host, server_.host);
  request.set(http::field::user_agent, "demo-workload");
  request.body() = body;
  request.prepare_payload();
  const auto failed = [&](const error_code& error) {
    connection_.reset();
    const bool is_late = error == asio::error::timed_out || error == beast::error::timeout;
    return fail(is_late ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
                fmt::format("{}:{}: {}", server_.host, server_.port,
                            is_late ? "no answer within " + format_duration(timeout) : error.message()));
  };
  HttpAnswer answer;
  const bool was_kept = connection_ != nullptr && connection_->is_open();
  if (was_kept) {
    const auto error = connection_->ask(request, deadline, answer);
    if (!error) return answer;
    if (error == beast::error::timeout || error == asio::error::timed_out || connection_->has_answered()) {
      return failed(error);
    }
  }
  connection_ = std::make_unique<Connection>();
  if (const auto error = connection_->connect(server_, deadline)) return failed(error);
  if (const auto error = connection_->ask(request, deadline, answer)) return failed(error);
  return answer;
}

}  // namespace scalableapp::workload
