#include "operator/platform/http_probe.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "operator/platform/http_server.h"

namespace scalableapp {
namespace {

using testing::HasSubstr;

// Listens on a loopback address. Answers each connection with `answer` and closes it; without one connections are
// made, by the kernel, and never answered.
class RawServer {
 public:
  explicit RawServer(std::optional<std::string> answer, bool v6 = false) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    auto* address = v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&v4);
    socklen_t size = v6 ? sizeof six : sizeof v4;
    fd_ = socket(address->sa_family, SOCK_STREAM, 0);
    is_up_ = fd_ >= 0 && bind(fd_, address, size) == 0 && listen(fd_, 64) == 0 && getsockname(fd_, address, &size) == 0;
    port_ = ntohs(v6 ? six.sin6_port : v4.sin_port);
    if (is_up_ && answer) thread_ = std::thread([this, text = *answer] { serve(text); });
  }
  ~RawServer() {
    shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  bool is_up() const { return is_up_; }
  int port() const { return port_; }

 private:
  void serve(const std::string& answer) const {
    for (int connection; (connection = accept(fd_, nullptr, nullptr)) >= 0; close(connection)) {
      char request[4096];
      static_cast<void>(recv(connection, request, sizeof request, 0));
      send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }
  int fd_ = -1;
  int port_ = 0;
  bool is_up_ = false;
  std::thread thread_;
};

struct HttpProbesTest : testing::Test {
  // One for all tests: civetweb takes up to 2 s to stop.
  static void SetUpTestSuite() {
    const auto status = [](int code) {
      return [code](const ServerRequest&) { return ServerResponse{.status = code, .body = std::string(100'000, 'x')}; };
    };
    server = *start_http_server({.address = "127.0.0.1", .threads = 4},
                                {{"/warm", status(200)},
                                 {"/moved", status(302)},
                                 {"/cold", status(503)},
                                 {"/bad", status(500)},
                                 {"/asked", [](const ServerRequest& request) {
                                    return ServerResponse{.status = request.query == "a=1" ? 204 : 400};
                                  }}});
  }
  static void TearDownTestSuite() { server.reset(); }

  // Empty: success.
  std::string ask(const HttpProbe& probe) {
    probes.start("one", probe);
    for (const MonotonicTime limit = clock.monotonic_now() + seconds{30}; clock.monotonic_now() < limit;) {
      const auto results = probes.wait(limit);
      if (!results.empty()) return results[0].failure;
    }
    return "nothing came";
  }
  std::string get(const std::string& path) {
    return ask({.address = "127.0.0.1", .port = server->port(), .path = path});
  }

  static inline std::unique_ptr<HttpServer> server;
  SystemClock clock;
  HttpProbes probes{clock};
};

TEST_F(HttpProbesTest, AStatusFrom200To399IsSuccessAndNoRedirectIsFollowed) {
  EXPECT_EQ(get("/warm"), "");
  EXPECT_EQ(get("/moved"), "");
  EXPECT_EQ(get("/asked?a=1"), "");
  EXPECT_EQ(get("/cold"), "HTTP 503");
  EXPECT_EQ(get("/bad"), "HTTP 500");
  EXPECT_EQ(get("/nowhere"), "HTTP 404");
}

TEST_F(HttpProbesTest, WhoDoesNotAnswerIsGivenUpAfterTheTimeout) {
  RawServer silent(std::nullopt);
  const MonotonicTime begun = clock.monotonic_now();
  EXPECT_EQ(ask({.address = "127.0.0.1", .port = silent.port(), .timeout = milliseconds{100}}),
            "no answer within 100ms");
  EXPECT_GE(clock.monotonic_now() - begun, milliseconds{100});
}

TEST_F(HttpProbesTest, ARefusedConnectionFailsAtOnce) {
  int port = 0;
  {
    RawServer gone(std::nullopt);
    port = gone.port();
  }
  EXPECT_EQ(ask({.address = "127.0.0.1", .port = port}), "connection refused");
}

TEST_F(HttpProbesTest, OnlyAStatusLineIsAnAnswer) {
  for (const auto& [answer, want] : std::vector<std::pair<std::string, std::string>>{
           {"HTTP/1.0 200 OK\n\n", ""},
           {"HTTP/1.1 204\r\n\r\n", ""},
           {"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"},
           {"HTTP/1.1 2000 OK\r\n", "the answer is not HTTP"},
           {"HTTP/1.1 ok\r\n", "the answer is not HTTP"},
           {std::string(5'000, 'x'), "the answer is not HTTP"},
           {"HTTP/1.1 20", "the connection was closed without an answer"},
           {"", "the connection was closed without an answer"}}) {
    RawServer raw(answer);
    EXPECT_EQ(ask({.address = "127.0.0.1", .port = raw.port()}), want) << answer.substr(0, 40);
  }
}

TEST_F(HttpProbesTest, Ipv6IsAskedToo) {
  RawServer raw("HTTP/1.1 200 OK\r\n\r\n", true);
  if (!raw.is_up()) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(ask({.address = "::1", .port = raw.port()}), "");
}

TEST_F(HttpProbesTest, WhatIsNoAddressOrNoPathIsSaid) {
  EXPECT_THAT(ask({.address = "localhost", .port = 1}), HasSubstr("\"localhost\" is no IP address"));
  EXPECT_THAT(ask({.address = "127.0.0.1", .port = 1, .path = "/ HTTP/1.1\r\nHost: x"}), HasSubstr("is no path"));
}

TEST_F(HttpProbesTest, ManyAreInFlightAtOnceAndASlowOneHoldsUpNobody) {
  RawServer silent(std::nullopt);
  for (int i = 0; i < 20; ++i) {
    probes.start("slow" + std::to_string(i), {.address = "127.0.0.1", .port = silent.port(), .timeout = seconds{60}});
  }
  EXPECT_EQ(get("/warm"), "");
  EXPECT_EQ(probes.in_flight(), 20U);
}

TEST_F(HttpProbesTest, AWaitEndsAtItsDeadlineAndAtAWake) {
  EXPECT_TRUE(probes.wait(clock.monotonic_now() + milliseconds{5}).empty());
  std::jthread waker([this] { probes.wake(); });
  EXPECT_TRUE(probes.wait(clock.monotonic_now() + std::chrono::hours{1}).empty());
}

}  // namespace
}  // namespace scalableapp
