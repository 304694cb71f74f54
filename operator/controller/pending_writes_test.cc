#include "operator/controller/pending_writes.h"

#include <gtest/gtest.h>

namespace scalableapp::controller {
namespace {

using ReplicaSets = std::vector<std::shared_ptr<const api::ReplicaSet>>;

api::ReplicaSet replica_set(std::string uid, std::string version, int replicas) {
  api::ReplicaSet object;
  object.metadata.name = "web-" + uid;
  object.metadata.uid = std::move(uid);
  object.metadata.resource_version = std::move(version);
  object.spec_replicas = replicas;
  return object;
}

ReplicaSets cache(std::initializer_list<api::ReplicaSet> objects) {
  ReplicaSets result;
  for (const auto& object : objects) result.push_back(std::make_shared<const api::ReplicaSet>(object));
  return result;
}

constexpr MonotonicTime kStart{seconds{100}};

TEST(PendingWrites, AWriteIsSeenBeforeTheCacheShowsIt) {
  PendingWrites pending;
  pending.wrote(replica_set("a", "12", 6), kStart);
  const auto seen = pending.overlay(cache({replica_set("a", "9", 3)}), kStart);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0]->spec_replicas, 6);
}

TEST(PendingWrites, TheCacheWinsOnceItIsAsNew) {
  PendingWrites pending;
  pending.wrote(replica_set("a", "12", 6), kStart);
  EXPECT_EQ(pending.overlay(cache({replica_set("a", "120", 4)}), kStart)[0]->spec_replicas, 4);
  EXPECT_EQ(pending.overlay(cache({replica_set("a", "9", 3)}), kStart)[0]->spec_replicas, 3);
}

TEST(PendingWrites, ACreatedReplicaSetIsThereAtOnceAndADeletedOneIsGone) {
  PendingWrites pending;
  pending.wrote(replica_set("new", "5", 2), kStart);
  pending.deleted("old", kStart);
  const auto seen = pending.overlay(cache({replica_set("old", "3", 0)}), kStart);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0]->metadata.uid, "new");
}

TEST(PendingWrites, AfterThePatienceTheCacheIsBelieved) {
  PendingWrites pending;
  pending.wrote(replica_set("a", "12", 6), kStart);
  const auto later = kStart + PendingWrites::kPatience + milliseconds{1};
  EXPECT_TRUE(pending.overlay(std::vector<std::shared_ptr<const api::ReplicaSet>>{}, later).empty());
}

TEST(PendingWrites, APodIsAsWeWroteItUntilTheCacheCatchesUpAndNoneIsAdded) {
  const auto pod = [](const char* version, bool warm) {
    api::Pod one;
    one.metadata = {.uid = "p", .resource_version = version};
    one.warm = warm;
    return std::make_shared<const api::Pod>(one);
  };
  PendingWrites pending;
  pending.wrote(*pod("7", true), kStart);
  EXPECT_TRUE(pending.overlay({pod("5", false)}, kStart)[0]->warm);
  EXPECT_TRUE(pending.overlay(std::vector<std::shared_ptr<const api::Pod>>{}, kStart).empty());
  EXPECT_FALSE(pending.overlay({pod("8", false)}, kStart)[0]->warm);
  EXPECT_FALSE(pending.overlay({pod("5", false)}, kStart)[0]->warm) << "the cache had caught up";
  pending.wrote(*pod("9", true), kStart);
  EXPECT_FALSE(pending.overlay({pod("5", false)}, kStart + PendingWrites::kPatience + milliseconds{1})[0]->warm);
}

TEST(PendingWrites, TheAppsVersionIsTheNewerOneAndTheCachesAfterAWhile) {
  PendingWrites pending;
  EXPECT_FALSE(pending.has_written_app());
  EXPECT_EQ(pending.app_version("7", kStart), "7");
  pending.wrote_app("10", kStart);
  EXPECT_TRUE(pending.has_written_app());
  EXPECT_EQ(pending.app_version("9", kStart), "10");
  EXPECT_EQ(pending.app_version("11", kStart), "11");
  // After a restore of etcd versions are lower than before.
  EXPECT_EQ(pending.app_version("9", kStart + PendingWrites::kPatience + seconds{1}), "9");
}

}  // namespace
}  // namespace scalableapp::controller
