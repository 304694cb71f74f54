#include "operator/rollout/plan.h"

#include <deque>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime kNow{seconds{100'000}};

PodFacts pod(bool serving, int age_seconds = 60, std::string trouble = "") {
  return {.name = "p",
          .serving = serving,
          .ready_since = serving ? std::optional{kNow - seconds{age_seconds}} : std::nullopt,
          .trouble = std::move(trouble),
          .created = kNow - seconds{age_seconds}};
}

RevisionState revision(const std::string& name, int spec, int serving, int not_serving = 0, int age_seconds = 60) {
  RevisionState state{.revision = name, .name = "web-" + name, .uid = "uid-" + name, .resource_version = "1",
                      .spec_replicas = spec, .created = kNow - seconds{age_seconds}};
  for (int i = 0; i < serving; ++i) state.pods.push_back(pod(true));
  for (int i = 0; i < not_serving; ++i) state.pods.push_back(pod(false, 5));
  return state;
}

struct World {
  api::ScalableAppSpec spec{.max_replicas = 100};
  int desired = 4;
  std::vector<RevisionState> revisions;
  std::string current_revision = "old";
  bool is_refused = false;
  RolloutInput input() const {
    return {.spec = spec, .desired_replicas = desired, .updated_revision = "new", .current_revision = current_revision,
            .is_refused = is_refused, .revisions = revisions};
  }
  RolloutPlan plan_now() const { return plan(kNow, input()); }
};

// "new: 4 -> 6", "create 4", "delete web-x", for tables.
std::vector<std::string> texts(const RolloutPlan& plan) {
  std::vector<std::string> result;
  for (const Action& action : plan.actions) {
    if (const auto* create = std::get_if<CreateReplicaSet>(&action)) result.push_back("create " + std::to_string(create->replicas));
    if (const auto* scale = std::get_if<ScaleReplicaSet>(&action)) {
      result.push_back(scale->name.substr(4) + ": " + std::to_string(scale->from) + " -> " + std::to_string(scale->to));
    }
    if (const auto* remove = std::get_if<DeleteReplicaSet>(&action)) result.push_back("delete " + remove->name);
  }
  return result;
}

TEST(Plan, ANewAppStartsAtTheWantedCount) {
  EXPECT_THAT(texts(World{.desired = 4}.plan_now()), ElementsAre("create 4"));
}

TEST(Plan, InTheSteadyStateTheOneReplicaSetFollowsTheWantedCount) {
  World world{.desired = 7, .revisions = {revision("new", 4, 4)}, .current_revision = "new"};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("new: 4 -> 7"));
  EXPECT_FALSE(world.plan_now().in_flight);
  world.revisions = {revision("new", 7, 7)};
  EXPECT_THAT(texts(world.plan_now()), IsEmpty());
}

TEST(Plan, ANewRevisionIsSizedBySurgeOfTheCountWantedNowNotByTheMinimum) {
  World world{.desired = 20, .revisions = {revision("old", 20, 20)}};  // 25 % of 20: promotion at min replicas is fluxcd/flagger#1600
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("create 5"));
}

TEST(Plan, ABurstInTheStepOfANewTemplateGoesToWhatServesBeforeAnythingIsCreated) {
  World world{.desired = 12, .revisions = {revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 4 -> 12", "create 1"));
  world.spec.rollout = {.max_surge = {0}, .max_unavailable = {2}};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 4 -> 10", "create 2"));
  world.revisions = {revision("old", 4, 0, 4)};  // An old revision that does not serve is no help.
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("create 2"));
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
    EXPECT_EQ(texts(world.plan_now()), one.want) << one.name;
    EXPECT_TRUE(world.plan_now().in_flight) << one.name;
  }
}

TEST(Plan, ABurstInARolloutGoesToTheNewRevisionOnceItServes) {
  World world{.desired = 12, .revisions = {revision("new", 2, 2), revision("old", 3, 3)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("new: 2 -> 10"));
}

TEST(Plan, ABurstBeforeTheNewRevisionServesGoesToTheOldOne) {
  World world{.desired = 12, .revisions = {revision("new", 1, 0, 1), revision("old", 4, 4)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 4 -> 12"));
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
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 10 -> 20", "create 5"));
  world = {.desired = 20, .revisions = {revision("new", 5, 0), revision("old", 15, 15)}};
  world.revisions[0].pods.push_back(pod(false, 601, "CrashLoopBackOff"));
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 15 -> 20"));
  world.revisions[1] = revision("old", 20, 20);
  EXPECT_THAT(texts(world.plan_now()), IsEmpty());
}

TEST(Plan, SurgeThatServesNobodyGoesWhenTheWantedCountFalls) {
  World world{.desired = 3, .revisions = {revision("new", 5, 0, 5), revision("old", 8, 8)}};
  world.spec.rollout = {.max_surge = {1}, .max_unavailable = {0}};
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("old: 8 -> 3", "new: 5 -> 1"));
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
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("bad: 1 -> 0"));
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
  EXPECT_THAT(texts(world.plan_now()), ElementsAre("delete web-a", "delete web-b"));
}

TEST(Plan, TheCauseOfAFailedCreationIsTold) {
  World world{.desired = 4, .revisions = {revision("new", 1, 0), revision("old", 4, 4)}};
  world.revisions[0].failure = "FailedCreate: exceeded quota";
  EXPECT_THAT(world.plan_now().progressing.message, HasSubstr("exceeded quota"));
}

// A small world in which ReplicaSets make and kill pods, pods take their time, die and fail, the
// wanted count and the template change, and writes are lost or repeated. What must hold: our own
// action never takes available pods below the bound, pods asked for stay within the surge, and once
// the changes end the world comes to rest at the wanted count of the updated revision.
class SimulatedCluster {
 public:
  explicit SimulatedCluster(unsigned seed) : random_(seed) {
    spec_.max_replicas = 100;
    spec_.rollout.max_surge = {pick(0, 3), false};
    spec_.rollout.max_unavailable = {spec_.rollout.max_surge.value == 0 ? pick(1, 3) : pick(0, 2), false};
    spec_.rollout.min_ready_seconds = pick(0, 3);
    spec_.rollout.progress_deadline_seconds = pick(4, 60);
    desired_ = pick(1, 8);
  }

  void step(bool changes) {
    now_ += seconds{1};
    if (changes && chance(0.05)) updated_ = "r" + std::to_string(pick(0, 3));
    if (changes && chance(0.1)) desired_ = std::max(1, desired_ + pick(-3, 4));
    for (auto& state : revisions_) {
      reconcile_replica_set(state);
      for (auto& one : state.pods) {
        if (!one.serving && now_ - one.created > seconds{2} && chance(0.5)) one.serving = true, one.ready_since = now_;
        if (changes && one.serving && chance(0.01)) one.serving = false, one.ready_since.reset();
      }
    }
    if (changes && chance(0.2)) return;  // The operator is away.
    const RolloutPlan plan = rollout::plan(now_, input());
    const int before = available();
    for (const Action& action : plan.actions) {
      if (changes && chance(0.1)) break;  // Killed between two writes.
      apply(action);
    }
    const Bounds bounds = resolve(spec_.rollout, desired_);
    EXPECT_GE(available(), std::min(before, desired_ - bounds.unavailable)) << "availability lost by our own action";
    if (std::ranges::any_of(plan.actions, [](const Action& a) {
          const auto* scale = std::get_if<ScaleReplicaSet>(&a);
          return scale != nullptr && scale->to > scale->from;
        })) {
      EXPECT_LE(total(), std::max(total_before_, desired_ + bounds.surge)) << "more than the surge";
    }
    total_before_ = total();
  }

  bool at_rest() const {
    for (const auto& state : revisions_) {
      const bool is_updated = state.revision == updated_;
      if (state.spec_replicas != (is_updated ? desired_ : 0)) return false;
      if (static_cast<int>(state.pods.size()) != state.spec_replicas) return false;
    }
    return rollout::plan(now_, input()).actions.empty();
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  RolloutInput input() const {
    return {.spec = spec_, .desired_replicas = desired_, .updated_revision = updated_, .current_revision = "", .revisions = revisions_};
  }
  int total() const {
    int sum = 0;
    for (const auto& state : revisions_) sum += state.spec_replicas;
    return sum;
  }
  // As the ReplicaSet controller leaves them: of the pods kept, the available ones.
  int available() const {
    int sum = 0;
    for (const auto& state : revisions_) {
      int count = 0;
      for (const auto& one : state.pods) {
        if (one.serving && now_ - *one.ready_since >= seconds{spec_.rollout.min_ready_seconds}) ++count;
      }
      sum += std::min(count, state.spec_replicas);
    }
    return sum;
  }
  void reconcile_replica_set(RevisionState& state) {
    while (static_cast<int>(state.pods.size()) < state.spec_replicas) {
      state.pods.push_back({.name = "p" + std::to_string(next_name_++), .created = now_});
    }
    // Not-ready pods go first, then the youngest (ReplicaSet documentation).
    std::ranges::stable_sort(state.pods, {}, [](const PodFacts& one) { return std::pair(!one.serving, one.created); });
    while (static_cast<int>(state.pods.size()) > state.spec_replicas) state.pods.pop_back();
  }
  void apply(const Action& action) {
    if (const auto* create = std::get_if<CreateReplicaSet>(&action)) {
      revisions_.push_back({.revision = create->revision, .name = "web-" + create->revision, .uid = create->revision,
                            .spec_replicas = create->replicas, .created = now_});
    } else if (const auto* scale = std::get_if<ScaleReplicaSet>(&action)) {
      for (auto& state : revisions_) {
        if (state.name == scale->name) state.spec_replicas = scale->to;
      }
    } else if (const auto* remove = std::get_if<DeleteReplicaSet>(&action)) {
      std::erase_if(revisions_, [&](const auto& state) { return state.uid == remove->uid; });
    }
  }

  std::mt19937 random_;
  api::ScalableAppSpec spec_;
  int desired_;
  int total_before_ = 0;
  int next_name_ = 0;
  std::string updated_ = "r0";
  WallTime now_ = kNow;
  std::vector<RevisionState> revisions_;
};

TEST(PlanProperties, AvailabilityIsNeverTakenByUsAndTheWorldComesToRest) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulatedCluster cluster(seed);
    for (int i = 0; i < 200; ++i) cluster.step(true);
    int calm = 0;
    while (!cluster.at_rest() && calm < 400) cluster.step(false), ++calm;
    EXPECT_TRUE(cluster.at_rest()) << "no rest after " << calm << " calm seconds";
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
