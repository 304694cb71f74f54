// The families of the stories on a real Redis, asked through the service's own router.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "workload/apps/orders.h"
#include "workload/apps/profiles.h"
#include "workload/apps/restaurants.h"
#include "workload/apps/rides.h"
#include "workload/cache/cache.h"
#include "workload/common/random_id.h"
#include "workload/jobs/redis_streams.h"
#include "workload/service/family_runner.h"
#include "workload/service/router.h"
#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class Stories : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    options_ = {.server = {"127.0.0.1", server_->port()}, .command_timeout = seconds(3)};
    redis_ = std::make_unique<RedisConnection>(options_);
    cache_ = std::make_unique<Cache>(CacheOptions{}, options_, registry_);
  }

  AppParts parts() {
    return {.registry = registry_, .redis = options_, .cache = cache_.get(), .region = "a", .restaurants = 50};
  }

  HttpResponse ask(RouteFamily& family, const std::string& method, const std::string& path, const std::string& body = {},
                   std::map<std::string, std::string> query = {}, const std::string& key = {}, int degrade_level = 0) {
    Router router;
    router.add(family.routes());
    const auto match = router.find(method, path);
    if (match.route == nullptr) return {404};
    HttpRequest request{.method = method, .path = path, .query = std::move(query), .body = body};
    if (!key.empty()) request.headers.emplace_back("Idempotency-Key", key);
    Call call{.request = request, .tail = match.tail, .redis = *redis_, .degrade_level = degrade_level};
    auto answer = match.route->serve(call);
    return answer ? *answer : response_of(answer.error());
  }
  static json body_of(const HttpResponse& response) { return json::parse(response.body); }

  std::unique_ptr<RedisServer> server_;
  RedisOptions options_;
  std::unique_ptr<RedisConnection> redis_;
  prometheus::Registry registry_;
  std::unique_ptr<Cache> cache_;
};

TEST_F(Stories, ARideIsPricedByTheDriversAroundAndMatchedToTheNearest) {
  const auto rides = make_rides(parts());
  const auto there = [](const char* who, const char* name, double lng) {
    return json{{who, name}, {"lat", 40.75}, {"lng", lng}}.dump();
  };
  ASSERT_EQ(ask(*rides, "POST", "/locations", there("driver", "d1", -73.990)).status, 200);
  ASSERT_EQ(ask(*rides, "POST", "/locations", there("driver", "d2", -73.991)).status, 200);
  for (int rider = 1; rider <= 4; ++rider) {
    const auto asked = ask(*rides, "POST", "/rides", there("rider", "r", -73.991), {}, "ride" + std::to_string(rider));
    ASSERT_EQ(asked.status, 202);
    EXPECT_EQ(body_of(asked)["surge"], std::max(1.0, rider / 2.0));
  }
  EXPECT_EQ(RedisStreams(*redis_, "rides").backlog().value().waiting, 4);
  const auto matched = match_ride(json{{"ride", "ride1"}, {"lat", 40.75}, {"lng", -73.991}}.dump(), *redis_).value();
  EXPECT_EQ(json::parse(matched)["driver"], "d2");
  EXPECT_EQ(body_of(ask(*rides, "GET", "/rides/ride1"))["driver"], "d2");
  ASSERT_TRUE(match_ride(json{{"ride", "ride2"}, {"lat", 40.75}, {"lng", -73.991}}.dump(), *redis_));
  EXPECT_EQ(match_ride(json{{"ride", "ride3"}, {"lat", 40.75}, {"lng", -73.991}}.dump(), *redis_).error().code,
            ErrorCode::kUnavailable)
      << "tried again later";
}

TEST_F(Stories, BadRidesAreRefusedByField) {
  const auto rides = make_rides(parts());
  const auto why = [&](const std::string& body) {
    const auto refused = ask(*rides, "POST", "/rides", body);
    EXPECT_EQ(refused.status, 400);
    return refused.body;
  };
  EXPECT_THAT(why("["), HasSubstr("the body must be a JSON object"));
  EXPECT_THAT(why("{}"), HasSubstr("rider must be a text of 1 to 64 bytes"));
  EXPECT_THAT(why(R"({"rider":"r","lat":"x","lng":1})"), HasSubstr("lat must be a number of degrees"));
  EXPECT_THAT(why(R"({"rider":"r","lat":91,"lng":1})"), HasSubstr("lat must be a number from -90 to 90"));
}

TEST_F(Stories, AnOrderGoesThroughItsStagesAndAskingTwiceMakesOne) {
  const auto orders = make_orders(parts());
  const std::string order = R"({"user":7,"restaurant":12,"item":"Masala Dosa"})";
  ASSERT_EQ(ask(*orders, "POST", "/orders", order, {}, "o1").status, 202);
  ASSERT_EQ(ask(*orders, "POST", "/orders", order, {}, "o1").status, 202);
  RedisStreams queue(*redis_, "orders");
  EXPECT_EQ(queue.backlog().value().waiting, 1);
  const auto job = queue.claim("w-0", milliseconds(100)).value();
  ASSERT_TRUE(job);
  const auto assigned = assign_partner(job->job.payload, *redis_, nullptr).value();
  const auto estimated = json::parse(estimate_arrival(assigned, *redis_, nullptr).value());
  EXPECT_EQ(estimated["minutes"], 27);
  const auto shown = body_of(ask(*orders, "GET", "/orders/o1", "", {{"user", "7"}}));
  EXPECT_EQ(shown["minutes"], "27");
  EXPECT_EQ(shown["partner"], estimated["partner"]);
  EXPECT_EQ(ask(*orders, "GET", "/orders/o1").status, 400) << "without the user";
  EXPECT_EQ(ask(*orders, "GET", "/orders/o2", "", {{"user", "7"}}).status, 404);
}

TEST_F(Stories, BadOrdersAreRefusedByField) {
  const auto orders = make_orders(parts());
  for (const auto& [body, why] : std::map<std::string, std::string>{
           {R"({"user":0,"restaurant":1,"item":"x"})", "user must be a whole number from 1 to"},
           {R"({"user":1.5,"restaurant":1,"item":"x"})", "user must be a whole number"},
           {R"({"user":18446744073709551615,"restaurant":1,"item":"x"})", "user must be a whole number"},
           {R"({"user":1,"restaurant":1,"item":""})", "item must be a text of 1 to 200 bytes"}}) {
    const auto refused = ask(*orders, "POST", "/orders", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_THAT(refused.body, HasSubstr(why));
  }
  EXPECT_FALSE(assign_partner("{}", *redis_, nullptr));
}

TEST_F(Stories, AChangedMenuReachesTheIndexOfEveryPod) {
  const auto directory = std::filesystem::temp_directory_path() / ("stories-" + random_id());
  std::filesystem::create_directory(directory);
  auto these = parts();
  these.index_directory = directory;
  {
    const auto one = make_restaurants(these).value();
    prometheus::Registry other_registry;
    Cache other_cache({}, options_, other_registry);
    const AppParts those{.registry = other_registry, .redis = options_, .cache = &other_cache,
                         .index_directory = directory, .restaurants = 50};
    const auto other = make_restaurants(those).value();
    ASSERT_TRUE(eventually([&] { return one->why_not_ready().empty() && other->why_not_ready().empty(); }));
    EXPECT_EQ(body_of(ask(*other, "GET", "/search", "", {{"q", "zeppole"}}))["hits"].size(), 0u);
    ASSERT_EQ(ask(*one, "GET", "/menus/r7").status, 200);
    ASSERT_EQ(ask(*one, "PUT", "/menus/r7", R"({"dishes":["Zeppole"]})").status, 200);
    EXPECT_THAT(ask(*one, "GET", "/menus/r7").body, HasSubstr("Zeppole"));
    EXPECT_TRUE(eventually([&] {
      const auto hits = body_of(ask(*other, "GET", "/search", "", {{"q", "zepole"}}))["hits"];
      return hits.size() == 1 && hits[0]["id"] == "r7";
    })) << "in the other pod, with a typing error";
    const auto late = make_restaurants({.registry = registry_, .redis = options_, .cache = cache_.get(),
                                        .index_directory = directory, .restaurants = 50});
    EXPECT_TRUE(eventually([&] {
      return body_of(ask(**late, "GET", "/search", "", {{"q", "zeppole"}}))["hits"].size() == 1;
    })) << "in a pod that starts after it";
    EXPECT_EQ(ask(*one, "GET", "/menus/none").status, 404);
    EXPECT_EQ(ask(*one, "PUT", "/menus/r7", R"({"dishes":[]})").status, 400);
    EXPECT_EQ(ask(*one, "GET", "/search", "", {{"q", "x"}, {"limit", "1e9"}}).status, 400);
  }
  std::filesystem::remove_all(directory);
}

TEST_F(Stories, ProfilesAndCountersAreTheRegions) {
  const auto profiles = make_profiles(parts());
  EXPECT_EQ(ask(*profiles, "GET", "/profiles/ada").status, 404);
  EXPECT_EQ(ask(*profiles, "PUT", "/profiles/ada", "hello").status, 200);
  EXPECT_EQ(body_of(ask(*profiles, "GET", "/profiles/ada"))["profile"], "hello");
  EXPECT_EQ(body_of(ask(*profiles, "POST", "/counters/likes", "", {{"by", "3"}}))["count"], 3);
  EXPECT_EQ(ask(*profiles, "POST", "/counters/likes", "", {{"by", "0"}}).status, 400);
  EXPECT_EQ(ask(*profiles, "PUT", "/profiles/ada", std::string(4097, 'x')).status, 400);
  EXPECT_EQ(body_of(ask(*profiles, "GET", "/region"))["region"], "a");
}

}  // namespace
}  // namespace scalableapp::workload
