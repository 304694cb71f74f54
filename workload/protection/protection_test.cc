#include "workload/protection/protection.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "workload/common/metrics_page.h"
#include "workload/protection/dependency.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

constexpr Instant kStart = Instant{} + seconds(1000);

class ProtectionTest : public ::testing::Test {
 protected:
  Protection& make(const ProtectionOptions& options) { return protection_.emplace(options, page_.registry()); }
  bool page_has(const std::string& line) const { return page_.render().find("\n" + line + "\n") != std::string::npos; }

  MetricsPage page_;
  std::optional<Protection> protection_;
};

TEST_F(ProtectionTest, APlaceIsGivenBackHoweverItsRequestEnds) {
  auto& protection = make({.adaptive_limit = true, .adaptive_limit_min = 1, .adaptive_limit_max = 1});
  auto place = protection.admit(Priority::kNormal, kStart);
  ASSERT_TRUE(place);
  EXPECT_FALSE(protection.admit(Priority::kNormal, kStart));
  place->done(Ending::kServed, kStart);
  place->done(Ending::kServed, kStart);  // Once is what counts.
  {
    auto second = protection.admit(Priority::kNormal, kStart);
    ASSERT_TRUE(second);
    const auto moved = std::move(*second);
    EXPECT_FALSE(protection.admit(Priority::kNormal, kStart));
  }
  EXPECT_TRUE(protection.admit(Priority::kNormal, kStart));
  EXPECT_TRUE(page_has("concurrency_limit 1"));
  EXPECT_TRUE(page_has("concurrency_shed_total{priority=\"normal\"} 2"));
  EXPECT_TRUE(page_has("concurrency_shed_total{priority=\"critical\"} 0"));
}

TEST_F(ProtectionTest, WithEverythingOffAllIsLetThrough) {
  auto& protection = make({.brownout = false});
  RedisConnection nowhere({.server = {"127.0.0.1", 1}});
  std::vector<Protection::Place> places;
  for (int count = 0; count < 1000; ++count) {
    auto place = protection.admit(Priority::kOptional, kStart);
    ASSERT_TRUE(place);
    places.push_back(std::move(*place));
  }
  EXPECT_FALSE(protection.waited_too_long(places[0], kStart + seconds(100)));
  const auto rate = protection.check_rate({}, nowhere);
  EXPECT_TRUE(rate.allowed);
  EXPECT_TRUE(rate.headers.empty());
  EXPECT_EQ(protection.degrade_level(kStart), 0);
}

TEST_F(ProtectionTest, ARequestThatWaitedTooLongIsGivenUpAndCounted) {
  auto& protection = make({.max_wait = milliseconds(200)});
  const auto place = protection.admit(Priority::kNormal, kStart);
  EXPECT_FALSE(protection.waited_too_long(*place, kStart + milliseconds(200)));
  EXPECT_TRUE(protection.waited_too_long(*place, kStart + milliseconds(201)));
  EXPECT_TRUE(page_has("requests_expired_total 1"));
}

TEST_F(ProtectionTest, AClientBeyondItsRateIsRefusedAndOneWithoutRedisIsNot) {
  const auto server = RedisServer::start();
  if (server == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  auto& protection = make({.rate_limit = 0.01, .rate_limit_burst = 2});
  RedisConnection redis({.server = {"127.0.0.1", server->port()}, .command_timeout = seconds(5)});
  EXPECT_TRUE(protection.check_rate({}, redis).allowed);
  EXPECT_TRUE(protection.check_rate({}, redis).allowed);
  const auto refused = protection.check_rate({}, redis);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.headers.back().first, "Retry-After");
  EXPECT_TRUE(page_has("rate_limited_total 1"));
  server->stop();
  EXPECT_TRUE(protection.check_rate({}, redis).allowed);
  EXPECT_TRUE(page_has("rate_limit_unavailable_total 1"));
}

TEST_F(ProtectionTest, BrownoutIsASwitch) {
  const auto file = std::filesystem::temp_directory_path() / ("brownout-" + std::to_string(getpid()));
  std::ofstream(file) << "1";
  EXPECT_EQ(make({.degrade_level_file = file, .brownout = false}).degrade_level(kStart), 0);
  MetricsPage other;
  Protection on({.degrade_level_file = file}, other.registry());
  EXPECT_EQ(on.degrade_level(kStart), 1);
  EXPECT_NE(other.render().find("\ndegrade_level 1\n"), std::string::npos);
  std::filesystem::remove(file);
}

TEST_F(ProtectionTest, ADependencyOfANameIsOne) {
  auto& protection = make({});
  EXPECT_EQ(&protection.dependency("shop"), &protection.dependency("shop"));
  EXPECT_NE(&protection.dependency("shop"), &protection.dependency("bank"));
}

TEST(ProtectionFlags, AreBoundAndCheckedTogether) {
  ProtectionOptions options;
  FlagSet flags;
  add_protection_flags(flags, options);
  const std::string all[] = {"--rate-limit=5",        "--rate-limit-burst=20", "--adaptive-limit",
                             "--max-wait=500ms",      "--retry-budget=0",      "--circuit-breakers=false",
                             "--degrade-level-file=x", "--brownout=false"};
  ASSERT_TRUE(flags.parse(all));
  EXPECT_EQ(options.rate_limit, 5);
  EXPECT_TRUE(options.adaptive_limit);
  EXPECT_EQ(options.max_wait, milliseconds(500));
  EXPECT_TRUE(check_protection(options));
  EXPECT_FALSE(check_protection({.rate_limit = 0.001}));
  EXPECT_FALSE(check_protection({.rate_limit = 1, .rate_limit_burst = 0.5}));
  EXPECT_FALSE(check_protection({.adaptive_limit_min = 10, .adaptive_limit_max = 5}));
}

}  // namespace
}  // namespace scalableapp::workload
