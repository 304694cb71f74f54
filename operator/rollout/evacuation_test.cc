#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/evacuation.h"
#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Pods of cordoned nodes that drain before they go, as scale_down.h chooses them.
class Drain {
 public:
  Drain(int desired, int leaving, int surge, int drain_seconds) : drain_(drain_seconds), desired_(desired) {
    cluster_ = Cluster(desired, {.max_surge = {surge}, .max_unavailable = {0}});
    EXPECT_TRUE(cluster_.roll_out_first());
    for (int i = 0; i < leaving; ++i) pods()[static_cast<std::size_t>(i)].leaving = true;
  }
  std::vector<PodFacts>& pods() { return cluster_.find("v1")->pods; }
  int leaving() {
    return static_cast<int>(std::ranges::count_if(pods(), [](const auto& pod) { return pod.leaving; }));
  }

  void look() {
    cluster_.now += seconds{1};
    RevisionState& one = *cluster_.find("v1");
    std::erase_if(one.pods, [&](const PodFacts& pod) {
      return pod.terminating && cluster_.now - since_[pod.name] > seconds{drain_};
    });
    const auto live = std::ranges::count_if(one.pods, [](const auto& pod) { return !pod.terminating; });
    for (auto i = live; i < one.spec_replicas; ++i) {
      one.pods.push_back({.name = "n" + std::to_string(++made_), .created = cluster_.now});
    }
    for (PodFacts& pod : one.pods) {
      if (can_schedule && !pod.serving && !pod.terminating && cluster_.now - pod.created > seconds{2}) {
        pod.serving = true;
        pod.ready_since = cluster_.now;
      }
    }
    const RolloutPlan plan = rollout::plan(cluster_.now, cluster_.input());
    changes += plan.actions.empty() ? 0 : 1;
    EXPECT_FALSE(plan.in_flight);
    cluster_.carry_out(plan);
    // Not started ones first, then those of cordoned nodes.
    std::ranges::stable_sort(one.pods, {}, [](const auto& pod) { return std::pair(!pod.serving, pod.leaving); });
    auto kept = one.spec_replicas;
    for (PodFacts& pod : one.pods) {
      if (pod.terminating || kept-- > 0) continue;
      pod.terminating = true;
      pod.deleted = drain_ == 0;
      pod.serving = false;
      since_[pod.name] = cluster_.now;
    }
    const auto serving = std::ranges::count_if(one.pods, [](const auto& pod) { return pod.serving; });
    least = std::min(least, static_cast<int>(serving));
    most = std::max(most, static_cast<int>(one.pods.size()));
    EXPECT_LE(one.spec_replicas, desired_ + 3);
  }

  bool can_schedule = true;
  int least = 1000, most = 0, changes = 0;

 private:
  int drain_, desired_, made_ = 0;
  Cluster cluster_{1, {}};
  std::map<std::string, WallTime> since_;
};

TEST(Evacuation, ReplacementsServeBeforeAnyPodGoesAndNoMoreThanTheSurgeIsAdded) {
  for (const int drain : {0, 4}) {
    for (const int surge : {1, 3}) {
      Drain world(8, 5, surge, drain);
      int looks = 0;
      while (world.leaving() > 0 && looks < 200) world.look(), ++looks;
      for (int i = 0; i < 20; ++i) world.look();
      EXPECT_EQ(world.leaving(), 0) << "surge " << surge << ", drain " << drain;
      EXPECT_EQ(world.pods().size(), 8U);
      EXPECT_EQ(world.least, 8);
      EXPECT_LE(world.most, 8 + surge);
      EXPECT_EQ(world.changes, 2 * ((5 + surge - 1) / surge)) << "up and down once a batch";
    }
  }
}

TEST(Evacuation, WithoutASurgeThereIsOneExtraPod) {
  World world{.desired = 4, .revisions = {revision("new", 4, 4)}, .current_revision = "new"};
  world.spec.rollout.max_surge = {0};
  for (auto& pod : world.revisions[0].pods) pod.leaving = true;
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("new: 4 -> 5"));
}

TEST(Evacuation, WhereReplacementsCannotBeScheduledNothingGoes) {
  Drain world(4, 2, 1, 3);
  world.can_schedule = false;
  for (int i = 0; i < 50; ++i) world.look();
  EXPECT_EQ(world.leaving(), 2);
  EXPECT_EQ(world.least, 4);
  EXPECT_EQ(world.changes, 1);
}

TEST(Evacuation, LeavingPodsThatDoNotServeAreReplacedBesideTheSurge) {
  Side side{.spec = 4, .live = 4, .available = 2, .leaving = 3, .leaving_available = 1};
  EXPECT_EQ(evacuate(side, 4, 1), 7);
  side = {.spec = 7, .live = 7, .available = 5, .leaving = 3, .leaving_available = 1};
  EXPECT_EQ(evacuate(side, 4, 1), 4);  // One that serves can be spared, two that do not anyway.
}

TEST(Evacuation, AnAppAtZeroAndARolloutInFlightEvacuateNothing) {
  World world{.desired = 0, .revisions = {revision("new", 0, 0)}, .current_revision = "new"};
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
  world = {.desired = 4, .revisions = {revision("new", 1, 0, 1), revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  world.revisions[1].pods[0].leaving = true;
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
}

TEST(Evacuation, PodsThatTheReplicaSetHasYetToTakeAreNotSaved) {
  EXPECT_EQ(evacuate({.spec = 4, .live = 5, .available = 4, .leaving = 2, .leaving_available = 2}, 4, 1), 4);
  EXPECT_EQ(evacuate({.spec = 4, .live = 4, .available = 4, .leaving = 1, .leaving_available = 1}, 4, 1), 5);
}

TEST(Evacuation, APodThatHangsOnADeadNodeDoesNotHoldUpTheOthers) {
  World world{.desired = 4, .revisions = {revision("new", 4, 4)}, .current_revision = "new"};
  auto& pods = world.revisions[0].pods;
  pods[0].leaving = true;
  pods.push_back({.name = "gone", .terminating = true, .deleted = true, .leaving = true});
  world.spec.rollout.max_surge = {1};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("new: 4 -> 5"));
  pods.back().deleted = false;  // One that drains would come back.
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
}

TEST(Evacuation, ALowerCountLetsLeavingPodsGoWithoutReplacement) {
  World world{.desired = 3, .revisions = {revision("new", 4, 4)}, .current_revision = "new"};
  world.revisions[0].pods[0].leaving = world.revisions[0].pods[1].leaving = true;
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("new: 4 -> 3"));
}

}  // namespace
}  // namespace scalableapp::rollout
