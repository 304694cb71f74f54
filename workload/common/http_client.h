// Asks one other HTTP server: blocking, each call with a deadline of its own, over one connection that is kept. No TLS,
// no redirects. One thread; whoever needs several at once makes a client a thread.
#pragma once

#include <memory>
#include <string>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(HostPort server);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is an answer. kUnavailable without a connection, kTimeout after `timeout`; connecting and looking the
  // name up count. A request on a kept connection that the server had closed is sent once more: methods that change
  // something need an idempotency key.
  Result<HttpAnswer> ask(const std::string& method, const std::string& target, const std::string& body,
                         milliseconds timeout);

 private:
  class Connection;
  const HostPort server_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace scalableapp::workload
