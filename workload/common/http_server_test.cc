#include "workload/common/http_server.h"

#include <gtest/gtest.h>

#include "workload/common/work_pool.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"

namespace scalableapp::workload {
namespace {

std::unique_ptr<HttpServer> echo_server(HttpServerOptions options = {}) {
  options.address = "127.0.0.1";
  return HttpServer::start(options,
                           [](const HttpRequest& request, const Respond& respond) {
                             respond({200, request.method + " " + request.path + " " + request.body,
                                      "text/plain"});
                           })
      .value();
}

TEST(HttpServer, ServesManyRequestsOnOneConnection) {
  const auto server = echo_server();
  Probe probe(server->port());
  for (int count = 0; count < 20; ++count) {
    EXPECT_EQ(probe.ask("POST", "/a?x=1", "", "body").body, "POST /a body");
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const auto server = echo_server();
  Probe probe(server->port());
  probe.send("GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(probe.receive().body, "GET /1 ");
  EXPECT_EQ(probe.receive().body, "GET /2 ");
}

TEST(HttpServer, QueriesAndCookiesAreDecoded) {
  HttpRequest seen;
  const auto server =
      HttpServer::start({.address = "127.0.0.1"}, [&](HttpRequest request, const Respond& respond) {
        seen = std::move(request);
        respond({});
      }).value();
  http_get(server->port(), "/p?a=1&b=x%20y+z&c&d=%zz", "cookie: q=1; session=abc; r=2\r\n");
  EXPECT_EQ(seen.path, "/p");
  EXPECT_EQ(seen.query["b"], "x y z");
  EXPECT_EQ(seen.query["c"], "");
  EXPECT_EQ(seen.query["d"], "%zz");
  EXPECT_EQ(seen.cookie("session"), "abc");
  EXPECT_EQ(seen.cookie("r"), "2");
  EXPECT_EQ(seen.cookie("sess"), "");
}

TEST(HttpServer, BadInputGetsItsStatusAndAClosedConnection) {
  const auto server = echo_server({.max_body_bytes = 100});
  const std::string start = "GET / HTTP/1.1\r\nHost: t\r\n";
  const struct {
    std::string bytes;
    int status;
  } rows[] = {{"NONSENSE\r\n\r\n", 400},
              {"GET / HTTP/9.9\r\n\r\n", 400},
              {start + "Content-Length: x\r\n\r\n", 400},
              {start + "Content-Length: 1000\r\n\r\n", 413},
              {start + "X: " + std::string(10'000, 'a') + "\r\n\r\n", 431}};
  for (const auto& row : rows) {
    Probe probe(server->port());
    probe.send(row.bytes);
    const auto answer = probe.receive();
    EXPECT_EQ(answer.status, row.status) << row.bytes.substr(0, 40);
    EXPECT_TRUE(answer.has_header("Connection: close"));
    EXPECT_TRUE(probe.is_closed_by_server());
  }
}

TEST(HttpServer, ASlowClientIsClosed) {
  const auto server = echo_server({.read_timeout = milliseconds(50)});
  Probe probe(server->port());
  probe.send("GET / HT");
  EXPECT_TRUE(probe.is_closed_by_server());
}

TEST(HttpServer, ConnectionsBeyondTheLimitAreClosed) {
  const auto server = echo_server({.max_connections = 1});
  Probe first(server->port());
  EXPECT_EQ(first.ask("GET", "/").status, 200);
  Probe second(server->port());
  EXPECT_TRUE(second.is_closed_by_server());
}

TEST(HttpServer, ClosesEachConnectionWithItsAnswerOnceAsked) {
  const auto server = echo_server();
  Probe probe(server->port());
  EXPECT_FALSE(probe.ask("GET", "/").has_header("Connection: close"));
  server->close_after_answers();
  EXPECT_TRUE(probe.ask("GET", "/").has_header("Connection: close"));
  EXPECT_TRUE(probe.is_closed_by_server());
  EXPECT_EQ(http_get(server->port(), "/").status, 200);
}

TEST(HttpServer, AnswersMayComeLaterFromAnotherThread) {
  WorkPool pool(1, 10);
  std::unique_ptr<HttpServer> server =
      HttpServer::start({.address = "127.0.0.1"}, [&](const HttpRequest&, const Respond& respond) {
        pool.try_submit([respond](std::size_t) { respond({204}); });
      }).value();
  EXPECT_EQ(http_get(server->port(), "/").status, 204);
  EXPECT_TRUE(eventually([&] { return server->in_flight() == 0; }));
}

TEST(HttpServer, APortInUseIsNamedWithItsFlag) {
  const auto server = echo_server();
  const auto second =
      HttpServer::start({.address = "127.0.0.1", .port = server->port(), .port_flag = "admin-port"},
                        [](const HttpRequest&, const Respond&) {});
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().message.starts_with("--admin-port="));
}

TEST(WorkPool, RunsInOrderAndRefusesBeyondTheQueue) {
  std::mutex gate;
  std::vector<int> ran;
  {
    WorkPool pool(1, 2);
    {
      const std::lock_guard held(gate);
      for (int task = 0; task < 3; ++task) {
        EXPECT_TRUE(pool.try_submit([&, task](std::size_t) {
          const std::lock_guard lock(gate);
          ran.push_back(task);
        })) << task;
      }
      EXPECT_TRUE(eventually([&] { return pool.queued() == 2; }));
      EXPECT_FALSE(pool.try_submit([](std::size_t) {}));
    }
  }
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
}

}  // namespace
}  // namespace scalableapp::workload
