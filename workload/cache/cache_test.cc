#include "workload/cache/cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "workload/cache/redis_tier.h"
#include "workload/common/metrics_page.h"
#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

RedisOptions at_port(int port) { return {.server = {"127.0.0.1", port}}; }

// Lives that no test waits for; chance plays no part.
CacheOptions calm_options() {
  CacheOptions options;
  options.ttl_seconds = 600;
  options.ttl_jitter = 0;
  options.local_ttl_ms = 60'000;
  options.early_refresh = false;
  return options;
}

// What a pod has: a cache with its metrics, and a connection.
struct Pod {
  Pod(const CacheOptions& options, int redis_port, int listen_port)
      : redis(at_port(redis_port)), cache(options, at_port(listen_port), page.registry()) {}

  double count(const std::string& sample) const {
    const auto text = page.render();
    const auto found = text.find("\n" + sample + " ");
    return found == std::string::npos ? -1 : std::stod(text.substr(found + sample.size() + 2));
  }
  double requests(const std::string& tier, const std::string& result) const {
    return count(fmt::format(R"(cache_requests_total{{result="{}",tier="{}"}})", result, tier));
  }
  double invalidations(const std::string& how) const {
    return count(fmt::format(R"(cache_invalidations_total{{how="{}"}})", how));
  }

  MetricsPage page;
  RedisConnection redis;
  Cache cache;
};

// The database: one row, and how often it was read.
struct Origin {
  Cache::Load load() {
    return [this]() -> Result<std::string> {
      ++loads;
      if (is_down) return fail(ErrorCode::kUnavailable, "database down");
      return row;
    };
  }
  std::string row = "old";
  bool is_down = false;
  std::atomic<int> loads = 0;
};

class CacheWithRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  }
  std::unique_ptr<Pod> start(const CacheOptions& options = calm_options()) const {
    auto pod = std::make_unique<Pod>(options, server_->port(), server_->port());
    const bool listens = options.enabled && options.invalidation;
    EXPECT_TRUE(eventually([&] { return pod->cache.is_subscribed() == listens; }));
    return pod;
  }
  std::string get(Pod& pod, const std::string& key = "key") {
    const auto value = pod.cache.get(key, pod.redis, origin_.load());
    return value ? *value : value.error().message;
  }
  std::unique_ptr<RedisServer> server_;
  Origin origin_;
};

TEST_F(CacheWithRedis, TheProcessAnswersBeforeRedisAndRedisBeforeTheLoad) {
  const auto first = start();
  const auto second = start();
  for (int round = 0; round < 10; ++round) EXPECT_EQ(get(*first), "old");
  for (int round = 0; round < 5; ++round) EXPECT_EQ(get(*second), "old");
  EXPECT_EQ(origin_.loads, 1);
  EXPECT_EQ(first->requests("load", "hit"), 1);
  EXPECT_EQ(first->requests("local", "hit"), 9);
  EXPECT_EQ(first->requests("local", "miss"), 1);
  EXPECT_EQ(first->requests("redis", "miss"), 1);
  EXPECT_EQ(second->requests("redis", "hit"), 1);
  EXPECT_EQ(second->requests("local", "hit"), 4);
  EXPECT_GT(first->count("cache_local_bytes"), 0);
}

TEST_F(CacheWithRedis, SwitchedOffItLoadsEachTimeAndWithoutItsTierInTheProcessItAsksRedisEachTime) {
  auto options = calm_options();
  options.enabled = false;
  const auto off = start(options);
  for (int round = 0; round < 5; ++round) EXPECT_EQ(get(*off), "old");
  EXPECT_EQ(origin_.loads, 5);
  EXPECT_EQ(off->requests("load", "hit"), 5);

  options = calm_options();
  options.local = false;
  const auto remote = start(options);
  for (int round = 0; round < 5; ++round) EXPECT_EQ(get(*remote), "old");
  EXPECT_EQ(remote->requests("load", "hit"), 1);
  EXPECT_EQ(remote->requests("redis", "hit"), 4);
  EXPECT_EQ(remote->requests("local", "miss"), 0);
}

TEST_F(CacheWithRedis, AWriteInOnePodIsSeenByAnotherThatHasTheOldValueInItsProcess) {
  const auto writer = start();
  const auto reader = start();
  ASSERT_EQ(get(*writer), "old");
  ASSERT_EQ(get(*reader), "old");
  origin_.row = "new";
  ASSERT_TRUE(writer->cache.invalidate("key", writer->redis));
  EXPECT_EQ(get(*writer), "new") << "at once in the pod that wrote";
  EXPECT_TRUE(eventually([&] { return get(*reader) == "new"; }));
  EXPECT_EQ(reader->invalidations("received"), 1);
  EXPECT_EQ(writer->invalidations("sent"), 1);
}

TEST_F(CacheWithRedis, WithoutInvalidationAWriteIsSeenOnlyAfterTheTtl) {
  auto options = calm_options();
  options.invalidation = false;
  options.ttl_seconds = 0.3;
  options.local_ttl_ms = 300;
  const auto writer = start(options);
  const auto reader = start(options);
  const Instant before = instant_now();
  ASSERT_EQ(get(*reader), "old");
  origin_.row = "new";
  ASSERT_TRUE(writer->cache.invalidate("key", writer->redis));
  EXPECT_TRUE(eventually([&] { return get(*reader) == "new"; }));
  EXPECT_GE(instant_now() - before, milliseconds(300));
}

// How many loads a hundred pods' worth of callers cost when the key is not there, all of them at once.
int loads_of_a_stampede(const RedisServer& server, Pod& pod, bool all_may_load) {
  constexpr int kCallers = 100;
  std::atomic<int> asked = 0;
  std::atomic<int> loads = 0;
  const auto load = [&]() -> Result<std::string> {
    ++loads;
    EXPECT_TRUE(eventually([&] { return asked == kCallers && (!all_may_load || loads >= kCallers / 2); }));
    return "value";
  };
  std::vector<std::jthread> callers;
  for (int index = 0; index < kCallers; ++index) {
    callers.emplace_back([&] {
      RedisConnection redis(at_port(server.port()));
      ++asked;
      EXPECT_EQ(pod.cache.get("key", redis, load), "value");
    });
  }
  callers.clear();
  return loads;
}

TEST_F(CacheWithRedis, AHundredCallersOfAMissingKeyLoadItOnceAndManyTimesWithoutSingleFlight) {
  const auto pod = start();
  EXPECT_EQ(loads_of_a_stampede(*server_, *pod, false), 1);
  EXPECT_EQ(pod->requests("load", "coalesced") + pod->requests("local", "hit"), 99);

  ASSERT_TRUE(pod->cache.invalidate("key", pod->redis));
  auto options = calm_options();
  options.single_flight = false;
  const auto without = start(options);
  EXPECT_GE(loads_of_a_stampede(*server_, *without, true), 50);
}

TEST_F(CacheWithRedis, ALoadThatReadTheRowBeforeAWriteDoesNotStoreItAfterTheInvalidation) {
  const auto writer = start();
  const auto reader = start();
  const auto overtaken = reader->cache.get("key", reader->redis, [&]() -> Result<std::string> {
    const auto read = origin_.row;
    origin_.row = "new";
    EXPECT_TRUE(writer->cache.invalidate("key", writer->redis));
    return read;
  });
  EXPECT_EQ(overtaken, "old") << "it was right when it asked";
  EXPECT_EQ(reader->count("cache_stores_refused_total"), 1);
  EXPECT_EQ(get(*writer), "new");
  EXPECT_EQ(get(*reader), "new");
  EXPECT_EQ(origin_.loads, 1) << "the new one is stored";
}

TEST_F(CacheWithRedis, ALoadAfterAWriteLearnsHowNewAReplicaMustBe) {
  const auto writer = start();
  const auto reader = start();
  ASSERT_TRUE(writer->cache.invalidate("written", writer->redis, "0/16B3748"));
  const auto load = [](const std::string& version) -> Result<std::string> { return "from " + version; };
  EXPECT_EQ(reader->cache.get("written", reader->redis, load), "from 0/16B3748");
  EXPECT_EQ(reader->cache.get("other", reader->redis, load), "from ");
}

TEST_F(CacheWithRedis, JitterSpreadsTheExpiryOfWhatIsStoredTogether) {
  const auto spread = [&](double jitter) {
    auto options = calm_options();
    options.ttl_jitter = jitter;
    options.ttl_seconds = 1000;
    const auto pod = start(options);
    long long least = 1LL << 60;
    long long most = 0;
    for (int index = 0; index < 50; ++index) {
      const auto key = fmt::format("{}-{}", jitter, index);
      get(*pod, key);
      const auto life = pod->redis.run_twice_at_most({"TTL", "cache:" + key}).value().integer;
      least = std::min(least, life);
      most = std::max(most, life);
    }
    return most - least;
  };
  EXPECT_LT(spread(0), 30);
  EXPECT_GT(spread(0.5), 500) << "of 1000 s, but for bad luck of 1 in 10^9";
}

TEST_F(CacheWithRedis, NotFoundIsKeptForAShortTimeAndUntilItIsWritten) {
  const auto pod = start();
  std::atomic<int> loads = 0;
  const auto missing = [&]() -> Result<std::string> {
    ++loads;
    return fail(ErrorCode::kNotFound, "no such item");
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(pod->cache.get("key", pod->redis, missing).error(), (Error{ErrorCode::kNotFound, "no such item"}));
  }
  EXPECT_EQ(loads, 1);
  EXPECT_LE(pod->redis.run_twice_at_most({"PTTL", "cache:key"}).value().integer, 2000);
  ASSERT_TRUE(pod->cache.invalidate("key", pod->redis));
  EXPECT_EQ(get(*pod), "old");
}

TEST_F(CacheWithRedis, WhenALoadFailsTheExpiredValueStandsInIfThereIsOne) {
  for (const bool is_local : {true, false}) {
    auto options = calm_options();
    options.local = is_local;
    options.ttl_seconds = 0.05;
    options.local_ttl_ms = 50;
    options.stale_seconds = 600;
    const auto pod = start(options);
    origin_.is_down = false;
    const auto key = fmt::format("local={}", is_local);
    ASSERT_EQ(get(*pod, key), "old");
    origin_.is_down = true;
    EXPECT_TRUE(eventually([&] { return get(*pod, key) == "old" && pod->requests("redis", "stale") == 1; }));
    if (is_local) {
      server_->restart();  // It has forgotten all, and the process has cleared its tier.
      EXPECT_TRUE(eventually([&] { return get(*pod, key) == "database down"; }));
    }
  }
  auto options = calm_options();
  options.ttl_seconds = 0.05;
  options.local_ttl_ms = 50;
  options.stale_seconds = 0;
  const auto pod = start(options);
  EXPECT_TRUE(eventually([&] { return get(*pod, "local=false") == "old"; })) << "kept by the pod before";
  origin_.is_down = false;
  ASSERT_EQ(get(*pod, "strict"), "old");
  origin_.is_down = true;
  EXPECT_TRUE(eventually([&] { return get(*pod, "strict") == "database down"; }));
}

TEST_F(CacheWithRedis, AnErrorIsNotKept) {
  const auto pod = start();
  origin_.is_down = true;
  EXPECT_EQ(get(*pod), "database down");
  EXPECT_EQ(pod->requests("load", "error"), 1);
  origin_.is_down = false;
  EXPECT_EQ(get(*pod), "old");
}

TEST_F(CacheWithRedis, ADearEntryIsLoadedAnewBeforeItExpires) {
  for (const bool is_early : {true, false}) {
    auto options = calm_options();
    options.early_refresh = is_early;
    options.local = false;
    const auto pod = start(options);
    const auto key = fmt::format("early={}", is_early);
    // Took eleven days and has a minute left: one in twenty thousand readers would wait.
    const auto lease = take_lease(pod->redis, key).value();
    const RedisEntry entry{
        .value = {"dear"}, .load_time = seconds(1'000'000), .fresh_left = seconds(60), .stale_for = seconds(60)};
    ASSERT_EQ(store_entry(pod->redis, key, lease.token, entry), true);
    origin_.is_down = true;
    EXPECT_EQ(get(*pod, key), "dear") << "a failed refresh is no failure";
    origin_.is_down = false;
    EXPECT_EQ(get(*pod, key), is_early ? "old" : "dear");
    EXPECT_EQ(pod->count("cache_early_refreshes_total"), is_early ? 2 : 0);
  }
}

TEST_F(CacheWithRedis, WhileRedisIsDownLoadsAreSharedAndBrieflyKeptAndAllIsWellWhenItIsBack) {
  const auto pod = start();
  ASSERT_EQ(get(*pod), "old");
  server_->stop();
  ASSERT_TRUE(eventually([&] { return !pod->cache.is_subscribed(); }));
  EXPECT_EQ(pod->invalidations("subscription_lost"), 1);
  origin_.row = "new";
  EXPECT_EQ(get(*pod), "new") << "the tier in the process was cleared: it may have missed something";
  EXPECT_FALSE(pod->cache.invalidate("key", pod->redis));
  EXPECT_EQ(pod->invalidations("failed"), 1);
  EXPECT_LE(loads_of_a_stampede(*server_, *pod, false), 10);
  EXPECT_TRUE(eventually([&] {
    get(*pod, "other");
    const int loads = origin_.loads;
    get(*pod, "other");
    return origin_.loads == loads;
  })) << "a hot key is kept in the process, for a tenth of a second";

  server_->restart();
  ASSERT_TRUE(eventually([&] { return pod->cache.is_subscribed(); }));
  ASSERT_TRUE(eventually([&] { return pod->redis.run_twice_at_most({"PING"}).has_value(); }));
  EXPECT_EQ(get(*pod), "new");
  const auto other = start();
  const int loads = origin_.loads;
  EXPECT_EQ(get(*other), "new");
  EXPECT_EQ(origin_.loads, loads) << "from Redis";
}

TEST_F(CacheWithRedis, WithoutASubscriptionTheTierInTheProcessStaysOff) {
  Pod deaf(calm_options(), server_->port(), free_port());
  EXPECT_EQ(get(deaf), "old");
  EXPECT_EQ(get(deaf), "old");
  EXPECT_EQ(deaf.requests("local", "hit"), 0);
  EXPECT_EQ(deaf.requests("redis", "hit"), 1);
}

TEST_F(CacheWithRedis, ALostSubscriptionComesBackAndWhatItMissedIsNotServed) {
  const auto writer = start();
  const auto reader = start();
  ASSERT_EQ(get(*reader), "old");
  // In one go: no message can reach the reader between the two.
  origin_.row = "new";
  ASSERT_TRUE(writer->redis.run_once({{"MULTI"},
                                      {"CLIENT", "KILL", "TYPE", "pubsub"},
                                      {"DEL", "cache:key", "cache-lease:key"},
                                      {"EXEC"}}));
  EXPECT_TRUE(eventually([&] { return get(*reader) == "new"; }));
  EXPECT_EQ(reader->invalidations("received"), 0);
  EXPECT_TRUE(eventually([&] { return reader->cache.is_subscribed() && writer->cache.is_subscribed(); }));
}

}  // namespace
}  // namespace scalableapp::workload
