// Two primaries with a streaming replica each, and what the parts of the pattern are worth: each switch on and off.
#include "workload/database/database.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <csignal>

#include "workload/common/instant.h"
#include "workload/common/metrics_page.h"
#include "workload/database/schema.h"
#include "workload/testing/eventually.h"
#include "workload/testing/postgres.h"
#include "workload/testing/samples.h"

namespace scalableapp::workload {
namespace {

constexpr const char* kName = "select name from users where id = $1";
constexpr const char* kPut =
    "insert into users (id, name, region) values ($1, $2, 'north') on conflict (id) do update set name = excluded.name";

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_ = PostgresCluster::shared();
    if (cluster_ == nullptr) GTEST_SKIP() << PostgresCluster::why_none();
    options_.shards = cluster_->shards();
    MigrateOptions migrate;
    migrate.database = options_;
    ASSERT_TRUE(run_migrate(migrate, {}));
    cluster_->catch_up();
    open();
  }

  void open() {
    database_.reset();
    page_ = std::make_unique<MetricsPage>();
    auto opened = Database::open(options_, page_->registry());
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }
  // The first user from `from` on whose shard it is.
  static std::int64_t user_of(std::size_t shard, std::int64_t from = 1) {
    while (ShardKey(from).shard(2) != shard) ++from;
    return from;
  }
  Result<WriteAnswer> put(std::int64_t user, const std::string& name) {
    return database_->write(user, kPut, {std::to_string(user), name});
  }
  Result<ReadAnswer> get(std::int64_t user, const ReadAfter& after = {}) {
    return database_->read(user, kName, {std::to_string(user)}, after);
  }
  static std::string name_in(const Result<ReadAnswer>& answer) {
    if (!answer) return answer.error().message;
    return answer->rows.empty() ? "(none)" : answer->rows.values[0][0].value();
  }
  double metric(const std::string& name, const std::string& label = "") const {
    return sample_with(page_->render(), name, label);
  }
  double diverted(const std::string& reason) const {
    return metric("database_reads_diverted_total{", "reason=\"" + reason + "\",shard=\"0\"");
  }
  double lag_seconds() const {
    return metric("database_replica_lag_seconds{", cluster_->replica(0).address());
  }

  PostgresCluster* cluster_ = nullptr;
  DatabaseOptions options_;
  std::unique_ptr<MetricsPage> page_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, UsersLieOnTheirShardsOnly) {
  for (std::int64_t user = 1; user <= 20; ++user) ASSERT_TRUE(put(user, "name")) << user;
  long long total = 0;
  for (int shard = 0; shard < 2; ++shard) {
    for (const auto& row : cluster_->primary(shard).run("select id from users where id <= 20")) {
      EXPECT_EQ(ShardKey(std::stoll(row[0].value())).shard(2), static_cast<std::size_t>(shard));
      ++total;
    }
  }
  EXPECT_EQ(total, 20);
}

TEST_F(DatabaseTest, ReadsGoToReplicasOrWithTheSwitchToPrimaries) {
  ASSERT_TRUE(put(1, "Ada"));
  cluster_->catch_up();
  const std::string shard = "shard-" + std::to_string(ShardKey(1).shard(2));
  for (int index = 0; index < 10; ++index) EXPECT_EQ(get(1).value().served_by(), shard + "/replica");
  EXPECT_EQ(name_in(get(1)), "Ada");
  EXPECT_EQ(metric("database_reads_total{role=\"replica\",shard=\"" + shard.substr(6)), 11);
  EXPECT_EQ(metric("database_reads_total{role=\"primary\",shard=\"" + shard.substr(6)), 0);

  options_.read_from = "primary";
  open();
  for (int index = 0; index < 10; ++index) EXPECT_EQ(get(1).value().served_by(), shard + "/primary");
  EXPECT_EQ(metric("database_reads_total{role=\"replica\",shard=\"" + shard.substr(6)), 0);
  EXPECT_EQ(metric("database_reads_total{role=\"primary\",shard=\"" + shard.substr(6)), 10);
}

TEST_F(DatabaseTest, AReaderSeesItsOwnWriteThoughTheReplicaDoesNotHaveItYet) {
  const auto user = user_of(0);
  ASSERT_TRUE(put(user, "old"));
  cluster_->catch_up();
  cluster_->replica(0).set_replay(false);
  for (const bool read_your_writes : {false, true}) {
    options_.read_your_writes = read_your_writes;
    open();
    const auto written = put(user, "new");
    ASSERT_TRUE(written) << written.error().message;
    const auto after = ReadAfter::parse(written->read_after.text()).value();
    const auto answer = get(user, after);
    EXPECT_EQ(name_in(answer), read_your_writes ? "new" : "old");
    EXPECT_EQ(answer.value().served_by(), read_your_writes ? "shard-0/primary" : "shard-0/replica");
    EXPECT_EQ(diverted("behind"), read_your_writes ? 1 : 0);
    EXPECT_EQ(name_in(get(user)), "old");  // Others do not wait for it.
  }
  cluster_->replica(0).set_replay(true);
  const auto written = put(user, "newer");
  cluster_->catch_up();
  const auto answer = get(user, written->read_after);
  EXPECT_EQ(name_in(answer), "newer");
  EXPECT_EQ(answer.value().served_by(), "shard-0/replica");
}

TEST_F(DatabaseTest, LagShowsAndAReplicaTooFarBehindIsNotRead) {
  const auto user = user_of(0);
  options_.max_replica_lag = milliseconds(500);
  open();
  ASSERT_TRUE(put(user, "old"));
  cluster_->catch_up();
  ASSERT_TRUE(eventually([&] { return lag_seconds() == 0; }));
  EXPECT_EQ(metric("database_replica_lag_bytes{", cluster_->replica(0).address()), 0);
  cluster_->replica(0).set_replay(false);
  ASSERT_TRUE(put(user, "new"));
  ASSERT_TRUE(eventually([&] { return lag_seconds() > 0.5; }));
  EXPECT_GT(metric("database_replica_lag_bytes{", cluster_->replica(0).address()), 0);
  EXPECT_EQ(name_in(get(user)), "new");
  EXPECT_EQ(diverted("lag"), 1);
  cluster_->replica(0).set_replay(true);
  ASSERT_TRUE(eventually([&] { return lag_seconds() == 0; }));
  EXPECT_EQ(get(user).value().served_by(), "shard-0/replica");
}

TEST_F(DatabaseTest, APrimaryThatIsGoneTakesTheWritesOfItsShardAndNothingElse) {
  const auto user = user_of(0);
  const auto other = user_of(1);
  const auto written = put(user, "Ada").value();
  ASSERT_TRUE(put(other, "Bob"));
  cluster_->catch_up();
  cluster_->primary(0).stop();
  EXPECT_EQ(put(user, "lost").error().code, ErrorCode::kUnavailable);
  const auto begin = instant_now();
  for (int index = 0; index < 50; ++index) {
    EXPECT_FALSE(put(user, "lost"));
    EXPECT_EQ(name_in(get(user)), "Ada");
    EXPECT_EQ(name_in(get(user, written.read_after)), "Ada");  // Replayed before the primary went.
    EXPECT_EQ(name_in(get(other)), "Bob");
    EXPECT_TRUE(put(other, "Bob"));
  }
  EXPECT_LT(instant_now() - begin, seconds(5));  // Nobody waits for what is down.
  EXPECT_EQ(get(user).value().served_by(), "shard-0/replica");
  EXPECT_EQ(metric("database_up{", cluster_->primary(0).address()), 0);
  EXPECT_EQ(database_->why_not_ready(), "");
  cluster_->primary(0).start();
  EXPECT_TRUE(eventually([&] { return put(user, "back").has_value(); }));
}

TEST_F(DatabaseTest, WithoutItsPrimaryALaggingReplicaIsBetterThanNothing) {
  const auto user = user_of(0);
  options_.max_replica_lag = milliseconds(500);
  open();
  ASSERT_TRUE(put(user, "old"));
  cluster_->catch_up();
  cluster_->replica(0).set_replay(false);
  const auto written = put(user, "new").value();
  ASSERT_TRUE(eventually([&] { return lag_seconds() > 0.5; }));
  cluster_->primary(0).stop();
  EXPECT_EQ(name_in(get(user)), "old");
  EXPECT_EQ(diverted("stale"), 1);
  EXPECT_EQ(get(user, written.read_after).error().code, ErrorCode::kUnavailable);  // It knows better.
  cluster_->primary(0).start();
  cluster_->replica(0).set_replay(true);
  EXPECT_TRUE(eventually([&] { return name_in(get(user)) == "new"; }));
}

TEST_F(DatabaseTest, AReplicaThatIsGoneLeavesItsReadsToThePrimary) {
  const auto user = user_of(0);
  ASSERT_TRUE(put(user, "Ada"));
  cluster_->catch_up();
  EXPECT_EQ(get(user).value().served_by(), "shard-0/replica");
  cluster_->replica(0).stop();
  for (int index = 0; index < 10; ++index) EXPECT_EQ(get(user).value().served_by(), "shard-0/primary");
  EXPECT_EQ(diverted("down"), 10);
  cluster_->replica(0).start();
  EXPECT_TRUE(eventually([&] { return get(user).value().served_by() == "shard-0/replica"; }));
}

TEST_F(DatabaseTest, AReplicaThatHangsCostsOneReadItsTime) {
  const auto user = user_of(0);
  ASSERT_TRUE(put(user, "Ada"));
  cluster_->catch_up();
  options_.timeout = milliseconds(200);
  options_.pool = false;  // Every read must connect, which nobody answers.
  open();
  cluster_->replica(0).send(SIGSTOP);
  const auto begin = instant_now();
  for (int index = 0; index < 20; ++index) EXPECT_EQ(get(user).value().served_by(), "shard-0/primary");
  EXPECT_LT(instant_now() - begin, seconds(2));
  cluster_->replica(0).send(SIGCONT);
  EXPECT_TRUE(eventually([&] { return get(user).value().served_by() == "shard-0/replica"; }));
}

TEST_F(DatabaseTest, WithoutAnyServerItIsNotReady) {
  options_.shards = "127.0.0.1:" + std::to_string(free_port()) + "/127.0.0.1:" + std::to_string(free_port());
  open();
  EXPECT_TRUE(eventually([&] { return database_->why_not_ready() == "no database server answers"; }));
  EXPECT_EQ(get(1).error().code, ErrorCode::kUnavailable);
}

TEST_F(DatabaseTest, MigratingAgainKeepsWhatIsThereAndSeedsWhatIsNot) {
  ASSERT_TRUE(put(7, "kept"));
  MigrateOptions migrate;
  migrate.database = options_;
  migrate.seed_users = 100;
  migrate.seed_items = 50;
  migrate.seed_restaurants = 50;
  for (int times = 0; times < 2; ++times) ASSERT_TRUE(run_migrate(migrate, {}));
  cluster_->catch_up();
  EXPECT_EQ(name_in(get(7)), "kept");
  EXPECT_EQ(name_in(get(100)), "user-100");
  long long items = 0;
  for (std::size_t shard = 0; shard < database_->shards(); ++shard) {
    items += std::stoll(database_->read_shard(shard, "select count(*) from items").value().rows.values[0][0].value());
  }
  EXPECT_EQ(items, 50);
}

TEST(Migrate, SaysWhichServerItWaitedForInVain) {
  MigrateOptions migrate;
  migrate.database.shards = "127.0.0.1:" + std::to_string(free_port());
  migrate.wait = {};
  const auto done = run_migrate(migrate, {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find(migrate.database.shards), std::string::npos) << done.error().message;
}

}  // namespace
}  // namespace scalableapp::workload
