#include "operator/controller/warm_up_prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>

#include "operator/controller/warm_up_watch.h"
#include "operator/platform/http_server.h"
#include "tests/support/fake_probes.h"

namespace scalableapp::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const api::ObjectKey kWeb{"demo", "web"};

// A pod that answers as it is told, and a prober that asks it.
struct WarmUpProberTest : testing::Test {
  // One for all tests: civetweb takes up to 2 s to stop.
  static void SetUpTestSuite() {
    server = *start_http_server({.address = "127.0.0.1"}, {{"/warm", [](const ServerRequest&) {
                                                              ++asked;
                                                              return ServerResponse{.status = status};
                                                            }}});
  }
  static void TearDownTestSuite() { server.reset(); }
  WarmUpProberTest() {
    status = 200;
    asked = 0;
    prober.start();
  }
  static ProbeTarget target(const std::string& id, const std::string& path = "/warm") {
    return {.id = id, .probe = {.address = "127.0.0.1", .port = server->port(), .path = path}};
  }
  // "none" before there is one.
  std::string result(const std::string& id) const {
    const auto latest = prober.latest(kWeb, id);
    return latest ? latest->failure : "none";
  }
  // Looks whenever the app is woken, and only then.
  bool becomes(const std::string& id, const std::string& want) {
    std::unique_lock lock(mutex);
    return woken.wait_for(lock, std::chrono::seconds{30}, [&] { return result(id) == want; });
  }

  static inline std::atomic<int> status, asked;
  static inline std::unique_ptr<HttpServer> server;
  std::mutex mutex;
  std::condition_variable woken;
  SystemClock clock;
  WarmUpProber prober{clock, [this](const api::ObjectKey& app) {
                        EXPECT_EQ(app, kWeb);
                        const std::lock_guard lock(mutex);
                        woken.notify_all();
                      }};
};

TEST_F(WarmUpProberTest, WakesTheAppWhenAResultIsThereAndWhenItChanges) {
  status = 503;
  prober.subscribe(kWeb, {target("a")});
  EXPECT_TRUE(becomes("a", "HTTP 503"));
  status = 200;
  EXPECT_TRUE(becomes("a", ""));
}

TEST_F(WarmUpProberTest, AnotherTargetBeginsAnewAndTheOthersKeepTheirResult) {
  prober.subscribe(kWeb, {target("a"), target("b")});
  ASSERT_TRUE(becomes("a", "") && becomes("b", ""));
  prober.subscribe(kWeb, {target("a"), target("b", "/elsewhere"), target("c")});
  EXPECT_EQ(result("a"), "");
  EXPECT_TRUE(becomes("b", "HTTP 404"));
  EXPECT_TRUE(becomes("c", ""));
}

TEST_F(WarmUpProberTest, WhatIsNotSubscribedIsNotAskedAndKnowsNothing) {
  prober.subscribe(kWeb, {target("a")});
  ASSERT_TRUE(becomes("a", ""));
  prober.unsubscribe(kWeb);
  EXPECT_EQ(result("a"), "none");
  const int before = asked;
  // Another one is asked twice meanwhile.
  prober.subscribe(kWeb, {target("b")});
  ASSERT_TRUE(becomes("b", ""));
  status = 500;
  ASSERT_TRUE(becomes("b", "HTTP 500"));
  EXPECT_EQ(asked, before + 2);
}

TEST_F(WarmUpProberTest, PodsThatDoNotAnswerHoldUpNoOther) {
  std::vector<ProbeTarget> targets;
  // TEST-NET-1 (RFC 5737): nobody is there.
  for (std::size_t i = 0; i < kMostInFlight - 1; ++i) {
    targets.push_back({.id = std::to_string(i), .probe = {.address = "192.0.2.1", .port = 9, .timeout = seconds{60}}});
  }
  targets.push_back(target("z"));
  prober.subscribe(kWeb, targets);
  EXPECT_TRUE(becomes("z", ""));
}

// --- which pods are asked, and what the gate is told -----------------------------------------------

struct WarmUpWatchTest : testing::Test {
  WarmUpWatchTest() {
    app.spec.readiness.warm_up = {.probe = api::WarmUpProbe{.path = "/warm", .port = 8080, .timeout_seconds = 2}};
    cold.metadata.name = cold.metadata.uid = "cold";
    cold.has_warm_gate = cold.containers_ready = true;
    cold.ip = "10.0.0.7";
  }
  void follow(const std::vector<api::Pod>& pods) { watch.follow(app, shared(pods), &probes); }
  rollout::WarmUpFacts look(const std::vector<api::Pod>& pods, const std::map<std::string, double>& values = {}) {
    return watch.look(now, app, shared(pods), values, &probes);
  }
  static rollout::Pods shared(const std::vector<api::Pod>& pods) {
    rollout::Pods all;
    for (const auto& pod : pods) all.push_back(std::make_shared<const api::Pod>(pod));
    return all;
  }
  api::ScalableApp app;
  api::Pod cold;
  FakeProbes probes;
  WarmUpWatch watch;
  MonotonicTime now{seconds{100}};
};

TEST_F(WarmUpWatchTest, OnlyPodsThatWaitForItAreAsked) {
  api::Pod warm = cold, starting = cold, without_address = cold, to_go = cold;
  warm.warm = true;
  starting.containers_ready = false;
  without_address.ip.clear();
  to_go.draining_since = WallTime{};
  follow({cold, warm, starting, without_address, to_go});
  const HttpProbe want{.address = "10.0.0.7", .port = 8080, .path = "/warm", .timeout = seconds{2}};
  EXPECT_THAT(probes.asked, ElementsAre(ProbeTarget{.id = "cold/0", .probe = want}));
  follow({cold, warm});
  EXPECT_EQ(probes.subscriptions, 1) << "nothing changed";
  follow({warm});
  EXPECT_THAT(probes.asked, IsEmpty());
}

TEST_F(WarmUpWatchTest, ARestartedContainerIsAskedAnew) {
  follow({cold});
  probes.failures["cold/0"] = "";
  EXPECT_EQ(look({cold})["cold"].probe_succeeded, true);
  cold.restart_count = 1;
  EXPECT_EQ(look({cold})["cold"].probe_succeeded, std::nullopt);
  follow({cold});
  EXPECT_THAT(probes.asked_ids(), ElementsAre("cold/1"));
}

TEST_F(WarmUpWatchTest, RemembersSinceWhenAValueIsGoodUntilTheConditionIsGone) {
  app.spec.readiness.warm_up = {.query = "q", .range = {.at_least = 1}, .for_seconds = 5};
  look({cold}, {{"cold", 1}});
  now += seconds{3};
  EXPECT_EQ(look({cold}, {{"cold", 1}})["cold"].in_range_for, seconds{3});
  const auto condition = std::exchange(app.spec.readiness.warm_up, std::nullopt);
  EXPECT_THAT(look({cold}), IsEmpty());
  app.spec.readiness.warm_up = condition;
  EXPECT_EQ(look({cold}, {{"cold", 1}})["cold"].in_range_for, seconds{0});
}

}  // namespace
}  // namespace scalableapp::controller
