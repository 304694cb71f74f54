#include "workload/apps/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workload/apps/family_probe.h"
#include "workload/cache/cache.h"
#include "workload/common/metrics_page.h"
#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Pod {
  Pod(int redis_port, bool has_cache) : redis{.server = {"127.0.0.1", redis_port}} {
    CacheOptions options;
    options.local_ttl_ms = 60'000;
    if (has_cache) cache = std::make_unique<Cache>(options, redis, page.registry());
    feed.emplace(make_feed({.registry = page.registry(), .cache = cache.get()}), redis_port);
    EXPECT_TRUE(!has_cache || eventually([&] { return cache->is_subscribed(); }));
  }
  RedisOptions redis;
  MetricsPage page;
  std::unique_ptr<Cache> cache;
  std::optional<FamilyProbe> feed;
};

HttpRequest of_user(const std::string& user) { return {.query = {{"user", user}}}; }
HttpRequest with_body(const std::string& body) { return {.body = body}; }

class FeedFamily : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  }
  std::unique_ptr<Pod> start(bool has_cache = true) const { return std::make_unique<Pod>(server_->port(), has_cache); }
  std::unique_ptr<RedisServer> server_;
};

TEST_F(FeedFamily, APageHasItsItemsAndTheMoreItIsDegradedTheLessElse) {
  const auto pod = start();
  const auto full = json::parse(pod->feed->ask("GET", "/feed", "", of_user("ada")).value().body);
  const auto reduced = json::parse(pod->feed->ask("GET", "/feed", "", of_user("ada"), 1).value().body);
  const auto core = json::parse(pod->feed->ask("GET", "/feed", "", of_user("ada"), 2).value().body);
  EXPECT_EQ(full["recommendations"].size(), 5U);
  EXPECT_FALSE(reduced.contains("recommendations"));
  EXPECT_FALSE(core.contains("recommendations"));
  for (const auto& page : {full, reduced, core}) EXPECT_EQ(page["items"].size(), 10U);
  EXPECT_TRUE(reduced["items"][0].contains("likes") && reduced["items"][0].contains("thumbnail"));
  EXPECT_FALSE(core["items"][0].contains("likes") || core["items"][0].contains("thumbnail"));
  EXPECT_EQ(core["items"][0]["id"], full["items"][0]["id"]) << "the same page for the same user";
  const auto other = json::parse(pod->feed->ask("GET", "/feed", "", of_user("bob")).value().body);
  EXPECT_NE(other["items"][0]["id"], full["items"][0]["id"]);
  EXPECT_THAT(pod->page.render(), HasSubstr("feed_parts_left_out_total{part=\"recommendations\"} 2"));
  EXPECT_THAT(pod->page.render(), HasSubstr("feed_parts_left_out_total{part=\"counts\"} 1"));
}

TEST_F(FeedFamily, AnItemMayBeKeptByAnEdgeWhichAsksWithItsTagWhetherItChanged) {
  const auto pod = start();
  const auto first = pod->feed->ask("GET", "/items/*", "300").value();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(header_of(first, "Cache-Control"), "public, max-age=1, stale-while-revalidate=5");
  const auto tag = header_of(first, "ETag");
  const HttpRequest known{.headers = {{"If-None-Match", "\"other\", " + tag}}};
  const auto second = pod->feed->ask("GET", "/items/*", "300", known).value();
  EXPECT_EQ(second.status, 304);
  EXPECT_EQ(second.body, "");
  EXPECT_EQ(header_of(second, "ETag"), tag);
  ASSERT_TRUE(pod->feed->ask("PUT", "/items/*", "300", with_body(R"({"title": "changed"})")));
  const auto third = pod->feed->ask("GET", "/items/*", "300", known).value();
  EXPECT_EQ(third.status, 200);
  EXPECT_EQ(json::parse(third.body)["title"], "changed");
}

TEST_F(FeedFamily, ATitleWrittenInOnePodIsReadInTheOther) {
  const auto writer = start();
  const auto reader = start();
  const auto uncached = start(false);
  const auto title_in = [](Pod& pod) {
    return json::parse(pod.feed->ask("GET", "/items/*", "300").value().body)["title"].get<std::string>();
  };
  ASSERT_EQ(title_in(*reader), "item 300");
  ASSERT_TRUE(writer->feed->ask("PUT", "/items/*", "300", with_body(R"({"title": "new"})")));
  EXPECT_EQ(title_in(*writer), "new");
  EXPECT_EQ(title_in(*uncached), "new");
  EXPECT_TRUE(eventually([&] { return title_in(*reader) == "new"; }));
}

TEST_F(FeedFamily, AHotItemIsReadFromItsOriginOnce) {
  const auto pod = start();
  for (int read = 0; read < 50; ++read) ASSERT_TRUE(pod->feed->ask("GET", "/items/*", "300"));
  EXPECT_THAT(pod->page.render(), HasSubstr(R"(cache_requests_total{result="hit",tier="load"} 1)"));
  EXPECT_THAT(pod->page.render(), HasSubstr(R"(cache_requests_total{result="hit",tier="local"} 49)"));
}

TEST_F(FeedFamily, LikesAreCountedAcrossPodsAndLeaveTheItemsCacheAlone) {
  const auto first = start();
  const auto second = start();
  ASSERT_TRUE(first->feed->ask("GET", "/items/*", "9999"));
  ASSERT_TRUE(first->feed->ask("POST", "/likes/*", "9999"));
  EXPECT_EQ(json::parse(second->feed->ask("POST", "/likes/*", "9999").value().body)["likes"], 2);
  EXPECT_THAT(first->page.render(), HasSubstr(R"(cache_invalidations_total{how="received"} 0)"));
  EXPECT_EQ(second->feed->ask("POST", "/likes/*", "10001").error().code, ErrorCode::kNotFound);
}

TEST_F(FeedFamily, BadRequestsLearnWhatTheyShouldBe) {
  const auto pod = start();
  const auto message = [&](const std::string& method, const std::string& path, const std::string& tail,
                           const HttpRequest& request) {
    const auto answer = pod->feed->ask(method, path, tail, request);
    if (answer) return std::string("no error");
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalid);
    return answer.error().message;
  };
  EXPECT_THAT(message("GET", "/feed", "", {}), HasSubstr("user: must be"));
  EXPECT_THAT(message("GET", "/feed", "", of_user(std::string(65, 'x'))), HasSubstr("user: must be"));
  for (const auto* id : {"", "x", "-1", "0", "1x", "99999999999999999999"}) {
    EXPECT_THAT(message("GET", "/items/*", id, {}), HasSubstr("item id: must be")) << id;
  }
  for (const auto* body : {"", "{", "[]", "{}", R"({"title": 7})"}) {
    EXPECT_THAT(message("PUT", "/items/*", "1", with_body(body)), HasSubstr("body: must be")) << body;
  }
  EXPECT_THAT(message("PUT", "/items/*", "1", with_body(R"({"title": ""})")), HasSubstr("title: must have"));
  EXPECT_EQ(pod->feed->ask("GET", "/items/*", "10001").error().code, ErrorCode::kNotFound);
}

TEST_F(FeedFamily, WithRedisGoneAnItemJustReadIsAnErrorAndAllIsBackWithIt) {
  const auto pod = start();
  ASSERT_TRUE(pod->feed->ask("GET", "/items/*", "300"));
  server_->stop();
  EXPECT_TRUE(eventually([&] {
    const auto answer = pod->feed->ask("GET", "/items/*", "300");
    return !answer && answer.error().code == ErrorCode::kUnavailable;
  })) << "without a database, Redis is the origin too";
  server_->restart();
  EXPECT_TRUE(eventually([&] { return pod->feed->ask("GET", "/items/*", "300").has_value(); }));
}

}  // namespace
}  // namespace scalableapp::workload
