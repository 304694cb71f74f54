#include "workload/database/endpoint.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <thread>

#include "workload/common/metrics_page.h"
#include "workload/testing/eventually.h"
#include "workload/testing/postgres.h"
#include "workload/testing/samples.h"

namespace scalableapp::workload {
namespace {

class EndpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_ = PostgresCluster::shared();
    if (cluster_ == nullptr) GTEST_SKIP() << PostgresCluster::why_none();
  }
  Endpoint& endpoint(PoolOptions pool, int port = 0) {
    endpoint_ = std::make_unique<Endpoint>(
        ConnectionOptions{.server = {"127.0.0.1", port == 0 ? cluster_->primary(0).port() : port},
                          .user = "postgres",
                          .database = "postgres",
                          .statement_timeout = milliseconds(500)},
        pool, page_.registry(), [this] { ++times_down_; });
    return *endpoint_;
  }
  double metric(const std::string& name) const { return sample(page_.render(), name); }

  PostgresCluster* cluster_ = nullptr;
  MetricsPage page_;
  std::unique_ptr<Endpoint> endpoint_;
  int times_down_ = 0;
};

TEST_F(EndpointTest, PooledStatementsShareAConnectionAndOthersMakeOneEach) {
  for (const bool keep : {true, false}) {
    const double before = std::max(0.0, metric("database_connections_opened_total"));
    auto& server = endpoint({.keep = keep});
    for (int index = 0; index < 20; ++index) ASSERT_TRUE(server.run({{"select 1"}}).rows);
    EXPECT_EQ(metric("database_connections_opened_total") - before, keep ? 1 : 20);
    EXPECT_EQ(sample_with(page_.render(), "database_connections{", "state=\"idle\""), keep ? 1 : 0);
  }
}

TEST_F(EndpointTest, NeverHoldsMoreConnectionsThanItMay) {
  auto& server = endpoint({.connections = 3, .max_wait = seconds(10)});
  {
    std::vector<std::jthread> callers;
    for (int index = 0; index < 12; ++index) {
      callers.emplace_back([&] { EXPECT_TRUE(server.run({{"select pg_sleep(0.01)"}}).rows); });
    }
  }
  EXPECT_LE(metric("database_connections_opened_total"), 3);
}

TEST_F(EndpointTest, BusyIsNotDown) {
  auto& server = endpoint({.connections = 1, .max_wait = milliseconds(1)});
  std::jthread caller([&] { EXPECT_TRUE(server.run({{"select pg_sleep(0.3)"}}).rows); });
  ASSERT_TRUE(eventually([&] { return sample_with(page_.render(), "database_connections{", "state=\"used\"") == 1; }));
  const auto attempt = server.run({{"select 1"}});
  EXPECT_EQ(attempt.rows.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(attempt.is_server_lost);
  EXPECT_FALSE(server.is_down());
}

TEST_F(EndpointTest, AServerThatIsNotThereIsTriedOnceUntilTheProbeFindsIt) {
  auto& server = endpoint({}, free_port());
  EXPECT_TRUE(server.run({{"select 1"}}).is_server_lost);
  EXPECT_TRUE(server.run({{"select 1"}}).is_server_lost);
  EXPECT_EQ(times_down_, 1);
  EXPECT_EQ(metric("database_up"), 0);
  EXPECT_EQ(metric("database_errors_total"), 2);
  server.set_down(false);
  EXPECT_TRUE(server.run({{"select 1"}}).is_server_lost);
  EXPECT_EQ(times_down_, 2);
}

TEST_F(EndpointTest, AConnectionThatTheServerClosedIsReplacedUnseen) {
  auto& server = endpoint({});
  const auto id = server.run({{"select pg_backend_pid()"}}).rows.value()[0].values[0][0].value();
  cluster_->primary(0).run("select pg_terminate_backend(" + id + ", 5000)");
  const auto attempt = server.run({{"select pg_backend_pid()"}});
  ASSERT_TRUE(attempt.rows) << attempt.rows.error().message;
  EXPECT_NE(attempt.rows.value()[0].values[0][0].value(), id);
}

TEST_F(EndpointTest, AServerThatHangsIsDownAfterOneTimeOut) {
  auto& server = endpoint({});
  ASSERT_TRUE(server.run({{"select 1"}}).rows);
  // Its child for this connection stops, as it would behind a network that swallows everything.
  const auto id = server.run({{"select pg_backend_pid()"}}).rows.value()[0].values[0][0].value();
  kill(std::stoi(id), SIGSTOP);
  const auto attempt = server.run({{"select 1"}});
  kill(std::stoi(id), SIGCONT);
  EXPECT_EQ(attempt.rows.error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(attempt.is_server_lost);
  EXPECT_TRUE(server.is_down());
}

TEST_F(EndpointTest, ErrorsTellTheDataFromTheStatementFromTheTime) {
  auto& server = endpoint({});
  const auto code = [&](const std::string& sql) {
    const auto attempt = server.run({{sql}});
    EXPECT_FALSE(attempt.is_server_lost);
    return attempt.rows.error().code;
  };
  ASSERT_TRUE(server.run({{"create table once (id int primary key)"}, {"insert into once values (1)"}}).rows);
  EXPECT_EQ(code("insert into once values (1)"), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code("insert into once values (null)"), ErrorCode::kInvalid);
  EXPECT_EQ(code("select 'x'::int"), ErrorCode::kInvalid);
  EXPECT_EQ(code("select from nowhere"), ErrorCode::kInternal);
  EXPECT_EQ(metric("database_errors_total"), 1);
  EXPECT_EQ(code("select 1; select 2"), ErrorCode::kInternal);  // One statement at a time.
  EXPECT_EQ(code("select pg_sleep(5)"), ErrorCode::kTimeout);
  EXPECT_TRUE(server.run({{"drop table once"}}).rows);
}

TEST_F(EndpointTest, ParametersAreValuesAndNothingElse) {
  auto& server = endpoint({});
  const std::string nasty = "'; drop table users; -- \\ \n \xE2\x82\xAC";
  const auto rows = server.run({{"select $1::text, $2::text", {nasty, std::nullopt}}}).rows.value();
  EXPECT_EQ(rows[0].values[0][0], nasty);
  EXPECT_EQ(rows[0].values[0][1], std::nullopt);
}

TEST_F(EndpointTest, LargeValuesGoBothWays) {
  auto& server = endpoint({});
  const std::string large(8 << 20, 'x');
  const auto rows = server.run({{"select $1::text", {large}}}).rows.value();
  EXPECT_EQ(rows[0].values[0][0]->size(), large.size());
}

}  // namespace
}  // namespace scalableapp::workload
