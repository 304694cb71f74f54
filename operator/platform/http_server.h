// A small HTTP/1.1 server for health checks, metrics and debugging pages: GET and HEAD only, no
// TLS, no files, one answer a connection. Not for the open internet. civetweb is used in
// http_server.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "operator/base/result.h"

namespace scalableapp {

struct ServerRequest {
  std::string path;   // Without the query, percent-decoded.
  std::string query;  // As sent, without the "?"; see query_parameter.
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
};

// Called on the server's threads, several at a time.
using ServerHandler = std::function<ServerResponse(const ServerRequest&)>;

struct ServerOptions {
  // IPv4, of the interface to listen on. Empty: on all of them, and by IPv6 too where the kernel
  // and civetweb have it (Debian 12's civetweb is built without).
  std::string address = {};
  std::uint16_t port = 0;  // 0: one that is free, see HttpServer::port.
  // A scrape and a probe at once; more wait their turn.
  int threads = 2;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;  // Waits for the handlers that run; takes up to 2 s.
  virtual std::uint16_t port() const = 0;
};

// Serves at once. A handler gets its path and all below it ("/debug" serves "/debug/x", not
// "/debugger"); the longest path wins; others get 404. A handler that throws is a 500. kUnavailable
// if the address cannot be listened on.
Result<std::unique_ptr<HttpServer>> start_http_server(
    const ServerOptions& options, std::map<std::string, ServerHandler> handlers);

// The decoded value of `name` in "a=1&b=x%20y"; empty if there is none.
std::string query_parameter(const std::string& query, const std::string& name);

}  // namespace scalableapp
