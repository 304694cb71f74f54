#include "operator/rollout/ejections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/gates.h"

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const WallTime kNow{seconds{100'000}};

api::Pod pod(const std::string& name) {
  api::Pod one;
  one.metadata.name = name;
  one.phase = "Running";
  one.has_warm_gate = one.containers_ready = one.ready = one.warm = true;
  one.containers_ready_since = one.ready_since = one.warm_since = kNow - seconds{1000};
  return one;
}

struct World {
  explicit World(int count) {
    for (int i = 0; i < count; ++i) {
      pods.push_back(pod("p" + std::to_string(i)));
      suspects.push_back({pods.back().metadata.name, "it is slow"});
    }
    spec.outliers = {.action = api::OutlierAction::kEject, .max_ejected_percent = 20};
  }
  std::vector<std::shared_ptr<const api::Pod>> shared() const {
    std::vector<std::shared_ptr<const api::Pod>> all;
    for (const auto& one : pods) all.push_back(std::make_shared<const api::Pod>(one));
    return all;
  }
  // Notes the ejections as the controller does. Returns how many.
  int eject(WallTime now) {
    const auto ejects = plan_ejections(now, spec, shared(), suspects);
    for (const auto& eject : ejects) {
      for (auto& one : pods) {
        if (one.metadata.name == eject.pod->metadata.name) one.ejection = eject.ejection;
      }
    }
    return static_cast<int>(ejects.size());
  }
  // Carries out the gates' plan, and is the kubelet. Returns the reasons.
  std::vector<std::string> keep_gates(WallTime now) {
    std::vector<std::string> reasons;
    for (const auto& change : plan_gates(now, spec, shared(), {}).changes) {
      reasons.push_back(change.reason);
      for (auto& one : pods) {
        if (one.metadata.name != change.pod->metadata.name) continue;
        one.warm = one.ready = change.warm;
        one.set_aside_since = change.warm ? std::nullopt : std::optional(now);
      }
    }
    return reasons;
  }
  int serving() const {
    return static_cast<int>(std::ranges::count_if(pods, [](const auto& one) { return in_service(one); }));
  }
  api::ScalableAppSpec spec{.max_replicas = 100};
  std::vector<api::Pod> pods;
  std::vector<Suspect> suspects;
};

TEST(Ejections, NeverMoreThanTheShareIsOutAndAlwaysOneMayBeWhereHalfServe) {
  struct Case {
    const char* name;
    int pods, percent, want;
  };
  const Case cases[] = {
      {"the only pod stays", 1, 100, 0},
      {"of two one may go", 2, 20, 1},
      {"a share under one pod is one pod", 4, 20, 1},
      {"a share is rounded down", 14, 20, 2},
      {"half of the pods serve whatever the share", 10, 100, 5},
      {"of three one, so that two serve", 3, 100, 1},
  };
  for (const Case& one : cases) {
    World world(one.pods);
    world.spec.outliers.max_ejected_percent = one.percent;
    EXPECT_EQ(world.eject(kNow), one.want) << one.name;
    EXPECT_EQ(world.eject(kNow), 0) << one.name << ", and no more before their gates are closed";
    world.keep_gates(kNow);
    EXPECT_EQ(world.eject(kNow + seconds{1}), 0) << one.name << ", nor after that";
    EXPECT_EQ(world.serving(), one.pods - one.want) << one.name;
  }
}

TEST(Ejections, PodsThatAreOutOfServiceForOtherReasonsCountAgainstTheHalf) {
  World world(4);
  world.pods[2].containers_ready = world.pods[2].ready = false;
  world.pods[3].containers_ready = world.pods[3].ready = false;
  EXPECT_EQ(world.eject(kNow), 0);
}

TEST(Ejections, OneThatIsToGoNeitherCountsNorIsEjected) {
  World world(2);
  world.pods[0].draining_since = kNow;
  EXPECT_EQ(world.eject(kNow), 0) << "the other one serves alone";
}

TEST(Ejections, ReportedOnlyOrWithoutAGateNobodyIsEjected) {
  World world(5);
  world.spec.outliers.action = api::OutlierAction::kReport;
  EXPECT_EQ(world.eject(kNow), 0);
  world.spec.outliers.action = api::OutlierAction::kEject;
  world.spec.readiness.gate = false;
  EXPECT_EQ(world.eject(kNow), 0);
  world.spec.readiness.gate = true;
  for (auto& one : world.pods) one.has_warm_gate = false;
  EXPECT_EQ(world.eject(kNow), 0);
}

TEST(Ejections, AnEjectedPodReturnsAfterAMinuteAndTheSecondTimeAfterTwo) {
  World world(5);
  world.suspects = {{"p1", "it is slow"}};
  WallTime now = kNow;
  for (const int minutes : {1, 2, 3, 4, 5, 5}) {
    ASSERT_EQ(world.eject(now), 1);
    EXPECT_THAT(world.keep_gates(now), ElementsAre("Outlier"));
    const WallTime back = now + std::chrono::minutes{minutes};
    const auto plan = plan_gates(now, world.spec, world.shared(), {});
    EXPECT_EQ(plan.next_check, back);
    EXPECT_THAT(world.keep_gates(back - seconds{1}), IsEmpty());
    EXPECT_THAT(world.keep_gates(back), ElementsAre("OutlierRetry"));
    EXPECT_EQ(world.serving(), 5);
    now = back + seconds{30};
  }
  now += seconds{601};
  ASSERT_EQ(world.eject(now), 1);
  EXPECT_EQ(world.pods[1].ejection->count, 1) << "long ago is forgotten";
}

TEST(Ejections, TheGateSaysWhy) {
  World world(5);
  world.suspects = {{"p1", "p99 1.2s while the others have 90ms"}};
  world.eject(kNow);
  const auto plan = plan_gates(kNow, world.spec, world.shared(), {});
  ASSERT_EQ(plan.changes.size(), 1u);
  EXPECT_EQ(plan.changes[0].message, "p99 1.2s while the others have 90ms");
  EXPECT_FALSE(plan.changes[0].warm);
}

TEST(Ejections, APodThatRestartedWhileItWasOutWarmsUpAsAnyOther) {
  World world(5);
  world.spec.readiness.min_warm_seconds = 30;
  world.suspects = {{"p1", "it is slow"}};
  world.eject(kNow);
  world.keep_gates(kNow);
  world.pods[1].restart_count = 1;
  world.pods[1].containers_ready_since = kNow + seconds{50};
  EXPECT_THAT(world.keep_gates(kNow + seconds{60}), IsEmpty());
  EXPECT_THAT(world.keep_gates(kNow + seconds{80}), ElementsAre("ContainersReady"));
}

}  // namespace
}  // namespace scalableapp::rollout
