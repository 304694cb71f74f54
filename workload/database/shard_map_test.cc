#include "workload/database/shard_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workload/database/read_after.h"

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

std::vector<int> spread(std::size_t shards, int keys) {
  std::vector<int> counts(shards);
  for (int id = 1; id <= keys; ++id) ++counts[ShardKey(id).shard(shards)];
  return counts;
}

TEST(ShardKey, SpreadsIdsThatWereHandedOutInOrder) {
  for (const std::size_t shards : {1, 2, 3, 8}) {
    const int fair = 100'000 / static_cast<int>(shards);
    for (const int count : spread(shards, 100'000)) EXPECT_NEAR(count, fair, fair * 0.03) << shards;
  }
}

TEST(ShardKey, SpreadsNamesThatDifferInTheirLastDigits) {
  int first = 0;
  for (int index = 0; index < 10'000; ++index) {
    if (ShardKey("order-" + std::to_string(index)).shard(2) == 0) ++first;
  }
  EXPECT_NEAR(first, 5000, 250);
}

// Rows lie where these say: another answer tomorrow would lose them.
TEST(ShardKey, NeverChanges) {
  std::string shards;
  for (int id = 1; id <= 20; ++id) shards += std::to_string(ShardKey(id).shard(2));
  EXPECT_EQ(shards, "00110011100011000010");
  EXPECT_EQ(ShardKey("").shard(8), 1U);
  EXPECT_EQ(ShardKey("order-1").shard(8), 4U);
  EXPECT_EQ(ShardKey(-1).shard(8), 7U);
}

TEST(ShardKey, OneMoreShardTakesAnEqualPartOfEachAndMovesNothingElse) {
  int moved = 0;
  for (int id = 1; id <= 30'000; ++id) {
    const auto before = ShardKey(id).shard(2);
    const auto after = ShardKey(id).shard(3);
    if (before == after) continue;
    EXPECT_EQ(after, 2U);
    ++moved;
  }
  EXPECT_NEAR(moved, 10'000, 300);
}

TEST(ParseShards, ReadsPrimariesAndTheirReplicas) {
  const auto shards = parse_shards("p0:5432/r0:5433/s0:5434,p1:5432").value();
  ASSERT_EQ(shards.size(), 2U);
  EXPECT_EQ(shards[0].primary.host, "p0");
  ASSERT_EQ(shards[0].replicas.size(), 2U);
  EXPECT_EQ(shards[0].replicas[1].port, 5434);
  EXPECT_TRUE(shards[1].replicas.empty());
}

TEST(ParseShards, SaysWhatIsWrong) {
  const auto why = [](const std::string& text) { return parse_shards(text).error().message; };
  EXPECT_THAT(why(""), HasSubstr("--shards=: shard 0 lacks a server: must be PRIMARY[/REPLICA...]"));
  EXPECT_THAT(why("p0:1,"), HasSubstr("shard 1 lacks a server"));
  EXPECT_THAT(why("p0:1//r:1"), HasSubstr("shard 0 lacks a server"));
  EXPECT_THAT(why("p0:1/r0"), HasSubstr("--shards=r0: must be HOST:PORT"));
  EXPECT_THAT(why("p0:1,p1:99999"), HasSubstr("--shards=p1:99999: must be HOST:PORT"));
  EXPECT_THAT(why("p0:1/r:1,p1:1/r:1"), HasSubstr("r:1 is there twice"));
  std::string many = "p:1";
  for (int port = 2; port <= 65; ++port) many += ",p:" + std::to_string(port);
  EXPECT_THAT(why(many), HasSubstr("65 shards: must be at most 64"));
}

TEST(ReadAfter, ComesBackFromItsText) {
  ReadAfter token(1, 0x16B374D848);
  token.merge({0, 0x300});
  EXPECT_EQ(token.text(), "0@0/300,1@16/B374D848");
  EXPECT_EQ(ReadAfter::parse(token.text()).value(), token);
  EXPECT_EQ(token.lsn(1), 0x16B374D848U);
  EXPECT_EQ(token.lsn(2), 0U);
  EXPECT_EQ(ReadAfter::parse("").value(), ReadAfter());
}

TEST(ReadAfter, KeepsTheLatestOfEachShard) {
  ReadAfter token(0, 0x300);
  token.merge({0, 0x200});
  EXPECT_EQ(token.text(), "0@0/300");
}

TEST(ReadAfter, RefusesOtherText) {
  for (const char* text : {"x", "0@", "@0/1", "0@0", ",0@0/1", "0@0/1;1@0/1", "-1@0/1", "64@0/1", "0@0/123456789"}) {
    const auto parsed = ReadAfter::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("X-Read-After: must be"));
  }
}

}  // namespace
}  // namespace scalableapp::workload
