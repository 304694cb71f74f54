// A small asynchronous HTTP/1.1 server: keep-alive, bounded headers and bodies, many cheap
// connections on one or two threads. Handlers must not block; they answer when they like, from any
// thread. No TLS, no streaming, no routing. Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::workload {

struct HttpRequest {
  std::string method;
  std::string path;                          // Without the query.
  std::map<std::string, std::string> query;  // Percent-decoded; the last of equal names wins.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer;  // The address at the other end of the connection: a proxy's, behind one.

  // Value of the header, names compared without case; empty if there is none.
  std::string_view header(std::string_view name) const;
  // Value of the cookie; empty if there is none.
  std::string_view cookie(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// %XX as bytes, anything else as it is; in a query a plus sign stands for a space.
enum class PlusSign { kItself, kSpace };
std::string percent_decoded(std::string_view text, PlusSign plus_sign);

// {"error": message} with that status.
HttpResponse error_response(int status, std::string_view message);

// To be called exactly once, from any thread.
using Respond = std::function<void(HttpResponse)>;
using HttpHandler = std::function<void(HttpRequest, Respond)>;

struct HttpServerOptions {
  std::string address = "0.0.0.0";
  int port = 0;                    // 0: any free one.
  const char* port_flag = "port";  // The flag to name if the port cannot be had.
  int threads = 1;
  std::size_t max_connections = 10'000;    // More are closed as they come: memory stays bounded.
  std::size_t max_body_bytes = 64 * 1024;  // More: 413.
  // How long a connection may take to send a whole request, idle time included.
  milliseconds read_timeout = seconds(65);
};

class HttpServer {
 public:
  // Listens and serves until destroyed, which must come after the last answer was given.
  // kUnavailable when the port cannot be had.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options,
                                                   HttpHandler handler);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
  // From now on each answer closes its connection; new connections are still taken.
  virtual void close_after_answers() = 0;
  virtual void stop_accepting() = 0;
  // Requests that were read and whose answer is not handed to the kernel yet.
  virtual std::size_t in_flight() const = 0;
};

}  // namespace scalableapp::workload
