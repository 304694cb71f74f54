// HttpTransport: the one seam between the project and its HTTP library. Plain structs in, values
// out; no Kubernetes knowledge, no retries of its own but one: a 401 whose token file has changed
// since. make_cpprest_transport (cpprest_transport.h) is the real one; tests script their own.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::kube {

struct HttpRequest {
  std::string method = "GET";
  std::string path_and_query;  // Absolute, already percent-encoded: "/api/v1/pods?limit=5".
  std::string content_type = {};
  std::string accept = "application/json";
  std::string body = {};

  bool operator==(const HttpRequest&) const = default;
};

struct HttpResponse {
  int status = 0;
  std::string body = {};
  std::optional<milliseconds> retry_after = {};  // From Retry-After, where it gave seconds.

  bool ok() const { return status >= 200 && status < 300; }
  bool operator==(const HttpResponse&) const = default;
};

// Gets one line without its "\n"; false ends the stream.
using OnLine = std::function<bool(std::string_view line)>;

// Thread-safe.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // One request and its whole answer, whatever its status. Fails with kUnavailable only if the
  // request never left (no connection), so that it may be repeated; kTimeout if it left and no
  // whole answer came, so that nobody knows whether it was carried out; kDecode if the answer is
  // over the endpoint's limit; kCancelled; kInvalid (not a URL).
  virtual Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) = 0;

  // One request whose 2xx answer is handed over line by line, on the calling thread. Returns with
  // an empty body once the server has ended the answer or `on_line` said false; with the body at
  // once if the status is not 2xx. Fails as send does, with kTimeout when the answer does not begin
  // within the endpoint's request timeout or nothing at all arrived for `idle_timeout` after that,
  // and with kUnavailable when the answer broke off. A last line without "\n" is dropped and makes
  // the answer a broken one.
  virtual Result<HttpResponse> stream(const HttpRequest& request, milliseconds idle_timeout,
                                      const OnLine& on_line, std::stop_token stop) = 0;
};

// Where and as whom to connect. A value; PEM texts, not paths, except for the token that rotates.
struct Endpoint {
  std::string base_url = {};         // "https://10.0.0.1:6443", "http://prometheus:9090/prefix".
  std::string ca_pem = {};           // Only these are trusted; empty: those of the system.
  std::string client_cert_pem = {};  // With intermediates; empty: none.
  std::string client_key_pem = {};
  std::string bearer_token = {};       // Fixed. Empty: none.
  std::string bearer_token_file = {};  // Wins over bearer_token; read again while it is in use.
  bool insecure_skip_tls_verify = false;
  milliseconds request_timeout{10'000};  // Of one send or a stream's head, connecting included.
  // Of one send's answer; nothing: as long as it is. Lists of the API server are as long as there
  // are objects.
  std::optional<std::size_t> max_body_bytes = {};

  bool operator==(const Endpoint&) const = default;
};

// Cuts a byte stream into lines. Thread-compatible.
class LineSplitter {
 public:
  // Longer lines are a broken stream: the API server's own limit for an object is about 3 MiB.
  static constexpr std::size_t kMaxLine = 16U << 20U;

  enum class Status { kMore, kStopped, kTooLong };
  // Calls `on_line` for each line that `bytes` completes, until it says false. Empty lines are
  // skipped.
  Status feed(std::string_view bytes, const OnLine& on_line);
  // Bytes of a line whose end has not come yet.
  std::size_t pending() const { return rest_.size(); }

 private:
  std::string rest_;
};

}  // namespace scalableapp::kube
