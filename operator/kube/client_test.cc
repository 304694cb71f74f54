#include "operator/kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/scripted_transport.h"

namespace scalableapp::kube {
namespace {

using testing::Each;
using testing::Ge;
using testing::HasSubstr;

struct World {
  explicit World(std::vector<Reply> script)
      : transport(std::move(script), clock, stop),
        client(make_client(transport, clock, random, {}, [this] { return stop.get_token(); })) {}

  JumpClock clock;
  Random random{1};
  std::stop_source stop;
  ScriptedTransport transport;
  std::unique_ptr<Client> client;
};

const Reply kUnreachable{.error = Error{ErrorCode::kUnavailable, "no connection", {}}};
const Reply kUnanswered{.error = Error{ErrorCode::kTimeout, "no answer", {}}};

TEST(Client, AStopEndsTheCallsOfItsTimeAndNoLaterOnes) {
  World world({kUnreachable, {.body = "{}"}});
  world.stop.request_stop();
  EXPECT_EQ(world.client->get(kPods, {"shop", "web"}).error().code, ErrorCode::kCancelled);
  world.stop = std::stop_source();
  EXPECT_TRUE(world.client->get(kPods, {"shop", "web"}));
}

TEST(Client, VerbsBecomeTheRequestsThatTheServerExpects) {
  World world(std::vector<Reply>(8));
  const api::ObjectKey key{"shop", "web"};
  ASSERT_TRUE(world.client->get(kPods, key));
  ASSERT_TRUE(world.client->list(kPods, {.namespace_name = "shop"}));
  ASSERT_TRUE(world.client->create(kPods, "shop", "{}"));
  ASSERT_TRUE(world.client->apply(kPods, key, "{}", "me", "status"));
  ASSERT_TRUE(world.client->patch(kPods, key, "{}", PatchKind::kMerge));
  ASSERT_TRUE(world.client->patch(kPods, key, "[]", PatchKind::kJson, "status", "me"));
  ASSERT_TRUE(world.client->update(kPods, key, "{}", "status"));
  ASSERT_TRUE(world.client->remove(kPods, key, {.uid = "u", .resource_version = "7"}));

  const std::string pods = "/api/v1/namespaces/shop/pods";
  const auto& asked = world.transport.requests();
  EXPECT_EQ(asked[0], (HttpRequest{.path_and_query = pods + "/web"}));
  EXPECT_EQ(asked[1], (HttpRequest{.path_and_query = pods}));
  EXPECT_EQ(asked[2], (HttpRequest{.method = "POST",
                                   .path_and_query = pods,
                                   .content_type = "application/json",
                                   .body = "{}"}));
  EXPECT_EQ(asked[3],
            (HttpRequest{.method = "PATCH",
                         .path_and_query = pods + "/web/status?fieldManager=me&force=true",
                         .content_type = "application/apply-patch+yaml",
                         .body = "{}"}));
  EXPECT_EQ(asked[4], (HttpRequest{.method = "PATCH",
                                   .path_and_query = pods + "/web",
                                   .content_type = "application/merge-patch+json",
                                   .body = "{}"}));
  EXPECT_EQ(asked[5], (HttpRequest{.method = "PATCH",
                                   .path_and_query = pods + "/web/status?fieldManager=me",
                                   .content_type = "application/json-patch+json",
                                   .body = "[]"}));
  EXPECT_EQ(asked[6], (HttpRequest{.method = "PUT",
                                   .path_and_query = pods + "/web/status",
                                   .content_type = "application/json",
                                   .body = "{}"}));
  EXPECT_EQ(asked[7].method, "DELETE");
  EXPECT_EQ(asked[7].path_and_query, pods + "/web");
  EXPECT_EQ(nlohmann::json::parse(asked[7].body),
            nlohmann::json::parse(R"({"kind":"DeleteOptions","apiVersion":"v1",
                "propagationPolicy":"Background","preconditions":{"uid":"u","resourceVersion":"7"}})"));
}

TEST(Client, AReadIsTriedAgainAfterAnythingThatMayPass) {
  World world({kUnreachable, kUnanswered, {.status = 503}, {.status = 429}, {.body = "{}"}});
  EXPECT_EQ(world.client->get(kPods, {"shop", "web"}), Result<std::string>("{}"));
  EXPECT_EQ(world.clock.waits().size(), 4U);
}

TEST(Client, AWriteIsTriedAgainOnlyIfItWasNotCarriedOut) {
  World passes({kUnreachable, {.status = 429}, {.body = "{}"}});
  EXPECT_TRUE(passes.client->create(kPods, "shop", "{}"));
  World unknown({kUnanswered, {.body = "{}"}});
  EXPECT_EQ(unknown.client->create(kPods, "shop", "{}").error().code, ErrorCode::kTimeout);
  World broken({{.status = 500}, {.body = "{}"}});
  EXPECT_EQ(broken.client->create(kPods, "shop", "{}").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(broken.transport.requests().size(), 1U);
}

TEST(Client, RetryAfterIsHonouredWithinTheBudget) {
  World world({{.status = 429, .retry_after = seconds(4)}, {.body = "{}"}});
  EXPECT_TRUE(world.client->get(kPods, {"shop", "web"}));
  EXPECT_THAT(world.clock.waits(), Each(Ge(seconds(4))));
  World patient({{.status = 429, .retry_after = seconds(60)}, {.body = "{}"}});
  const auto refused = patient.client->get(kPods, {"shop", "web"});
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(refused.error().retry_after, seconds(60));
}

TEST(Client, RetriesEndWithTheBudgetAndTheLastError) {
  World world(std::vector<Reply>(100, kUnreachable));
  const auto refused = world.client->get(kPods, {"shop", "web"});
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("GET pods shop/web: no connection"));
  EXPECT_LT(world.transport.requests().size(), 10U);
  EXPECT_LE(world.clock.monotonic_now(), MonotonicTime(seconds(1'010)));
}

TEST(Client, ErrorsThatStayAreNotRepeated) {
  World world({{.status = 404}, {.status = 409}, {.status = 422}});
  EXPECT_EQ(world.client->get(kPods, {"shop", "web"}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(world.client->update(kPods, {"shop", "web"}, "{}").error().code, ErrorCode::kConflict);
  EXPECT_EQ(world.client->remove(kPods, {"shop", "web"}).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace scalableapp::kube
