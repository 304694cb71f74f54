#include "workload/apps/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workload/apps/families.h"
#include "workload/apps/family_probe.h"
#include "workload/common/metrics_page.h"
#include "workload/database/database.h"
#include "workload/database/schema.h"
#include "workload/testing/eventually.h"
#include "workload/testing/postgres.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class UsersFamily : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_ = PostgresCluster::shared();
    if (cluster_ == nullptr) GTEST_SKIP() << PostgresCluster::why_none();
    MigrateOptions migrate;
    migrate.database.shards = cluster_->shards();
    ASSERT_TRUE(run_migrate(migrate, {}));
    cluster_->catch_up();
    database_ = Database::open(migrate.database, page_.registry()).value();
    // No route of this family asks Redis for anything.
    users_.emplace(make_users({.registry = page_.registry(), .database = database_.get()}), 1);
  }

  Result<HttpResponse> put(const std::string& id, const std::string& body) {
    return users_->ask("PUT", "/users/*", id, {.body = body});
  }
  Result<HttpResponse> get(const std::string& id, const std::string& read_after = {}) {
    HttpRequest request;
    if (!read_after.empty()) request.headers.emplace_back("x-read-after", read_after);
    return users_->ask("GET", "/users/*", id, request);
  }
  static std::string shard_of(std::int64_t id) { return "shard-" + std::to_string(ShardKey(id).shard(2)); }

  PostgresCluster* cluster_ = nullptr;
  MetricsPage page_;
  std::unique_ptr<Database> database_;
  std::optional<FamilyProbe> users_;
};

TEST_F(UsersFamily, AUserIsReadFromAReplicaOnceItIsThere) {
  const auto made = put("17", R"({"name": "Ada", "region": "north"})").value();
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(header_of(made, "X-Served-By"), shard_of(17) + "/primary");
  cluster_->catch_up();
  const auto read = get("17", header_of(made, "X-Read-After")).value();
  EXPECT_EQ(json::parse(read.body), json({{"id", 17}, {"name", "Ada"}, {"region", "north"}}));
  EXPECT_EQ(header_of(read, "X-Served-By"), shard_of(17) + "/replica");
}

TEST_F(UsersFamily, WithItsTokenAClientReadsItsOwnChangeBeforeTheReplicaHasIt) {
  ASSERT_TRUE(put("17", R"({"name": "Ada", "region": "north"})"));
  cluster_->catch_up();
  auto& replica = cluster_->replica(static_cast<int>(ShardKey(17).shard(2)));
  replica.set_replay(false);
  const auto changed = put("17", R"({"name": "Ada", "region": "south"})").value();
  EXPECT_EQ(json::parse(get("17").value().body)["region"], "north");
  const auto own = get("17", header_of(changed, "X-Read-After")).value();
  EXPECT_EQ(json::parse(own.body)["region"], "south");
  EXPECT_EQ(header_of(own, "X-Served-By"), shard_of(17) + "/primary");
  replica.set_replay(true);
}

TEST_F(UsersFamily, WhatIsWrongIsNamed) {
  EXPECT_EQ(get("999999").error().code, ErrorCode::kNotFound);
  const auto refused = [](const Result<HttpResponse>& answer) {
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalid);
    return answer.error().message;
  };
  for (const char* id : {"", "x", "0", "-1", "1x", "99999999999999999999"}) {
    EXPECT_THAT(refused(get(id)), HasSubstr("user id: must be a whole number")) << id;
  }
  EXPECT_THAT(refused(get("17", "yesterday")), HasSubstr("X-Read-After: must be"));
  EXPECT_THAT(refused(put("17", "[]")), HasSubstr("must be a JSON object"));
  EXPECT_THAT(refused(put("17", R"({"region": "north"})")), HasSubstr("name must be"));
  EXPECT_THAT(refused(put("17", R"({"name": "Ada", "region": 7})")), HasSubstr("region must be"));
  EXPECT_THAT(refused(put("17", json{{"name", std::string(201, 'x')}, {"region", "north"}}.dump())),
              HasSubstr("name must be a text of 1 to 200 bytes"));
  EXPECT_THAT(refused(put("17", R"({"name": "A\u0000da", "region": "north"})")), HasSubstr("the character 0"));
}

TEST(Users, NeedADatabase) {
  MetricsPage page;
  const auto made = make_families("users", {.registry = page.registry()});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "--apps=users: needs --shards");
}

}  // namespace
}  // namespace scalableapp::workload
