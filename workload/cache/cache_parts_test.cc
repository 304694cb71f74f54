#include <gtest/gtest.h>

#include <algorithm>

#include "workload/cache/expiry.h"
#include "workload/cache/options.h"

namespace scalableapp::workload {
namespace {

TEST(Expiry, JitterSpreadsLivesEvenlyAroundTheTtl) {
  EXPECT_EQ(jittered_ttl(seconds(60), 0, 0.9), seconds(60));
  EXPECT_EQ(jittered_ttl(seconds(60), 0.1, 0), seconds(54));
  EXPECT_EQ(jittered_ttl(seconds(60), 0.1, 0.5), seconds(60));
  EXPECT_EQ(jittered_ttl(seconds(60), 0.1, 1), seconds(66));
  EXPECT_EQ(jittered_ttl(milliseconds(10), 1, 0), milliseconds(1)) << "Redis takes no life of 0";
}

// P(refresh) = exp(-fresh_left / load_time).
TEST(Expiry, TheCloserToExpiryAndTheDearerTheLoadTheLikelierIsAnEarlyRefresh) {
  const auto share = [](milliseconds fresh_left, milliseconds load_time) {
    int early = 0;
    for (int step = 0; step < 1000; ++step) early += refreshes_early(fresh_left, load_time, step / 1000.0) ? 1 : 0;
    return early / 1000.0;
  };
  EXPECT_NEAR(share(milliseconds(100), milliseconds(100)), 0.368, 0.002);
  EXPECT_NEAR(share(milliseconds(300), milliseconds(100)), 0.050, 0.002);
  EXPECT_NEAR(share(milliseconds(300), milliseconds(300)), 0.368, 0.002);
  EXPECT_EQ(share(seconds(60), milliseconds(100)), 0);
}

TEST(CacheFlags, SwitchEachPartOffAndRefuseWhatIsOutOfRange) {
  CacheOptions options;
  FlagSet flags;
  add_cache_flags(flags, options);
  const std::vector<std::string> given = {"--cache=false",
                                          "--cache-local=false",
                                          "--cache-single-flight=false",
                                          "--cache-invalidation=false",
                                          "--cache-early-refresh=false",
                                          "--cache-ttl-seconds=5",
                                          "--cache-ttl-jitter=0.5",
                                          "--cache-local-ttl-ms=200",
                                          "--cache-local-bytes=65536",
                                          "--cache-stale-seconds=0"};
  ASSERT_TRUE(flags.parse(given));
  EXPECT_FALSE(options.enabled || options.local || options.single_flight || options.invalidation ||
               options.early_refresh);
  EXPECT_EQ(options.ttl_seconds, 5);
  EXPECT_EQ(options.ttl_jitter, 0.5);
  EXPECT_EQ(options.local_ttl_ms, 200);
  EXPECT_EQ(options.local_bytes, 65536);
  EXPECT_EQ(options.stale_seconds, 0);
  EXPECT_FALSE(flags.parse(std::vector<std::string>{"--cache-ttl-jitter=1.5"}));
}

}  // namespace
}  // namespace scalableapp::workload
