#include "operator/plugin/expectation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plugin/command_line.h"
#include "tests/support/jump_clock.h"
#include "tests/support/steered_app.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kAsked = "200% until 2027-01-15T08:10:00Z";

// It expects twice its load; the operator has seen that.
api::ScalableApp expecting_app() {
  api::ScalableApp app = healthy_app();
  app.metadata.annotations["scalableapp.io/expect-load"] = kAsked;
  app.status.history.expected_load = {.asked = kAsked, .replicas = 8, .needed = 4};
  return app;
}

TEST(Expect, SetsTheAnnotation) {
  const auto edit = expect(healthy_app(), "200%", kNow + seconds{600});
  ASSERT_TRUE(edit);
  EXPECT_EQ(json::parse(edit->patch), json::parse(R"({"metadata":{"resourceVersion":"41",
    "annotations":{"scalableapp.io/expect-load":"200% until 2027-01-15T08:10:00Z"}}})"));
  EXPECT_EQ(edit->done, "expects 200% until 2027-01-15T08:10:00Z");
  EXPECT_EQ(expect(healthy_app(), "8", kNow)->done, "expects 8 replicas until 2027-01-15T08:00:00Z");
  EXPECT_EQ(expect(healthy_app(), "11", kNow).error().message, "AMOUNT 11: must be at most spec.replicas.max, 10");
}

TEST(Expect, TakesItBackWhereThereIsAny) {
  EXPECT_EQ(json::parse(clear_expectation(expecting_app())->patch)["metadata"]["annotations"],
            json::parse(R"({"scalableapp.io/expect-load":null})"));
  EXPECT_THAT(clear_expectation(healthy_app()).error().message, HasSubstr("\"web\" expects no load"));
}

TEST(Expect, AnAmountIsAPercentageOrACount) {
  for (const char* good : {"200%", "1%", "10000%", "8"}) EXPECT_TRUE(check_amount(good)) << good;
  for (const char* bad : {"", "%", "0%", "10001%", "2x", "-3", "8 replicas", "200 %", "1.5", "99999999999"}) {
    EXPECT_FALSE(check_amount(bad)) << bad;
  }
  EXPECT_THAT(check_amount("2x").error().message, HasSubstr("AMOUNT 2x: must be a percentage of the present need"));
}

TEST(Expect, IsThereOnceSoManyReplicasAreReady) {
  api::ScalableApp app = expecting_app();
  const auto progress = [&](WallTime now = kNow) { return expectation_progress(app, now); };
  app.status.ready_replicas = 5;
  EXPECT_EQ(progress().outcome, Outcome::kGoesOn);
  EXPECT_EQ(progress().line, "5 of 8 replicas are ready");
  EXPECT_EQ(progress(kNow + seconds{600}).line, "its time is over: 5 of 8 replicas are ready");
  EXPECT_EQ(progress(kNow + seconds{600}).outcome, Outcome::kFailed);
  app.status.ready_replicas = 8;
  EXPECT_EQ(progress().outcome, Outcome::kComplete);
  app.status.history.expected_load.replicas = 30;
  EXPECT_EQ(progress().line, "8 of 10 replicas are ready, the maximum; 30 are expected to be needed");
}

TEST(Expect, SaysWhyItWillNotBeThere) {
  api::ScalableApp app = expecting_app();
  const auto line = [&](Outcome outcome) {
    const Progress progress = expectation_progress(app, kNow);
    EXPECT_EQ(progress.outcome, outcome) << progress.line;
    return progress.line;
  };
  app.spec.paused = true;
  EXPECT_EQ(line(Outcome::kFailed), "2 of 8 replicas are ready; spec.paused is set: nothing is scaled");
  app.spec.paused = false;
  app.spec.override_replicas = 3;
  EXPECT_THAT(line(Outcome::kFailed), HasSubstr("spec.replicas.override holds it at 3"));
  app.spec.override_replicas.reset();
  app.status.history.expected_load.asked = "150% until 2027-01-15T08:10:00Z";
  EXPECT_EQ(line(Outcome::kGoesOn), "the operator has not seen it yet");
  app.metadata.annotations["scalableapp.io/expect-load"] = "much";
  EXPECT_THAT(line(Outcome::kFailed), HasSubstr("annotation scalableapp.io/expect-load is \"much\": must be"));
  app.metadata.annotations.clear();
  EXPECT_THAT(line(Outcome::kFailed), HasSubstr("is gone"));
}

struct AwaitTest : testing::Test {
  AwaitTest() {
    server.app["metadata"]["annotations"]["scalableapp.io/expect-load"] = "8 replicas until 2100-01-01T00:00:00Z";
  }
  Result<void> wait(std::optional<milliseconds> timeout = {}) {
    return await_expected(*client, clock, {"shop", "web"}, timeout,
                          [&](const std::string& line) { said.push_back(line); });
  }
  JumpClock clock;
  Random random{1};
  AppServer server;
  std::unique_ptr<kube::Client> client = kube::make_client(server, clock, random);
  std::vector<std::string> said;
};

TEST_F(AwaitTest, EndsWhenTheReplicasAreReadyAndSaysEachChangeOnce) {
  int looks = 0;
  server.on_get = [&] {
    if (++looks == 3) {
      server.app["status"]["history"]["expectedLoad"] =
          json{{"asked", "8 replicas until 2100-01-01T00:00:00Z"}, {"replicas", 8}, {"needed", 1}};
    }
    server.app["spec"]["replicas"]["max"] = 10;
    if (looks == 6) server.app["status"]["readyReplicas"] = 8;
  };
  const auto done = wait();
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_THAT(said, ElementsAre("the operator has not seen it yet", "0 of 8 replicas are ready",
                                "8 of 8 replicas are ready"));
}

TEST_F(AwaitTest, EndsWithHowFarItWasWhenItTakesTooLong) {
  const auto done = wait(seconds{5});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(done.error().message, "not ready after 5s: the operator has not seen it yet");
}

}  // namespace
}  // namespace scalableapp::plugin
