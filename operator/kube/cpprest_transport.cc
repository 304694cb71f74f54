#include "operator/kube/cpprest_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <mutex>

#define _TURN_OFF_PLATFORM_STRING  // Else cpprestsdk defines a macro called U.
#include <cpprest/http_client.h>
#include <fmt/format.h>
#include <pplx/threadpool.h>

#include <boost/asio/ssl.hpp>

namespace scalableapp::kube {
namespace {

namespace http = web::http;
using boost::asio::ip::tcp;

// cpprestsdk starts 40 threads unless told otherwise. They only move bytes (callers block on their
// own threads), so one does; several would wake each other for each step of each request, which was
// nearly half of the CPU of an operator at rest.
constexpr std::size_t kPoolThreads = 1;
// The kubelet replaces a service account's token when 80 % of its hour is over, and the old one
// stays valid for the rest: client-go rereads each minute, we do so twice as often.
constexpr milliseconds kTokenReread{30'000};
// cpprestsdk's own timer, per read. Above every time-out of ours, which end a call first.
constexpr seconds kLibraryTimeout{3600};
// How long a stream's end may take to be told apart from its breaking.
constexpr milliseconds kEndGrace{1'000};
// A peer that vanished without a word is noticed after idle + count * interval = 30 s; without it
// only by the watch's time-out.
constexpr int kKeepAliveIdleSeconds = 15;
constexpr int kKeepAliveIntervalSeconds = 5;
constexpr int kKeepAliveProbes = 3;
constexpr const char* kUserAgent = "scalableapp-operator";

// The bearer token, fixed or from a file that changes. Thread-safe.
class TokenCache {
 public:
  TokenCache(const Endpoint& endpoint, const Clock& clock)
      : file_(endpoint.bearer_token_file), clock_(clock), token_(endpoint.bearer_token) {}

  std::string current() {
    const std::lock_guard lock(mutex_);
    const MonotonicTime now = clock_.monotonic_now();
    if (!file_.empty() && (!read_at_ || now - *read_at_ >= kTokenReread)) read(now);
    return token_;
  }

  // Reads the file at once. True if that gave another token than `refused`.
  bool renew(const std::string& refused) {
    const std::lock_guard lock(mutex_);
    if (!file_.empty() && token_ == refused) read(clock_.monotonic_now());
    return token_ != refused;
  }

 private:
  void read(MonotonicTime now) {
    read_at_ = now;
    std::ifstream in(file_);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    text.erase(text.find_last_not_of(" \r\n\t") + 1);
    if (!text.empty()) token_ = std::move(text);  // Else keep the old one: it may still be valid.
  }

  const std::string file_;
  const Clock& clock_;
  std::mutex mutex_;
  std::string token_;                     // Guarded by mutex_.
  std::optional<MonotonicTime> read_at_;  // Guarded by mutex_.
};

using OnBytes = std::function<bool(std::string_view)>;
using Patience = std::function<milliseconds()>;  // How long the next wait may take.

enum class Outcome { kDone, kTimeout, kStopped };

// Blocks until `task` is over, whether well or badly.
template <typename T>
Outcome wait_for(const pplx::task<T>& task, milliseconds timeout, std::stop_token stop) {
  struct Signal {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool done = false;
  };
  if (task.is_done()) return Outcome::kDone;
  auto signal = std::make_shared<Signal>();
  task.then([signal](pplx::task<T> finished) {
    try {
      finished.wait();
    } catch (...) {  // Looked at by whoever asked for the task's value.
    }
    const std::lock_guard lock(signal->mutex);
    signal->done = true;
    signal->changed.notify_all();
  });
  std::unique_lock lock(signal->mutex);
  if (signal->changed.wait_for(lock, stop, timeout, [&] { return signal->done; })) {
    return Outcome::kDone;
  }
  return stop.stop_requested() ? Outcome::kStopped : Outcome::kTimeout;
}

// cpprestsdk 2.10 tells a failed connect from a failed exchange only by these words.
bool never_connected(std::string_view what) {
  return what.find("Failed to connect") != std::string_view::npos ||
         what.find("Error resolving address") != std::string_view::npos ||
         what.find("Failed to resolve") != std::string_view::npos ||
         what.find("SSL handshake") != std::string_view::npos;
}

tl::unexpected<Error> outcome_error(Outcome outcome, const char* timeout) {
  if (outcome == Outcome::kStopped) return fail(ErrorCode::kCancelled, "stopped");
  return fail(ErrorCode::kTimeout, timeout);
}

std::optional<milliseconds> retry_after_of(const http::http_response& response) {
  const auto it = response.headers().find("Retry-After");
  if (it == response.headers().end()) return std::nullopt;
  int value = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [stopped_at, error] = std::from_chars(it->second.data(), end, value);
  if (error != std::errc() || stopped_at != end || value < 0) return std::nullopt;
  return seconds(value);
}

bool is_ipv4_address(const std::string& host) {
  boost::system::error_code is_other;
  boost::asio::ip::make_address_v4(host, is_other);
  return !is_other;
}

// cpprestsdk hands a new connection's socket over before it has opened it, and connects one that is
// open already as it is. With an IPv4 address (the API server's, in a cluster) it is known how to
// open it; a name may turn out to be of either kind, and its connections are kept alive from their
// second request on only: in the first one there are just our time-outs.
void keep_alive(tcp::socket& socket, bool is_to_ipv4_address) {
  if (!socket.is_open()) {
    if (!is_to_ipv4_address) return;
    boost::system::error_code failed;
    socket.open(tcp::v4(), failed);
    if (failed) return;  // The connect will fail the same way, and be told of.
  }
  const int handle = socket.native_handle();
  const int on = 1;
  setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepAliveIdleSeconds, sizeof(int));
  setsockopt(handle, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepAliveIntervalSeconds, sizeof(int));
  setsockopt(handle, IPPROTO_TCP, TCP_KEEPCNT, &kKeepAliveProbes, sizeof(int));
}

using Authorities = std::shared_ptr<X509_STORE>;

// cpprestsdk has OpenSSL read the system's authorities for each new connection: half a megabyte and
// some 10 ms. Here that file is hidden from it (before other threads read the environment), and
// whoever wants it reads it once. Its path.
const std::string& system_authorities() {
  static const std::string path = [] {
    const char* variable = X509_get_default_cert_file_env();
    const char* chosen = std::getenv(variable);
    std::string file = chosen != nullptr ? chosen : X509_get_default_cert_file();
    setenv(variable, "/dev/null", 1);
    return file;
  }();
  return path;
}

// The authorities that may vouch for the endpoint: its own alone, or else the system's. Throws if
// its own cannot be read. Shared by its connections.
Authorities authorities_of(const Endpoint& endpoint) {
  const std::string& system = system_authorities();
  const Authorities store(X509_STORE_new(), X509_STORE_free);
  if (!endpoint.ca_pem.empty()) {
    boost::asio::ssl::context reader(boost::asio::ssl::context::sslv23);
    SSL_CTX_set1_cert_store(reader.native_handle(), store.get());
    reader.add_certificate_authority(boost::asio::buffer(endpoint.ca_pem));
  } else if (endpoint.base_url.starts_with("https:")) {
    X509_STORE_load_file(store.get(), system.c_str());  // Where there is none, nobody is trusted.
    X509_STORE_set_default_paths(store.get());          // The directory, read when needed.
  }
  return store;
}

void set_up_tls(const Endpoint& endpoint, const Authorities& authorities,
                boost::asio::ssl::context& context) {
  using boost::asio::buffer;
  SSL_CTX_set1_cert_store(context.native_handle(), authorities.get());
  if (!endpoint.client_cert_pem.empty()) {
    context.use_certificate_chain(buffer(endpoint.client_cert_pem));
    context.use_private_key(buffer(endpoint.client_key_pem), boost::asio::ssl::context::pem);
  }
}

http::client::http_client_config client_config(const Endpoint& endpoint,
                                               const Authorities& authorities) {
  http::client::http_client_config config;
  config.set_timeout(kLibraryTimeout);
  config.set_max_redirects(0);  // A redirect would carry the token to wherever it points.
  config.set_validate_certificates(!endpoint.insecure_skip_tls_verify);
  config.set_ssl_context_callback(
      [endpoint, authorities](boost::asio::ssl::context& context) {
        set_up_tls(endpoint, authorities, context);
      });
  const web::uri url(endpoint.base_url);
  const bool is_to_ipv4_address = is_ipv4_address(url.host());
  if (url.scheme() == "https") {
    config.set_nativehandle_options([is_to_ipv4_address](http::client::native_handle handle) {
      auto& stream = *static_cast<boost::asio::ssl::stream<tcp::socket&>*>(handle);
      keep_alive(stream.next_layer(), is_to_ipv4_address);
    });
  } else {
    config.set_nativehandle_options([is_to_ipv4_address](http::client::native_handle handle) {
      keep_alive(*static_cast<tcp::socket*>(handle), is_to_ipv4_address);
    });
  }
  return config;
}

class CpprestTransport final : public HttpTransport {
 public:
  CpprestTransport(const Endpoint& endpoint, const Authorities& authorities, const Clock& clock)
      : clock_(clock),
        request_timeout_(endpoint.request_timeout),
        max_body_bytes_(endpoint.max_body_bytes.value_or(std::numeric_limits<std::size_t>::max())),
        tokens_(endpoint, clock),
        requests_(web::uri(endpoint.base_url), client_config(endpoint, authorities)),
        watches_(web::uri(endpoint.base_url), client_config(endpoint, authorities)) {}

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    return with_token([&](const std::string& token) { return send_once(request, token, stop); });
  }

  Result<HttpResponse> stream(const HttpRequest& request, milliseconds idle_timeout,
                              const OnLine& on_line, std::stop_token stop) override {
    return with_token([&](const std::string& token) {
      return stream_once(request, token, idle_timeout, on_line, stop);
    });
  }

 private:
  template <typename Call>
  Result<HttpResponse> with_token(const Call& call) {
    const std::string token = tokens_.current();
    auto response = call(token);
    if (response && response->status == 401 && tokens_.renew(token)) {
      return call(tokens_.current());
    }
    return response;
  }

  static http::http_request prepare(const HttpRequest& from, const std::string& token) {
    http::http_request request(from.method);
    request.set_request_uri(web::uri(from.path_and_query));
    request.headers().add("User-Agent", kUserAgent);
    if (!from.accept.empty()) request.headers().add("Accept", from.accept);
    if (!token.empty()) request.headers().add("Authorization", "Bearer " + token);
    if (!from.body.empty()) request.set_body(from.body, from.content_type);
    return request;
  }

  // Starts the request and waits for the answer's head. Cancels it when that fails.
  static Result<http::http_response> head_of(http::client::http_client& client,
                                             const http::http_request& request,
                                             const pplx::cancellation_token_source& cancel,
                                             const Patience& patience, std::stop_token stop) {
    const auto head = client.request(request, cancel.get_token());
    const Outcome outcome = wait_for(head, patience(), stop);
    if (outcome != Outcome::kDone) {
      cancel.cancel();
      return outcome_error(outcome, "no answer in time");
    }
    return head.get();
  }

  Result<HttpResponse> send_once(const HttpRequest& from, const std::string& token,
                                 std::stop_token stop) {
    const pplx::cancellation_token_source cancel;
    const MonotonicTime deadline = clock_.monotonic_now() + request_timeout_;
    const Patience patience = [&] {
      return std::max(deadline - clock_.monotonic_now(), milliseconds(0));
    };
    try {
      const auto head = head_of(requests_, prepare(from, token), cancel, patience, stop);
      if (!head) return tl::unexpected(head.error());
      HttpResponse response{head->status_code(), {}, retry_after_of(*head)};
      bool is_too_long = false;
      const OnBytes keep = [&](std::string_view bytes) {
        is_too_long = bytes.size() > max_body_bytes_ - response.body.size();
        if (!is_too_long) response.body.append(bytes);
        return !is_too_long;
      };
      auto ended = read_body(*head, keep, cancel, patience, stop);
      if (!ended) return tl::unexpected(std::move(ended.error()));
      if (is_too_long) {
        return fail(ErrorCode::kDecode, fmt::format("an answer of over {} bytes", max_body_bytes_));
      }
      return response;
    } catch (const std::exception& error) {
      return broken(never_connected(error.what()) ? ErrorCode::kUnavailable : ErrorCode::kTimeout,
                    error.what(), cancel);
    }
  }

  Result<HttpResponse> stream_once(const HttpRequest& from, const std::string& token,
                                   milliseconds idle_timeout, const OnLine& on_line,
                                   std::stop_token stop) {
    const pplx::cancellation_token_source cancel;
    // The API server sends a watch's head at once, however long its first event takes.
    const Patience until_head = [this] { return request_timeout_; };
    const Patience patience = [idle_timeout] { return idle_timeout; };
    try {
      const auto head = head_of(watches_, prepare(from, token), cancel, until_head, stop);
      if (!head) return tl::unexpected(head.error());
      HttpResponse response{head->status_code(), {}, retry_after_of(*head)};
      LineSplitter lines;
      auto status = LineSplitter::Status::kMore;
      const OnBytes take = [&](std::string_view bytes) {
        if (!response.ok()) {
          response.body.append(bytes);
          return true;
        }
        status = lines.feed(bytes, on_line);
        return status == LineSplitter::Status::kMore;
      };
      auto ended = read_body(*head, take, cancel, patience, stop);
      if (!ended) return tl::unexpected(std::move(ended.error()));
      if (status == LineSplitter::Status::kTooLong) {
        return fail(ErrorCode::kDecode,
                    fmt::format("a line of over {} bytes", LineSplitter::kMaxLine));
      }
      if (status == LineSplitter::Status::kMore && lines.pending() > 0) {
        return fail(ErrorCode::kUnavailable, "ended in the middle of a line");
      }
      return response;
    } catch (const std::exception& error) {
      return broken(ErrorCode::kUnavailable, error.what(), cancel);
    }
  }

  // Hands the body over as it arrives, until its end or until `on_bytes` says false.
  static Result<void> read_body(const http::http_response& head, const OnBytes& on_bytes,
                                const pplx::cancellation_token_source& cancel,
                                const Patience& patience, std::stop_token stop) {
    auto buffer = head.body().streambuf();
    std::string bytes;
    for (;;) {
      const auto first =
          buffer.bumpc();  // Waits; the rest of what has arrived is then taken at once.
      const Outcome outcome = wait_for(first, patience(), stop);
      if (outcome != Outcome::kDone) {
        cancel.cancel();
        return outcome_error(outcome, "the answer stopped coming");
      }
      const auto byte = first.get();
      if (byte == decltype(buffer)::traits::eof()) break;
      bytes.resize(buffer.in_avail() + 1);
      bytes[0] = static_cast<char>(byte);
      if (bytes.size() > 1) {
        auto* rest = reinterpret_cast<std::uint8_t*>(&bytes[1]);
        bytes.resize(1 + buffer.getn(rest, bytes.size() - 1).get());
      }
      if (!on_bytes(bytes)) {
        cancel.cancel();
        return {};
      }
    }
    const auto ready = head.content_ready();
    if (wait_for(ready, kEndGrace, stop) == Outcome::kDone) ready.get();  // Throws if it broke off.
    return {};
  }

  static tl::unexpected<Error> broken(ErrorCode code, const char* what,
                                      const pplx::cancellation_token_source& cancel) {
    cancel.cancel();
    return fail(code, what);
  }

  const Clock& clock_;
  const milliseconds request_timeout_;
  const std::size_t max_body_bytes_;
  TokenCache tokens_;
  http::client::http_client requests_;
  http::client::http_client watches_;
};

}  // namespace

Result<std::unique_ptr<HttpTransport>> make_cpprest_transport(const Endpoint& endpoint,
                                                              const Clock& clock) {
  static std::once_flag pool_started;
  try {
    std::call_once(pool_started, [] {
      try {
        crossplat::threadpool::initialize_with_threads(kPoolThreads);
      } catch (const std::exception&) {  // Another user of the library was first: its size holds.
      }
    });
    boost::asio::ssl::context trial(boost::asio::ssl::context::sslv23);
    const Authorities authorities = authorities_of(endpoint);
    set_up_tls(endpoint, authorities, trial);
    return std::make_unique<CpprestTransport>(endpoint, authorities, clock);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: {}", endpoint.base_url, error.what()));
  }
}

}  // namespace scalableapp::kube
