#include "workload/apps/titles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workload/apps/family_probe.h"
#include "workload/common/metrics_page.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Pod {
  Pod(int redis_port, const std::string& region)
      : titles(make_titles({.registry = page.registry(), .region = region}), redis_port) {}
  MetricsPage page;
  FamilyProbe titles;
};

HttpRequest of_user(const std::string& user) { return {.query = {{"user", user}}}; }
HttpRequest at(const std::string& position) { return {.query = {{"position", position}}}; }

class TitlesFamily : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  }
  std::unique_ptr<Pod> start(const std::string& region = "region-a") const {
    return std::make_unique<Pod>(server_->port(), region);
  }
  std::unique_ptr<RedisServer> server_;
};

TEST_F(TitlesFamily, AStreamGoesOnInAnotherPodWhereItWasWhenItsOwnIsGone) {
  auto first = start();
  const auto started = first->titles.ask("POST", "/playback/*", "301", of_user("ada")).value();
  EXPECT_EQ(started.status, 201);
  const std::string stream = json::parse(started.body)["stream"];
  ASSERT_TRUE(first->titles.ask("PUT", "/playback/*", stream, at("61.5")));
  EXPECT_THAT(first->page.render(), HasSubstr("playback_starts_total{region=\"region-a\"} 1"));
  first.reset();

  const auto second = start("region-b");
  const auto resumed = json::parse(second->titles.ask("GET", "/playback/*", stream).value().body);
  EXPECT_EQ(resumed["user"], "ada");
  EXPECT_EQ(resumed["title"], 301);
  EXPECT_EQ(resumed["position"], 61.5);
  EXPECT_EQ(resumed["started_in"], "region-a");
  EXPECT_EQ(resumed["region"], "region-b");
  EXPECT_THAT(second->page.render(), HasSubstr("playback_resumed_total 1"));
  const auto rows = json::parse(second->titles.ask("GET", "/titles", "", of_user("ada")).value().body);
  EXPECT_EQ(rows["watched"], json::array({stream}));
}

TEST_F(TitlesFamily, RowsLoseWhatIsOptionalAsTheServiceIsDegraded) {
  const auto pod = start();
  const auto full = json::parse(pod->titles.ask("GET", "/titles", "", of_user("ada")).value().body);
  const auto reduced = json::parse(pod->titles.ask("GET", "/titles", "", of_user("ada"), 1).value().body);
  const auto core = json::parse(pod->titles.ask("GET", "/titles", "", of_user("ada"), 2).value().body);
  EXPECT_TRUE(full.contains("recommendations") && full.contains("watched"));
  EXPECT_TRUE(!reduced.contains("recommendations") && reduced.contains("watched"));
  EXPECT_TRUE(!core.contains("recommendations") && !core.contains("watched"));
  for (const auto& rows : {full, reduced, core}) EXPECT_EQ(rows["new"].size(), 10U);
  EXPECT_EQ(full["new"][0]["kind"], "film");
}

TEST_F(TitlesFamily, AUserKeepsTheTenLastStreams) {
  const auto pod = start();
  for (int count = 0; count < 13; ++count) {
    ASSERT_TRUE(pod->titles.ask("POST", "/playback/*", "301", of_user("ada")));
  }
  const auto rows = json::parse(pod->titles.ask("GET", "/titles", "", of_user("ada")).value().body);
  EXPECT_EQ(rows["watched"].size(), 10U);
}

TEST_F(TitlesFamily, UnknownStreamsAndTitlesAreNotFoundAndBadInputIsNamed) {
  const auto pod = start();
  EXPECT_EQ(pod->titles.ask("GET", "/playback/*", "nothing").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(pod->titles.ask("PUT", "/playback/*", "nothing", at("1")).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(pod->page.render(), HasSubstr("playback_unknown_total 2"));
  EXPECT_EQ(pod->titles.ask("POST", "/playback/*", "10001", of_user("ada")).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(pod->titles.ask("POST", "/playback/*", "x", of_user("ada")).error().message, HasSubstr("item id: must"));
  EXPECT_THAT(pod->titles.ask("POST", "/playback/*", "1").error().message, HasSubstr("user: must be"));
  for (const auto* position : {"", "x", "-1", "86401"}) {
    EXPECT_THAT(pod->titles.ask("PUT", "/playback/*", "s", at(position)).error().message, HasSubstr("position: must"));
  }
}

}  // namespace
}  // namespace scalableapp::workload
