#include <arpa/inet.h>
#include <civetweb.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "operator/platform/clock.h"
#include "operator/platform/http_server.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"
#include "tests/support/fake_clock.h"

namespace scalableapp {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Log, TextIsKeyValueWithQuotesOnlyWhereTheyAreNeeded) {
  struct Row {
    LogField field;
    const char* want;
  };
  const Row rows[] = {
      {{"app", "shop/web"}, "app=shop/web"},
      {{"to", 5}, "to=5"},
      {{"ratio", 0.25}, "ratio=0.25"},
      {{"warm", true}, "warm=true"},
      {{"why", "p99 is high"}, R"(why="p99 is high")"},
      {{"why", ""}, R"(why="")"},
      {{"why", "a=\"b\\\n\t\x01"}, R"(why="a=\"b\\\n\t\u0001")"},
      {{"name", "\xc3\xa9t\xc3\xa9"}, "name=\xc3\xa9t\xc3\xa9"},
      {{"error", Error{ErrorCode::kGone, "too old", {}}}, R"(error="gone: too old")"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(format_log_payload(LogFormat::kText, LogLevel::kInfo, "scaled", {row.field}),
              std::string("level=info msg=scaled ") + row.want);
  }
}

TEST(Log, JsonHasNumbersAsNumbersUnlessJsonCannotSayThem) {
  EXPECT_EQ(format_log_payload(LogFormat::kJson, LogLevel::kWarn, "a \"b\"",
                               {{"n", 3},
                                {"b", false},
                                {"s", "x\ny"},
                                {"inf", std::numeric_limits<double>::infinity()}}),
            R"("level":"warn","msg":"a \"b\"","n":3,"b":false,"s":"x\ny","inf":"inf")");
}

TEST(Log, LevelsAndFormatsAreReadFromFlags) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("error"), LogLevel::kError);
  EXPECT_THAT(parse_log_level("loud").error().message, HasSubstr("loud"));
  EXPECT_EQ(parse_log_format("json"), LogFormat::kJson);
  EXPECT_FALSE(parse_log_format("xml"));
}

TEST(Log, WritesLinesAtOrAboveTheLevelToStandardError) {
  testing::internal::CaptureStderr();
  configure_log(LogLevel::kWarn, LogFormat::kJson);
  log_info("quiet");
  log_warn("heard", {{"n", 1}});
  configure_log(LogLevel::kInfo, LogFormat::kText);
  log_info("text {} %v");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, StartsWith(R"({"time":"20)"));
  EXPECT_THAT(lines, HasSubstr("Z\",\"level\":\"warn\",\"msg\":\"heard\",\"n\":1}\ntime=20"));
  EXPECT_THAT(lines, EndsWith("Z level=info msg=\"text {} %v\"\n"));
}

TEST(Random, IsReproducibleFromASeedAndElseDiffers) {
  Random a(7);
  Random b(7);
  for (int i = 0; i < 1'000; ++i) {
    const double x = a.uniform();
    EXPECT_EQ(x, b.uniform());
    EXPECT_GE(x, 0);
    EXPECT_LT(x, 1);
  }
  EXPECT_NE(Random().hex_suffix(), Random().hex_suffix());
  EXPECT_EQ(a.hex_suffix().size(), 16U);
}

TEST(Clock, ASleepEndsAtItsTimeOrWhenStopped) {
  FakeClock clock;
  std::atomic<int> slept{-1};
  std::jthread sleeper([&](std::stop_token stop) { slept = sleep_for(clock, seconds(2), stop); });
  clock.await_sleepers(1);
  clock.advance(milliseconds(1'999));
  clock.await_sleepers(1);
  EXPECT_EQ(slept, -1);
  clock.advance(milliseconds(1));
  sleeper.join();
  EXPECT_EQ(slept, 1);

  std::jthread stopped([&](std::stop_token stop) { slept = sleep_for(clock, seconds(2), stop); });
  clock.await_sleepers(1);
  stopped.request_stop();
  stopped.join();
  EXPECT_EQ(slept, 0);
}

TEST(Clock, TheSystemsWakesAtADeadlineAndOnAStop) {
  const SystemClock clock;
  const MonotonicTime start = clock.monotonic_now();
  EXPECT_TRUE(sleep_for(clock, milliseconds(5), {}));
  EXPECT_GE(clock.monotonic_now() - start, milliseconds(5));
  std::jthread sleeper(
      [&](std::stop_token stop) { EXPECT_FALSE(sleep_for(clock, std::chrono::hours(1), stop)); });
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}
sockaddr_in6 loopback_ipv6(std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return address;
}

// What the server at `address` sends back for `request`, verbatim; empty if there is no connection.
template <typename Address>
std::string talk_to(const Address& address, const std::string& request) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const int socket_fd = socket(generic->sa_family, SOCK_STREAM, 0);
  std::string answer;
  if (connect(socket_fd, generic, sizeof address) == 0) {
    send(socket_fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    for (ssize_t got; (got = recv(socket_fd, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  }
  close(socket_fd);
  return answer;
}
std::string talk(std::uint16_t port, const std::string& request) {
  return talk_to(loopback(port), request);
}
std::string get(std::uint16_t port, const std::string& target) {
  return talk(port, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

struct HttpServerTest : testing::Test {
  // One for all tests: civetweb takes up to 2 s to stop.
  static void SetUpTestSuite() {
    server = *start_http_server(
        {.address = "127.0.0.1"},
        {{"/healthz", [](const ServerRequest&) { return ServerResponse{.body = "ok\n"}; }},
         {"/debug", [](const ServerRequest&) { return ServerResponse{.body = "debug"}; }},
         {"/debug/decisions",
          [](const ServerRequest& request) {
            return ServerResponse{
                .content_type = "application/json",
                .body = request.path + "?" + query_parameter(request.query, "app")};
          }},
         {"/broken",
          [](const ServerRequest&) -> ServerResponse { throw std::runtime_error("no"); }},
         {"/unready",
          [](const ServerRequest&) { return ServerResponse{.status = 503, .body = "caches"}; }}});
  }
  static void TearDownTestSuite() { server.reset(); }
  static inline std::unique_ptr<HttpServer> server;
};

TEST_F(HttpServerTest, AnswersWithWhatTheHandlerReturns) {
  EXPECT_THAT(get(server->port(), "/healthz"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 3\r\n"),
                    EndsWith("\r\n\r\nok\n")));
  EXPECT_THAT(get(server->port(), "/unready"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpServerTest, TheLongestPathThatHoldsTheRequestsWins) {
  EXPECT_THAT(get(server->port(), "/debug"), EndsWith("\r\ndebug"));
  EXPECT_THAT(get(server->port(), "/debug/other"), EndsWith("\r\ndebug"));
  EXPECT_THAT(get(server->port(), "/debug/decisions/1?x=1&app=shop%2Fweb"),
              AllOf(HasSubstr("application/json"), EndsWith("/debug/decisions/1?shop/web")));
  for (const char* target : {"/", "/debugger", "/health", "/healthz2"}) {
    EXPECT_THAT(get(server->port(), target), StartsWith("HTTP/1.1 404 ")) << target;
  }
}

TEST_F(HttpServerTest, OtherMethodsAndBrokenHandlersAreAnsweredToo) {
  EXPECT_THAT(talk(server->port(), "POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(talk(server->port(), "HEAD /healthz HTTP/1.1\r\n\r\n"),
              AllOf(HasSubstr("Content-Length: 3"), Not(HasSubstr("ok\n"))));
  EXPECT_THAT(get(server->port(), "/broken"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(get(server->port(), "/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, APortThatIsTakenIsAnError) {
  const auto second = start_http_server({.address = "127.0.0.1", .port = server->port()}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(server->port())));
}

bool has_ipv6() {
  if (mg_check_feature(MG_FEATURES_IPV6) == 0) return false;
  const int socket_fd = socket(AF_INET6, SOCK_STREAM, 0);
  const sockaddr_in6 address = loopback_ipv6(0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const bool has = bind(socket_fd, generic, sizeof address) == 0;
  close(socket_fd);
  return has;
}

TEST(HttpServer, WithoutAnAddressListensOnIpv4AndWhereThereIsIpv6OnThatToo) {
  const auto server = *start_http_server({}, {});
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_THAT(talk_to(loopback(server->port()), request), StartsWith("HTTP/1.1 404 "));
  if (has_ipv6()) {
    EXPECT_THAT(talk_to(loopback_ipv6(server->port()), request), StartsWith("HTTP/1.1 404 "));
  }
}

TEST_F(HttpServerTest, NothingListensOnceItIsGone) {
  auto other = *start_http_server({.address = "127.0.0.1"}, {});
  const std::uint16_t port = other->port();
  EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 404 "));
  other.reset();
  EXPECT_EQ(get(port, "/healthz"), "");
}

TEST(QueryParameter, IsDecodedOrEmpty) {
  EXPECT_EQ(query_parameter("a=1&b=x%20y+z", "b"), "x y z");
  EXPECT_EQ(query_parameter("a=1", "b"), "");
  EXPECT_EQ(query_parameter("", "b"), "");
}

}  // namespace
}  // namespace scalableapp
