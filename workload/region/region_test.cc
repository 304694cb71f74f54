#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "workload/common/http_server.h"
#include "workload/region/replicator.h"
#include "workload/region/store.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

struct Region {
  explicit Region(const std::string& region_name)
      : name(region_name),
        server(RedisServer::start()),
        redis({.server = {"127.0.0.1", server ? server->port() : 1}, .command_timeout = seconds(3)}),
        store(redis, region_name) {}
  const std::string name;
  std::unique_ptr<RedisServer> server;
  RedisConnection redis;
  RegionStore store;
};

class Regions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (a_.server == nullptr || b_.server == nullptr) GTEST_SKIP() << "no redis-server on PATH";
  }
  // What a replicator does, as far as there is anything: conflicts met.
  static int bring(Region& from, Region& to) {
    int conflicts = 0;
    const auto position = to.store.position_of(from.name).value();
    const auto events = from.store.events_after(position, milliseconds(1)).value();
    for (const auto& event : events) {
      conflicts += to.store.apply(from.name, event).value() ? 1 : 0;
    }
    return conflicts;
  }
  Region a_{"a"};
  Region b_{"b"};
};

TEST_F(Regions, AWriteIsSeenInTheOtherRegionOnceItsEventIsApplied) {
  ASSERT_TRUE(a_.store.put("ada", "1"));
  EXPECT_EQ(b_.store.get("ada").value(), std::nullopt);
  EXPECT_EQ(bring(a_, b_), 0);
  EXPECT_EQ(b_.store.get("ada").value(), "1");
}

TEST_F(Regions, OfTwoWritesAtOnceBothRegionsKeepTheSameOneAndCountTheConflict) {
  ASSERT_TRUE(a_.store.put("ada", "from a"));
  ASSERT_TRUE(b_.store.put("ada", "from b"));
  EXPECT_EQ(bring(a_, b_), 1);
  EXPECT_EQ(bring(b_, a_), 1) << "each region learns of it";
  EXPECT_EQ(a_.store.get("ada").value(), b_.store.get("ada").value());
}

TEST_F(Regions, AWriteThatFollowsOneItHasSeenIsNoConflictAndWins) {
  ASSERT_TRUE(a_.store.put("ada", "1"));
  bring(a_, b_);
  ASSERT_TRUE(b_.store.put("ada", "2"));
  EXPECT_EQ(bring(b_, a_), 0);
  EXPECT_EQ(a_.store.get("ada").value(), "2");
}

TEST_F(Regions, AClockThatIsBehindDoesNotLoseALaterWrite) {
  // A write of a region whose clock is far ahead.
  ASSERT_TRUE(a_.store.apply("b", {"1-1", "register", "ada", "ahead", "9999999999999-000000-b", ""}));
  ASSERT_TRUE(a_.store.put("ada", "later"));
  EXPECT_EQ(a_.store.get("ada").value(), "later");
  bring(a_, b_);
  EXPECT_EQ(b_.store.get("ada").value(), "later");
}

TEST_F(Regions, CountersAddUpHoweverOftenEventsAreApplied) {
  ASSERT_TRUE(a_.store.add("likes", 3));
  ASSERT_TRUE(b_.store.add("likes", 4));
  const auto events = a_.store.events_after("0-0", milliseconds(1)).value();
  for (int again = 0; again < 3; ++again) {
    for (const auto& event : events) ASSERT_TRUE(b_.store.apply("a", event));
  }
  bring(b_, a_);
  EXPECT_EQ(b_.store.count("likes").value(), 7);
  EXPECT_EQ(a_.store.count("likes").value(), 7);
}

TEST_F(Regions, EndAlikeAfterAnyMixOfWritesAndDeliveries) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int step = 0; step < 400; ++step) {
    Region& here = random() % 2 == 0 ? a_ : b_;
    const std::string key = "k" + std::to_string(random() % 5);
    switch (random() % 4) {
      case 0: ASSERT_TRUE(here.store.add(key, 1 + random() % 3)); break;
      case 1: random() % 2 == 0 ? bring(a_, b_) : bring(b_, a_); break;
      default: ASSERT_TRUE(here.store.put(key, std::to_string(step)));
    }
  }
  bring(a_, b_);
  bring(b_, a_);
  for (int key = 0; key < 5; ++key) {
    const std::string name = "k" + std::to_string(key);
    EXPECT_EQ(a_.store.get(name).value(), b_.store.get(name).value()) << name;
    EXPECT_EQ(a_.store.count(name).value(), b_.store.count(name).value()) << name;
  }
}

TEST_F(Regions, AReplicatorGoesOnAfterItsPeerWasAwayAndMissesNothing) {
  const int port = free_port();
  std::stop_source stop;
  std::jthread replicator([&] {
    EXPECT_TRUE(run_replicator({.region = "b",
                                .redis = b_.server->address(),
                                .peers = "a=" + a_.server->address(),
                                .address = "127.0.0.1",
                                .admin_port = port},
                               stop.get_token()));
  });
  ASSERT_TRUE(a_.store.put("one", "1"));
  EXPECT_TRUE(eventually([&] { return b_.store.get("one").value() == "1"; }));
  b_.server->stop();  // Its data with it: the position too, so everything comes again.
  ASSERT_TRUE(a_.store.put("two", "2"));
  b_.server->restart();
  EXPECT_TRUE(eventually([&] { const auto got = b_.store.get("two"); return got && *got == "2"; }));
  EXPECT_TRUE(eventually([&] { const auto got = b_.store.get("one"); return got && *got == "1"; }));
  EXPECT_TRUE(eventually([&] { return metric(port, "region_peer_up{peer=\"a\"}") == 1; }));
  EXPECT_EQ(metric(port, "region_conflicts_total{peer=\"a\"}"), 0);
  stop.request_stop();
}

TEST_F(Regions, DroppedEventsAreNoticedAndTheStateIsReadInstead) {
  ASSERT_TRUE(a_.store.put("one", "1"));
  ASSERT_TRUE(a_.store.add("likes", 2));
  EXPECT_FALSE(a_.store.dropped_after("0-0").value());
  ASSERT_TRUE(a_.redis.run_twice_at_most({"XTRIM", "region:events", "MAXLEN", "0"}));
  const auto until = a_.store.dropped_after("0-0").value();
  ASSERT_TRUE(until);
  EXPECT_FALSE(a_.store.dropped_after(*until).value()) << "a snapshot makes up for them";
  std::string cursor = "0";
  do {
    const auto page = a_.store.snapshot(cursor).value();
    for (const auto& event : page) ASSERT_TRUE(b_.store.apply("a", event));
  } while (cursor != "0");
  EXPECT_EQ(b_.store.get("one").value(), "1");
  EXPECT_EQ(b_.store.count("likes").value(), 2);
}

TEST(ReplicatorOptions, AreCheckedByName) {
  const auto message = [](const ReplicatorOptions& options) { return run_replicator(options, {}).error().message; };
  EXPECT_EQ(message({.peers = "b"}), "--peers=b: must be NAME=HOST:PORT, comma-separated");
  EXPECT_EQ(message({.peers = "a=redis:6379"}), "--peers=a=redis:6379: a is this region");
  EXPECT_EQ(message({}), "--peers=: must name at least one, NAME=HOST:PORT");
  EXPECT_EQ(message({.region = "A!", .peers = "b=r:1"}),
            "--region=A!: must be 1 to 32 lower-case letters and digits, such as a");
}

}  // namespace
}  // namespace scalableapp::workload
