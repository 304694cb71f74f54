#include "workload/service/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "workload/load/load.h"
#include "workload/testing/balancer.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ServiceOptions quick_options(const std::string& redis) {
  ServiceOptions options;
  options.address = "127.0.0.1";
  options.port = 0;
  options.admin_port = 0;
  options.redis = redis;
  options.cpu_ms = 0.1;
  options.wait_ms = 0;
  options.warmup_seconds = 0;
  options.drain_seconds = 0;
  return options;
}

std::string nowhere() { return "127.0.0.1:" + std::to_string(free_port()); }

int ready_status(const Service& service) {
  return http_get(service.admin_port(), "/readyz").status;
}

TEST(Service, RoutesAnswerWithTheirStatus) {
  const auto service = Service::start(quick_options(nowhere())).value();
  const struct {
    const char* method;
    const char* target;
    int status;
  } rows[] = {{"GET", "/", 200},
              {"GET", "/version", 200},
              {"GET", "/work", 200},
              {"GET", "/work?cpu_ms=0.5&wait_ms=1", 200},
              {"GET", "/work?cpu_ms=x", 400},
              {"GET", "/work?cpu_ms=-1", 400},
              {"GET", "/work?cpu_ms=99999999", 400},
              {"POST", "/work", 405},
              {"GET", "/jobs", 405},
              {"DELETE", "/", 405},
              {"GET", "/nothing", 404}};
  Probe probe(service->port());
  for (const auto& row : rows) {
    EXPECT_EQ(probe.ask(row.method, row.target).status, row.status) << row.method << row.target;
  }
  EXPECT_EQ(metric(service->admin_port(),
                   R"(http_request_duration_seconds_count{code="200",method="GET",route="/work"})"),
            2);
  EXPECT_EQ(metric(service->admin_port(),
                   R"(http_request_duration_seconds_count{code="404",method="GET",route="other"})"),
            1);
}

TEST(Service, WithoutRedisItsRoutesFailFastAndTheOthersGoOn) {
  const auto service = Service::start(quick_options(nowhere())).value();
  for (const auto& answer :
       {http_post(service->port(), "/login"), http_get(service->port(), "/session"),
        http_post(service->port(), "/jobs")}) {
    EXPECT_EQ(answer.status, 503);
    EXPECT_TRUE(answer.has_header("Retry-After: 1"));
  }
  EXPECT_EQ(http_get(service->port(), "/work").status, 200);
  EXPECT_EQ(http_get(service->admin_port(), "/livez").status, 200);
  EXPECT_GE(metric(service->admin_port(), "redis_errors_total"), 3);
  EXPECT_EQ(metric(service->admin_port(), "queue_length"), -1) << "unknown is no sample, not 0";
  EXPECT_EQ(ready_status(*service), 503) << "never reached Redis: the address may be wrong";
}

TEST(Service, AFullQueueShedsWithRetryAfterAndAFreeOneDoesNot) {
  auto options = quick_options(nowhere());
  options.concurrency = 1;
  options.max_queue = 1;
  const auto service = Service::start(options).value();
  Probe working(service->port());
  Probe waiting(service->port());
  working.send("GET /work?wait_ms=400 HTTP/1.1\r\nHost: t\r\n\r\n");
  waiting.send("GET /work HTTP/1.1\r\nHost: t\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return metric(service->admin_port(), "http_queue_length") == 1; }));
  const auto shed = http_get(service->port(), "/work");
  EXPECT_EQ(shed.status, 503);
  EXPECT_TRUE(shed.has_header("Retry-After: 1"));
  EXPECT_EQ(http_get(service->port(), "/").status, 200) << "cheap requests do not wait for others";
  EXPECT_EQ(working.receive().status, 200);
  EXPECT_EQ(waiting.receive().status, 200);
  EXPECT_EQ(metric(service->admin_port(), "http_requests_shed_total"), 1);
}

TEST(Service, WarmsUpVisiblyAndColdRequestsSaySo) {
  auto options = quick_options(nowhere());
  options.warmup_seconds = 600;
  const auto service = Service::start(options).value();
  EXPECT_THAT(http_get(service->port(), "/work").body, HasSubstr("\"cold\":true"));
  const double progress = metric(service->admin_port(), "warmup_progress_ratio");
  EXPECT_GT(progress, 0);
  EXPECT_LT(progress, 1);
  EXPECT_EQ(metric(Service::start(quick_options(nowhere())).value()->admin_port(),
                   "warmup_progress_ratio"),
            1);
}

TEST(Service, ErrorRateOneFailsEveryRequest) {
  auto options = quick_options(nowhere());
  options.error_rate = 1;
  const auto service = Service::start(options).value();
  EXPECT_EQ(http_get(service->port(), "/").status, 500);
  EXPECT_EQ(http_get(service->port(), "/work").status, 500);
}

TEST(Service, ErrorRateFailsThatShareOfRequestsAndTheMetricsCountThemByCode) {
  auto options = quick_options(nowhere());
  options.cpu_ms = 0;
  options.error_rate = 0.5;
  const auto service = Service::start(options).value();
  Probe probe(service->port());
  int failed = 0;
  for (int request = 0; request < 400; ++request) {
    if (probe.ask("GET", "/work").status == 500) ++failed;
  }
  EXPECT_GT(failed, 130);
  EXPECT_LT(failed, 270) << "seven standard deviations";
  EXPECT_EQ(metric(service->admin_port(),
                   R"(http_request_duration_seconds_count{code="500",method="GET",route="/work"})"),
            failed);
  EXPECT_EQ(metric(service->admin_port(),
                   R"(http_request_duration_seconds_count{code="200",method="GET",route="/work"})"),
            400 - failed);
}

TEST(Service, SlowdownMultipliesTheCpuTimeAndTheWaitOfARequest) {
  auto options = quick_options(nowhere());
  options.cpu_ms = 10;
  options.wait_ms = 5;
  options.slowdown = 2;
  const auto service = Service::start(options).value();
  const double cpu_before = metric(service->admin_port(), "process_cpu_seconds_total");
  Probe probe(service->port());
  for (int request = 0; request < 10; ++request) probe.ask("GET", "/work");
  EXPECT_GE(metric(service->admin_port(), "process_cpu_seconds_total") - cpu_before, 10 * 0.020 - 0.01)
      << "a clock of the kernel's, which ticks";
  EXPECT_GE(metric(service->admin_port(),
                   R"(http_request_duration_seconds_sum{code="200",method="GET",route="/work"})"),
            10 * (0.020 + 0.010));
}

TEST(Service, BadRedisAddressesAndPortsInUseAreNamedWithTheirFlag) {
  EXPECT_EQ(Service::start(quick_options("redis")).error().message,
            "--redis=redis: must be HOST:PORT, such as redis:6379");
  const auto service = Service::start(quick_options(nowhere())).value();
  auto options = quick_options(nowhere());
  options.port = service->port();
  EXPECT_THAT(Service::start(options).error().message, HasSubstr("--port="));
}

class ServiceWithRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    redis_ = RedisServer::start();
    if (redis_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  }
  std::unique_ptr<Service> start(const std::function<void(ServiceOptions&)>& change = {}) {
    auto options = quick_options(redis_->address());
    if (change) change(options);
    auto service = Service::start(options).value();
    EXPECT_TRUE(eventually(
        [&] { return !http_get(service->admin_port(), "/readyz").body.starts_with("redis"); }));
    return service;
  }
  std::unique_ptr<RedisServer> redis_;
};

TEST_F(ServiceWithRedis, ASessionOfOnePodIsKnownToTheNext) {
  auto first = start();
  const auto login = http_post(first->port(), "/login?user=ada");
  ASSERT_EQ(login.status, 200);
  const std::string id = json::parse(login.body)["session"];
  EXPECT_TRUE(login.has_header("Set-Cookie: session=" + id));
  first.reset();
  const auto second = start();
  EXPECT_EQ(
      json::parse(
          http_get(second->port(), "/session", "Cookie: session=" + id + "\r\n").body)["user"],
      "ada");
  EXPECT_EQ(http_get(second->port(), "/session", "X-Session: " + id + "\r\n").status, 200);
  EXPECT_EQ(http_get(second->port(), "/session", "X-Session: wrong\r\n").status, 401);
  EXPECT_TRUE(http_get(second->port(), "/session").has_header("Set-Cookie: session="));
  EXPECT_EQ(http_post(second->port(), "/login?user=" + std::string(65, 'x')).status, 400);
  EXPECT_EQ(http_post(second->port(), "/login?user=%ff%00").status, 200) << "bytes that are no text";
}

TEST_F(ServiceWithRedis, ASessionKeptInTheProcessIsLostWithIt) {
  const auto kept_by_itself = [](auto& options) { options.session_store = "process"; };
  auto first = start(kept_by_itself);
  const std::string session =
      "X-Session: " + json::parse(http_post(first->port(), "/login?user=ada").body)["session"].get<std::string>() + "\r\n";
  EXPECT_EQ(http_get(first->port(), "/session", session).status, 200);
  const auto second = start(kept_by_itself);
  EXPECT_EQ(http_get(second->port(), "/session", session).status, 401) << "what Redis is there for";
}

TEST_F(ServiceWithRedis, JobsAreQueuedOncePerIdempotencyKey) {
  const auto service = start();
  EXPECT_EQ(http_post(service->port(), "/jobs").status, 202);
  const auto keyed = http_post(service->port(), "/jobs", "", "Idempotency-Key: k1\r\n");
  EXPECT_EQ(json::parse(keyed.body)["id"], "k1");
  EXPECT_EQ(http_post(service->port(), "/jobs", "", "Idempotency-Key: k1\r\n").status, 202);
  EXPECT_TRUE(eventually(
      [&] { return metric(service->admin_port(), "queue_length{queue=\"jobs\"}") == 2; }));
  EXPECT_EQ(metric(service->admin_port(), "jobs_accepted_total"), 2);
}

TEST_F(ServiceWithRedis, ARedisThatGoesAwayCostsNeitherReadinessNorLiveness) {
  const auto service = start();
  EXPECT_EQ(ready_status(*service), 200);
  redis_->stop();
  ASSERT_TRUE(eventually([&] { return metric(service->admin_port(), "redis_up") == 0; }));
  EXPECT_EQ(ready_status(*service), 200);
  EXPECT_EQ(http_get(service->admin_port(), "/livez").status, 200);
  EXPECT_EQ(http_get(service->port(), "/session").status, 503);
  EXPECT_EQ(http_get(service->port(), "/").status, 200);
  redis_->restart();
  EXPECT_TRUE(eventually([&] { return http_get(service->port(), "/session").status == 200; }));
}

TEST_F(ServiceWithRedis, WarmUpHoldsReadinessBackOnlyIfAsked) {
  const auto gate_decides = start([](auto& options) { options.warmup_seconds = 600; });
  EXPECT_EQ(ready_status(*gate_decides), 200);
  const auto pod_decides = start([](auto& options) {
    options.warmup_seconds = 600;
    options.warmup_readiness = true;
  });
  EXPECT_EQ(http_get(pod_decides->admin_port(), "/readyz").body, "warming up\n");
}

TEST_F(ServiceWithRedis, WhileDrainingItIsNotReadyButServesAndClosesConnections) {
  auto options = quick_options(redis_->address());
  const auto service = start([](auto& changed) { changed.drain_seconds = 300; });
  Probe kept(service->port());
  EXPECT_FALSE(kept.ask("GET", "/").has_header("Connection: close"));
  Probe working(service->port());
  working.send("GET /work?wait_ms=200 HTTP/1.1\r\nHost: t\r\n\r\n");
  ASSERT_TRUE(
      eventually([&] { return metric(service->admin_port(), "http_requests_in_flight") == 1; }));
  std::stop_source hurry;
  std::jthread drain([&] { service->drain(hurry.get_token()); });
  ASSERT_TRUE(eventually([&] { return ready_status(*service) == 503; }));
  EXPECT_EQ(http_get(service->admin_port(), "/livez").status, 200);
  EXPECT_TRUE(kept.ask("GET", "/").has_header("Connection: close"));
  EXPECT_EQ(http_get(service->port(), "/work").status, 200);
  EXPECT_EQ(working.receive().status, 200);
  hurry.request_stop();
}

TEST_F(ServiceWithRedis, APodThatGoesUnderLoadFailsNoRequest) {
  const auto with_drain = [](auto& options) {
    options.drain_seconds = 1;
    options.wait_ms = 30;
    options.concurrency = 32;
  };
  auto leaving = start(with_drain);
  const auto staying = start(with_drain);
  const auto balancer = Balancer::start({leaving->port(), staying->port()});
  LoadOptions load;
  load.target = "http://127.0.0.1:" + std::to_string(balancer->port());
  load.profile = "100:3s";
  load.mix = "/work=80,/=10,/session=5,/jobs:POST=5";
  load.arrivals = "poisson";
  load.connection_lifetime = milliseconds(300);
  load.address = "127.0.0.1";
  load.admin_port = 0;
  load.quiet = true;
  const auto generator = LoadServer::start(load).value();
  std::jthread scale_down([&] {
    eventually([&] {
      return metric(generator->admin_port(), "load_latency_seconds_count") > 50;
    });
    std::jthread endpoints([&] {
      // What a cluster does: the pod is not ready, and a little later no connection goes to it.
      eventually([&] { return ready_status(*leaving) == 503; });
      balancer->set_backends({staying->port()});
    });
    leaving->drain({});
    endpoints.join();
    leaving.reset();
  });
  const auto report = json::parse(generator->play({}).value());
  EXPECT_EQ(report["total"]["failed"], 0) << report["total"].dump(2);
  EXPECT_EQ(report["total"]["offered"], report["total"]["completed"]);
  EXPECT_GT(report["total"]["completed"], 200);
}

}  // namespace
}  // namespace scalableapp::workload
