#include "operator/platform/http_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace scalableapp {
namespace {

// More of the head than this is not read in search of the status line.
constexpr std::size_t kLongestStatusLine = 1024;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<Address> to_address(const HttpProbe& probe) {
  Address address;
  const auto port = htons(static_cast<std::uint16_t>(probe.port));
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, probe.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    address.size = sizeof v4;
    std::memcpy(&address.storage, &v4, sizeof v4);
  } else if (inet_pton(AF_INET6, probe.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = port;
    address.size = sizeof v6;
    std::memcpy(&address.storage, &v6, sizeof v6);
  } else {
    return std::nullopt;
  }
  return address;
}

// HTTP/1.1 because some proxies refuse 1.0.
std::string request_of(const HttpProbe& probe) {
  const bool is_v6 = probe.address.find(':') != std::string::npos;
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}{}{}:{}\r\nUser-Agent: scalableapp-operator\r\nAccept: */*\r\n"
      "Connection: close\r\n\r\n",
      probe.path, is_v6 ? "[" : "", probe.address, is_v6 ? "]" : "", probe.port);
}

bool is_path(std::string_view path) {
  return path.starts_with('/') && std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
}

// What "HTTP/1.1 200 OK" says.
std::string failure_of(std::string_view status_line) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12 || status_line[8] != ' ' ||
      !std::ranges::all_of(status_line.substr(9, 3), is_digit) ||
      (status_line.size() > 12 && is_digit(status_line[12]))) {
    return "the answer is not HTTP";
  }
  const std::string_view status = status_line.substr(9, 3);
  return status >= "200" && status <= "399" ? "" : fmt::format("HTTP {}", status);
}

std::string text_of(int error) {
  if (error == ECONNREFUSED) return "connection refused";
  return std::strerror(error);
}

}  // namespace

struct HttpProbes::Flight {
  explicit Flight(HttpProbe what) : probe(std::move(what)), unsent(request_of(probe)) {}
  ~Flight() {
    if (fd >= 0) close(fd);
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  void fail(std::string why) { failure = std::move(why); }

  void connect() {
    const auto address = to_address(probe);
    if (!address) return fail(fmt::format("\"{}\" is no IP address", probe.address));
    if (!is_path(probe.path)) return fail(fmt::format("\"{}\" is no path", probe.path));
    fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(text_of(errno));
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size) != 0 &&
        errno != EINPROGRESS) {
      fail(text_of(errno));
    }
  }
  // The socket is ready for what it waits for.
  void go_on() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) return fail(text_of(error));
    unsent.empty() ? receive() : transmit();
  }
  void transmit() {
    const ssize_t sent = send(fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      unsent.erase(0, static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      fail(text_of(errno));
    }
  }
  // In large pieces, so that a short answer is taken whole and the server sees an orderly end.
  void receive() {
    std::array<char, 16'384> piece;
    const ssize_t got = recv(fd, piece.data(), piece.size(), 0);
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) fail(text_of(errno));
      return;
    }
    head.append(piece.data(), std::min(static_cast<std::size_t>(got), kLongestStatusLine));
    if (got == 0) return fail("the connection was closed without an answer");
    const std::size_t end = head.find('\n');
    if (end != std::string::npos || head.size() >= kLongestStatusLine) {
      fail(failure_of(std::string_view(head).substr(0, end)));
    }
  }

  const HttpProbe probe;
  MonotonicTime deadline{};
  int fd = -1;
  std::string unsent;
  std::string head;
  std::optional<std::string> failure;  // Set: it is over; empty: with success.
};

HttpProbes::HttpProbes(const Clock& clock) : clock_(clock), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

HttpProbes::~HttpProbes() {
  if (wake_fd_ >= 0) close(wake_fd_);
}

void HttpProbes::start(const std::string& id, const HttpProbe& probe) {
  auto flight = std::make_unique<Flight>(probe);
  flight->deadline = clock_.monotonic_now() + probe.timeout;
  flight->connect();
  flights_.insert_or_assign(id, std::move(flight));
}

std::size_t HttpProbes::in_flight() const { return flights_.size(); }

std::vector<HttpProbeResult> HttpProbes::wait(MonotonicTime deadline) {
  std::vector<pollfd> polled{{.fd = wake_fd_, .events = POLLIN, .revents = 0}};
  std::vector<Flight*> waiting;
  const MonotonicTime begun = clock_.monotonic_now();
  for (const auto& [id, flight] : flights_) {
    if (flight->failure) {
      deadline = begun;
      continue;
    }
    deadline = std::min(deadline, flight->deadline);
    waiting.push_back(flight.get());
    const short events = flight->unsent.empty() ? POLLIN : POLLOUT;
    polled.push_back({.fd = flight->fd, .events = events, .revents = 0});
  }
  const auto left = std::clamp<milliseconds>(deadline - begun, milliseconds{0}, seconds{3600});
  if (poll(polled.data(), polled.size(), static_cast<int>(left.count())) > 0) {
    std::uint64_t count = 0;
    if (polled[0].revents != 0) static_cast<void>(read(wake_fd_, &count, sizeof count) < 0);
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (polled[i + 1].revents != 0) waiting[i]->go_on();
    }
  }
  std::vector<HttpProbeResult> results;
  const MonotonicTime now = clock_.monotonic_now();
  for (auto at = flights_.begin(); at != flights_.end();) {
    Flight& flight = *at->second;
    if (!flight.failure && now >= flight.deadline) {
      flight.fail("no answer within " + format_duration(flight.probe.timeout));
    }
    if (!flight.failure) {
      ++at;
      continue;
    }
    results.push_back({at->first, std::move(*flight.failure)});
    at = flights_.erase(at);
  }
  return results;
}

void HttpProbes::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(write(wake_fd_, &one, sizeof one) < 0);
}

}  // namespace scalableapp
