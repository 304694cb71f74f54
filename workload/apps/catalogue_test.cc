// The whole way of a read: process, Redis, replica; and of a write: primary, invalidation, and the place in its log
// that a replica must have reached before what it says may be kept.
#include "workload/apps/catalogue.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>
#include <set>

#include "workload/cache/cache.h"
#include "workload/common/metrics_page.h"
#include "workload/database/database.h"
#include "workload/database/schema.h"
#include "workload/testing/eventually.h"
#include "workload/testing/postgres.h"
#include "workload/testing/samples.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr std::int64_t kItem = 300;

struct Pod {
  Pod(const DatabaseOptions& database_options, int redis_port) : redis({.server = {"127.0.0.1", redis_port}}) {
    CacheOptions options;
    options.local_ttl_ms = 60'000;
    cache.emplace(options, RedisOptions{.server = {"127.0.0.1", redis_port}}, page.registry());
    database = Database::open(database_options, page.registry()).value();
    catalogue.emplace(AppParts{.registry = page.registry(), .cache = &*cache, .database = database.get()});
    EXPECT_TRUE(eventually([&] { return cache->is_subscribed(); }));
  }
  std::string title() {
    const auto item = catalogue->item(kItem, redis);
    return item ? json::parse(*item)["title"].get<std::string>() : item.error().message;
  }
  MetricsPage page;
  RedisConnection redis;
  std::optional<Cache> cache;
  std::unique_ptr<Database> database;
  std::optional<Catalogue> catalogue;
};

class CatalogueOfShards : public ::testing::Test {
 protected:
  void SetUp() override {
    redis_ = RedisServer::start();
    if (redis_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    cluster_ = PostgresCluster::shared();
    if (cluster_ == nullptr) GTEST_SKIP() << PostgresCluster::why_none();
    options_.shards = cluster_->shards();
    MigrateOptions migrate{.database = options_, .seed_items = 600};
    ASSERT_TRUE(run_migrate(migrate, {}));
    shard_ = static_cast<int>(ShardKey(kItem).shard(2));
    cluster_->primary(shard_).run("update items set title = 'old' where id = $1", {std::to_string(kItem)});
    cluster_->catch_up();
  }
  std::unique_ptr<Pod> start() const { return std::make_unique<Pod>(options_, redis_->port()); }

  std::unique_ptr<RedisServer> redis_;
  PostgresCluster* cluster_ = nullptr;
  DatabaseOptions options_;
  int shard_ = 0;
};

TEST_F(CatalogueOfShards, ReadsManyAndLoadsOnce) {
  const auto first = start();
  const auto second = start();
  for (int read = 0; read < 20; ++read) EXPECT_EQ(first->title(), "old");
  EXPECT_EQ(second->title(), "old");
  EXPECT_EQ(sample(first->page.render(), R"(cache_requests_total{result="hit",tier="load"})"), 1);
  EXPECT_EQ(sample(second->page.render(), R"(cache_requests_total{result="hit",tier="load"})"), 0);
  EXPECT_EQ(first->catalogue->item(601, first->redis).error().code, ErrorCode::kNotFound);
}

TEST_F(CatalogueOfShards, AWriteIsReadInEveryPodEvenWhileTheReplicaHasNotReplayedIt) {
  const auto writer = start();
  const auto reader = start();
  ASSERT_EQ(reader->title(), "old");
  cluster_->replica(shard_).set_replay(false);
  EXPECT_EQ(json::parse(writer->catalogue->rename(kItem, "new", writer->redis).value())["title"], "new");
  EXPECT_EQ(writer->title(), "new");
  EXPECT_TRUE(eventually([&] { return reader->title() == "new"; }));
  cluster_->replica(shard_).set_replay(true);
}

// What it would be without the version: the replica's old row, kept for a whole TTL.
TEST_F(CatalogueOfShards, WithoutReadYourWritesALaggingReplicasRowIsWhatTheCacheKeeps) {
  options_.read_your_writes = false;
  const auto writer = start();
  cluster_->replica(shard_).set_replay(false);
  EXPECT_TRUE(writer->catalogue->rename(kItem, "new", writer->redis));
  EXPECT_EQ(writer->title(), "old");
  cluster_->replica(shard_).set_replay(true);
  cluster_->catch_up();
  EXPECT_EQ(writer->title(), "old");
}

TEST_F(CatalogueOfShards, TheNewestAreOfAllShardsInOrder) {
  const auto pod = start();
  const auto newest = pod->catalogue->newest("clip", pod->redis).value();
  ASSERT_EQ(newest.size(), 100U);
  std::set<std::size_t> shards;
  for (std::size_t index = 0; index < newest.size(); ++index) {
    EXPECT_EQ(newest[index]["id"], 600 - 3 * static_cast<int>(index));
    shards.insert(ShardKey(newest[index]["id"].get<std::int64_t>()).shard(2));
  }
  EXPECT_EQ(shards.size(), 2U);
}

TEST_F(CatalogueOfShards, WithTheDatabaseGoneWhatIsCachedIsStillThere) {
  options_.shards = "127.0.0.1:1,127.0.0.1:2";
  const auto broken = start();
  EXPECT_EQ(broken->catalogue->item(kItem, broken->redis).error().code, ErrorCode::kUnavailable);
  options_.shards = cluster_->shards();
  EXPECT_EQ(start()->title(), "old");
  EXPECT_EQ(broken->title(), "old") << "from Redis";
}

}  // namespace
}  // namespace scalableapp::workload
