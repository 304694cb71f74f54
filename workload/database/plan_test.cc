// The indexes that matter, on a hundred thousand orders: that the plan uses them, and what their lack costs.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "workload/database/schema.h"
#include "workload/testing/postgres.h"

namespace scalableapp::workload {
namespace {

struct Plan {
  bool is_sequential = false;
  std::string index;
  long long buffers = 0;
  double milliseconds = 0;
};

class PlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto* const cluster = PostgresCluster::shared();
    if (cluster == nullptr) GTEST_SKIP() << PostgresCluster::why_none();
    server_ = &cluster->primary(0);
    options_.database.shards = server_->address();
    ASSERT_TRUE(run_migrate(options_, {}));
    if (server_->run("select from orders where id = 'plan-1'").empty()) {
      // A thousand users with a hundred orders each, one order in a hundred still open.
      server_->run("insert into orders (id, user_id, item, state, created) select 'plan-' || n, n % 1000, 'a meal',"
                   " case when n % 100 = 0 then 'placed' else 'delivered' end, now() - n * interval '1 second'"
                   " from generate_series(1, 100000) n");
      server_->run("vacuum analyze orders");
    }
  }

  Plan explain(const std::string& sql, const std::string& parameter) {
    const auto rows = server_->run("explain (analyze, buffers, format json) " + sql, {parameter});
    const auto top = nlohmann::json::parse(rows[0][0].value())[0];
    Plan plan{.milliseconds = top["Execution Time"]};
    // A node's buffers include its children's.
    for (const char* kind : {"Shared Hit Blocks", "Shared Read Blocks"}) plan.buffers += top["Plan"][kind].get<int>();
    const std::function<void(const nlohmann::json&)> walk = [&](const nlohmann::json& node) {
      if (node["Node Type"] == "Seq Scan") plan.is_sequential = true;
      if (node.contains("Index Name")) plan.index = node["Index Name"];
      if (!node.contains("Plans")) return;
      for (const auto& child : node["Plans"]) walk(child);
    };
    walk(top["Plan"]);
    return plan;
  }

  // With the index, then without it, then as it was.
  void expect_index_matters(const std::string& index, const std::string& sql, const std::string& parameter) {
    const Plan with = explain(sql, parameter);
    EXPECT_EQ(with.index, index);
    EXPECT_FALSE(with.is_sequential);
    server_->run("drop index " + index);
    const Plan without = explain(sql, parameter);
    EXPECT_TRUE(without.is_sequential);
    EXPECT_GT(without.buffers, 10 * with.buffers);
    std::printf("%s: %lld buffers, %.2f ms; without it %lld, %.2f ms\n", index.c_str(), with.buffers,
                with.milliseconds, without.buffers, without.milliseconds);
    ASSERT_TRUE(run_migrate(options_, {}));
    EXPECT_EQ(explain(sql, parameter).index, index);
  }

  PostgresServer* server_ = nullptr;
  MigrateOptions options_;
};

TEST_F(PlanTest, AUsersNewestOrdersComeFromTheirIndex) {
  expect_index_matters("orders_by_user",
                       "select id, state from orders where user_id = $1 order by created desc limit 20", "77");
}

TEST_F(PlanTest, OpenOrdersComeFromAnIndexThatHoldsNoOthers) {
  expect_index_matters("orders_open", "select id from orders where state = $1 order by created limit 50", "placed");
  const auto size = [this](const std::string& index) {
    return std::stoll(server_->run("select pg_relation_size('" + index + "')")[0][0].value());
  };
  EXPECT_LT(size("orders_open") * 20, size("orders_by_user"));
}

}  // namespace
}  // namespace scalableapp::workload
