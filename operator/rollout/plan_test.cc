#include "operator/rollout/plan.h"

#include "operator/rollout/test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Plan, ANewAppStartsAtTheWantedCount) {
  EXPECT_THAT(texts(World{.desired = 4}.plan_now().actions), ElementsAre("create 4"));
}

TEST(Plan, InTheSteadyStateTheOneReplicaSetFollowsTheWantedCount) {
  World world{.desired = 7, .revisions = {revision("new", 4, 4)}, .current_revision = "new"};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("new: 4 -> 7"));
  EXPECT_FALSE(world.plan_now().in_flight);
  world.revisions = {revision("new", 7, 7)};
  EXPECT_THAT(texts(world.plan_now().actions), IsEmpty());
}

TEST(Plan, ANewRevisionIsSizedBySurgeOfTheCountWantedNowNotByTheMinimum) {
  World world{.desired = 20, .revisions = {revision("old", 20, 20)}};  // 25 % of 20: promotion at min replicas is fluxcd/flagger#1600
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("create 5"));
}

TEST(Plan, ABurstInTheStepOfANewTemplateGoesToWhatServesBeforeAnythingIsCreated) {
  World world{.desired = 12, .revisions = {revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 4 -> 12", "create 1"));
  world.spec.rollout = {.max_surge = {0}, .max_unavailable = {2}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 4 -> 10", "create 2"));
  world.revisions = {revision("old", 4, 0, 4)};  // An old revision that does not serve is no help.
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("create 2"));
}

TEST(Plan, TheRollingStepsAreThoseOfADeployment) {
  struct Case {
    const char* name;
    int desired;
    api::IntOrPercent surge, unavailable;
    RevisionState fresh, old;
    std::vector<std::string> want;
  };
  const Case cases[] = {
      {"nothing is taken down before a new pod serves", 4, {1}, {0}, revision("new", 1, 0, 1), revision("old", 4, 4), {}},
      {"a new pod that serves frees an old one", 4, {1}, {0}, revision("new", 1, 1), revision("old", 4, 4), {"old: 4 -> 3"}},
      {"and the freed one makes room for the next new", 4, {1}, {0}, revision("new", 1, 1), revision("old", 3, 3), {"new: 1 -> 2"}},
      {"maxUnavailable lets old ones go at once", 4, {0}, {1}, revision("new", 0, 0), revision("old", 4, 4), {"old: 4 -> 3"}},
      {"old pods that serve nobody go first", 4, {1}, {0}, revision("new", 1, 1), revision("old", 4, 3, 1), {"old: 4 -> 3"}},
      {"the last old one goes when the new ones suffice", 4, {1}, {0}, revision("new", 4, 4), revision("old", 1, 1), {"old: 1 -> 0"}},
      {"percentages: surge up, unavailable down", 5, {25, true}, {25, true}, revision("new", 2, 0, 2), revision("old", 4, 4), {"new: 2 -> 3"}},
  };
  for (const Case& one : cases) {
    World world{.desired = one.desired, .revisions = {one.fresh, one.old}};
    world.spec.rollout.max_surge = one.surge;
    world.spec.rollout.max_unavailable = one.unavailable;
    EXPECT_EQ(texts(world.plan_now().actions), one.want) << one.name;
    EXPECT_TRUE(world.plan_now().in_flight) << one.name;
  }
}

TEST(Plan, ABurstInARolloutGoesToTheNewRevisionOnceItServes) {
  World world{.desired = 12, .revisions = {revision("new", 2, 2), revision("old", 3, 3)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("new: 2 -> 10"));
}

TEST(Plan, ABurstBeforeTheNewRevisionServesGoesToTheOldOne) {
  World world{.desired = 12, .revisions = {revision("new", 1, 0, 1), revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 4 -> 12"));
}

TEST(Plan, AStuckRolloutSaysWhyInThePodsWordsAndTakesNothingDown) {
  World world{.desired = 4, .revisions = {revision("new", 1, 0), revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}, .progress_deadline_seconds = 60};
  world.revisions[0].pods.push_back(pod(false, 61, "ImagePullBackOff: no such image"));
  const RolloutPlan plan = world.plan_now();
  EXPECT_THAT(plan.actions, IsEmpty());
  EXPECT_EQ(plan.progressing.status, api::ConditionStatus::kFalse);
  EXPECT_EQ(plan.progressing.reason, "ProgressDeadlineExceeded");
  EXPECT_THAT(plan.progressing.message, HasSubstr("ImagePullBackOff: no such image"));
}

TEST(Plan, ABlipOfAnOldPodOrANewFailureToCreateIsNotStuckAtOnce) {
  World world{.desired = 1, .revisions = {revision("new", 1, 0, 0, 9000)}, .current_revision = "new"};
  world.spec.rollout.progress_deadline_seconds = 60;
  world.revisions[0].pods.push_back(pod(false, 9000));
  EXPECT_EQ(world.plan_now().progressing.reason, "ProgressDeadlineExceeded");
  world.revisions[0].pods[0].unready_since = kNow - seconds{5};
  EXPECT_EQ(world.plan_now().progressing.reason, "NewReplicaSetAvailable");
  EXPECT_EQ(world.plan_now().next_check, kNow + seconds{55});
  world.revisions[0].pods.clear();
  world.revisions[0].failure = "FailedCreate: exceeded quota";
  world.revisions[0].failure_since = kNow - seconds{10};
  EXPECT_EQ(world.plan_now().progressing.reason, "NewReplicaSetAvailable");
  EXPECT_EQ(world.plan_now().next_check, kNow + seconds{50});
}

TEST(Plan, WhatIsStuckOrRefusedIsLentNoCapacity) {
  World world{.desired = 20, .revisions = {revision("old", 10, 10)}, .is_refused = true};  // 25 % and 25 %
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 10 -> 20", "create 5"));
  world = {.desired = 20, .revisions = {revision("new", 5, 0), revision("old", 15, 15)}};
  world.revisions[0].pods.push_back(pod(false, 601, "CrashLoopBackOff"));
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 15 -> 20"));
  world.revisions[1] = revision("old", 20, 20);
  EXPECT_THAT(texts(world.plan_now().actions), IsEmpty());
}

TEST(Plan, SurgeThatServesNobodyGoesWhenTheWantedCountFalls) {
  World world{.desired = 3, .revisions = {revision("new", 5, 0, 5), revision("old", 8, 8)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("old: 8 -> 3", "new: 5 -> 1"));
}

TEST(Plan, ARevisionIsRolledOutOnlyOnceItHasServedInFull) {
  World world{.desired = 4, .revisions = {revision("new", 4, 3, 1)}, .current_revision = ""};
  EXPECT_EQ(world.plan_now().progressing.reason, "ReplicaSetUpdated");
  world.revisions[0] = revision("new", 4, 4);
  EXPECT_EQ(world.plan_now().progressing.reason, "NewReplicaSetAvailable");
  world.revisions[0] = revision("new", 4, 3, 1);  // Once it has, a lost pod is no rollout.
  world.current_revision = "new";
  EXPECT_EQ(world.plan_now().progressing.reason, "NewReplicaSetAvailable");
}

TEST(Plan, MinReadySecondsDelaysTheOldOnesEndAndAsksToBeWoken) {
  World world{.desired = 1, .revisions = {revision("new", 1, 0), revision("old", 1, 1)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}, .min_ready_seconds = 30};
  world.revisions[0].pods.push_back(pod(true, 10));
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
  EXPECT_EQ(world.plan_now().next_check, kNow + seconds{20});
}

TEST(Plan, GoingBackToTheOldTemplateUsesItsReplicaSet) {
  World world{.desired = 4, .revisions = {revision("bad", 1, 0, 1), revision("new", 4, 4, 0, 9000)}};
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("bad: 1 -> 0"));
}

TEST(Plan, PausedAndDryRunChangeNothing) {
  World world{.desired = 9, .revisions = {revision("old", 4, 4)}};
  world.spec.paused = true;
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
  world.spec.paused = false;
  world.spec.dry_run = true;
  EXPECT_THAT(world.plan_now().actions, IsEmpty());
  EXPECT_THAT(world.plan_now().progressing.message, HasSubstr("would run 9"));
}

TEST(Plan, EmptyOldReplicaSetsBeyondTheHistoryLimitGoOldestFirst) {
  World world{.desired = 1, .revisions = {revision("new", 1, 1), revision("c", 0, 0, 0, 10), revision("a", 0, 0, 0, 30), revision("b", 0, 0, 0, 20)}};
  world.spec.revision_history_limit = 1;
  EXPECT_THAT(texts(world.plan_now().actions), ElementsAre("delete web-a", "delete web-b"));
}

TEST(Plan, TheCauseOfAFailedCreationIsTold) {
  World world{.desired = 4, .revisions = {revision("new", 1, 0), revision("old", 4, 4)}};
  world.revisions[0].failure = "FailedCreate: exceeded quota";
  EXPECT_THAT(world.plan_now().progressing.message, HasSubstr("exceeded quota"));
}

}  // namespace
}  // namespace scalableapp::rollout
