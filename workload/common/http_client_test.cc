#include "workload/common/http_client.h"

#include <gtest/gtest.h>

#include <vector>

#include "workload/common/http_server.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

std::unique_ptr<HttpServer> echo_server(int port = 0) {
  return HttpServer::start({.address = "127.0.0.1", .port = port},
                           [](HttpRequest request, const Respond& respond) {
                             if (request.path == "/never") return;
                             respond({request.path == "/teapot" ? 418 : 200, request.method + " " + request.body});
                           })
      .value();
}

TEST(HttpClient, AnyStatusIsAnAnswerAndTheConnectionIsKept) {
  const auto server = echo_server();
  HttpClient client({"127.0.0.1", server->port()});
  EXPECT_EQ(client.ask("POST", "/", "hello", seconds(5)).value().body, "POST hello");
  EXPECT_EQ(client.ask("GET", "/teapot", "", seconds(5)).value().status, 418);
}

TEST(HttpClient, AServerThatIsNotThereIsUnavailableAndOneThatIsSilentATimeout) {
  HttpClient nobody({"127.0.0.1", free_port()});
  EXPECT_EQ(nobody.ask("GET", "/", "", seconds(5)).error().code, ErrorCode::kUnavailable);
  const auto server = HttpServer::start({.address = "127.0.0.1"}, [kept = std::vector<Respond>()](
                                                                      const HttpRequest&, Respond respond) mutable {
                        kept.push_back(std::move(respond));
                      }).value();
  HttpClient client({"127.0.0.1", server->port()});
  const auto late = client.ask("GET", "/never", "", milliseconds(30));
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(late.error().message, "127.0.0.1:" + std::to_string(server->port()) + ": no answer within 30ms");
}

TEST(HttpClient, AKeptConnectionThatTheServerClosedIsReplaced) {
  auto server = echo_server();
  const int port = server->port();
  HttpClient client({"127.0.0.1", port});
  ASSERT_TRUE(client.ask("GET", "/", "", seconds(5)));
  server.reset();
  server = echo_server(port);
  EXPECT_EQ(client.ask("GET", "/", "", seconds(5)).value().status, 200);
}

}  // namespace
}  // namespace scalableapp::workload
