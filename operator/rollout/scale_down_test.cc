#include "operator/rollout/scale_down.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/gates.h"

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const WallTime kNow{seconds{1'800'000'000}};
constexpr seconds kDrain{5};

// A pod that serves, so many seconds old.
api::Pod serving(const std::string& name, int age_seconds = 100) {
  api::Pod one;
  one.metadata = {.name = name, .owners = {{.uid = "rs", .controller = true}}, .creation_time = kNow - seconds{age_seconds}};
  one.phase = "Running";
  one.has_warm_gate = one.containers_ready = one.ready = one.warm = true;
  one.containers_ready_since = one.ready_since = one.warm_since = one.metadata.creation_time;
  return one;
}
api::Pod cold(const std::string& name, int age_seconds = 5) {
  api::Pod one = serving(name, age_seconds);
  one.ready = one.warm = false;
  return one;
}
api::Pod pending(const std::string& name) {
  api::Pod one = cold(name);
  one.phase = "Pending";
  one.containers_ready = false;
  return one;
}
// Marked, and its gate closed, so long ago.
api::Pod draining(const std::string& name, int for_seconds) {
  api::Pod one = serving(name);
  one.ready = one.warm = false;
  one.draining_since = one.set_aside_since = kNow - seconds{for_seconds};
  return one;
}

struct World {
  int replicas = 0;
  std::vector<api::Pod> pods;
  std::map<std::string, double> loads;
  seconds drain = kDrain;

  Pods shared() const {
    Pods all;
    for (const auto& one : pods) all.push_back(std::make_shared<const api::Pod>(one));
    return all;
  }
  std::shared_ptr<const api::ReplicaSet> replica_set() const {
    api::ReplicaSet one;
    one.metadata = {.name = "web", .uid = "rs", .resource_version = "7"};
    one.spec_replicas = replicas;
    return std::make_shared<const api::ReplicaSet>(one);
  }
  int kept() const { return kept_replicas(*replica_set(), shared()); }
  ScaleDownPlan to(int count, WallTime now = kNow) const {
    std::vector<Action> actions;
    if (count != kept()) actions.push_back(ScaleReplicaSet{.name = "web", .uid = "rs", .from = kept(), .to = count});
    return plan_scale_down(now, drain, {replica_set()}, shared(), loads, {}, actions);
  }
};

std::vector<std::string> marked(const ScaleDownPlan& plan) {
  std::vector<std::string> names;
  for (const auto& mark : plan.marks) names.push_back(mark.pod->metadata.name);
  return names;
}
std::vector<std::string> released(const ScaleDownPlan& plan) {
  std::vector<std::string> names;
  for (const auto& pod : plan.releases) names.push_back(pod->metadata.name);
  return names;
}
// The spec.replicas it writes; nothing: none.
std::optional<int> written(const ScaleDownPlan& plan) {
  if (plan.actions.empty()) return std::nullopt;
  return std::get<ScaleReplicaSet>(plan.actions[0]).to;
}

TEST(ScaleDown, TheCheapestPodsGo) {
  struct Case {
    const char* name;
    World world;
    int to;
    std::vector<std::string> want_marked;
    std::optional<int> want_written;
  };
  const std::vector<api::Pod> three{serving("old", 300), serving("mid", 200), serving("new", 100)};
  api::Pod set_aside = serving("outlier");
  set_aside.ready = set_aside.warm = false;
  set_aside.set_aside_since = kNow - seconds{30};
  api::Pod terminating = serving("gone");
  terminating.metadata.deletion_time = kNow;
  const Case cases[] = {
      {"the newest of those that serve alike", {3, three}, 2, {"new"}, std::nullopt},
      {"in that order", {3, three}, 1, {"new", "mid"}, std::nullopt},
      {"the one with clearly less load", {3, three, {{"old", 10}, {"mid", 1}, {"new", 11}}}, 2, {"mid"}, std::nullopt},
      {"not one with a little less", {3, three, {{"old", 9}, {"mid", 10}, {"new", 11}}}, 2, {"new"}, std::nullopt},
      {"loads say nothing where one is unknown", {3, three, {{"old", 10}, {"mid", 1}}}, 2, {"new"}, std::nullopt},
      {"nor where there is none at all", {3, three, {{"old", 0}, {"mid", 0}, {"new", 0}}}, 2, {"new"}, std::nullopt},
      {"one that does not serve goes at once and unmarked", {3, {three[0], three[1], cold("c")}}, 2, {}, 2},
      {"one that has not started before one that has", {4, {three[0], cold("c"), pending("p"), three[1]}}, 3, {"p"}, 3},
      {"of two cold ones the newest, told by its mark", {3, {three[0], cold("a", 9), cold("b", 5)}}, 2, {"b"}, 2},
      {"an outlier that is out of service first", {3, {three[0], three[1], set_aside}}, 2, {}, 2},
      {"a pod not yet made goes first", {4, three}, 3, {}, 3},
      {"a terminating one is gone already", {3, {three[0], three[1], three[2], terminating}}, 2, {"new"}, std::nullopt},
      {"cold ones at once, the others drain", {4, {three[0], three[1], three[2], cold("c")}}, 2, {"c", "new"}, 3},
  };
  for (const Case& one : cases) {
    const auto plan = one.world.to(one.to);
    EXPECT_EQ(marked(plan), one.want_marked) << one.name;
    EXPECT_EQ(written(plan), one.want_written) << one.name;
    EXPECT_THAT(plan.releases, IsEmpty()) << one.name;
  }
}

TEST(ScaleDown, APodThatServesIsMarkedAndSparedUntilItHasDrained) {
  World world{3, {serving("a"), serving("b"), draining("c", 4)}};
  EXPECT_EQ(world.kept(), 2);
  auto plan = world.to(2);
  EXPECT_EQ(written(plan), std::nullopt);
  EXPECT_THAT(marked(plan), IsEmpty());
  EXPECT_EQ(plan.next_check, kNow + seconds{1});
  EXPECT_EQ(written(world.to(2, kNow + seconds{1})), 2);
}

TEST(ScaleDown, TheWaitBeginsWhenTheGateIsClosed) {
  World world{2, {serving("a"), draining("b", 6)}};
  world.pods[1].warm = true;  // The gate could not be written yet.
  world.pods[1].set_aside_since.reset();
  EXPECT_EQ(written(world.to(1)), std::nullopt);
  world.pods[1].warm = false;
  world.pods[1].set_aside_since = kNow - seconds{2};
  EXPECT_EQ(written(world.to(1)), std::nullopt);
  EXPECT_EQ(world.to(1).next_check, kNow + seconds{3});
  world.pods[1].set_aside_since = kNow + seconds{3600};  // By a node's clock.
  EXPECT_EQ(written(world.to(1)), 1);
  world.pods[1].warm = true;
  EXPECT_EQ(written(world.to(1, kNow + kDrainPatience)), 1) << "a gate that cannot be closed holds nothing up for long";
}

TEST(ScaleDown, WithoutTheGateOrWithNothingToWaitForPodsAreMarkedAndGoAtOnce) {
  World world{3, {serving("a", 300), serving("b", 200), serving("c", 100)}};
  world.drain = seconds{0};
  EXPECT_THAT(marked(world.to(2)), ElementsAre("c"));
  EXPECT_EQ(written(world.to(2)), 2);
  world.drain = kDrain;
  for (auto& one : world.pods) one.has_warm_gate = one.warm = false;
  EXPECT_THAT(marked(world.to(2)), ElementsAre("c"));
  EXPECT_EQ(written(world.to(2)), 2);
}

TEST(ScaleDown, ANeededPodIsReleasedBeforeANewOneIsMade) {
  World world{5, {serving("a"), serving("b"), draining("c", 3), draining("d", 2), draining("e", 1)}};
  EXPECT_EQ(world.kept(), 2);
  auto plan = world.to(4);
  EXPECT_THAT(released(plan), UnorderedElementsAre("d", "e")) << "the one furthest on its way goes on";
  EXPECT_EQ(written(plan), std::nullopt);
  plan = world.to(7);
  EXPECT_THAT(released(plan), UnorderedElementsAre("c", "d", "e"));
  EXPECT_EQ(written(plan), 7);
}

TEST(ScaleDown, APodThatFailsMeanwhileGoesInsteadOfOneThatCanComeBack) {
  World world{3, {serving("a"), cold("b"), draining("c", 1)}};
  const auto plan = world.to(2);
  EXPECT_THAT(released(plan), ElementsAre("c"));
  EXPECT_THAT(marked(plan), ElementsAre("b")) << "neither is Ready for a moment";
  EXPECT_EQ(written(plan), 2);
}

TEST(ScaleDown, APodThatIsLostMeanwhileIsReplacedByOneThatDrains) {
  World world{4, {serving("a"), draining("c", 1), draining("d", 1)}};  // Of 4; one was evicted.
  const auto plan = world.to(2);
  EXPECT_EQ(released(plan).size(), 1u);
  EXPECT_EQ(written(plan), 3);
}

TEST(ScaleDown, WhatALoweredReplicaSetHasCondemnedIsNotCountedTwice) {
  World world{2, {serving("a"), serving("b"), draining("c", 9)}};
  EXPECT_EQ(world.kept(), 2);
  const auto plan = world.to(2);
  EXPECT_THAT(plan.actions, IsEmpty());
  EXPECT_THAT(plan.releases, IsEmpty());
}

TEST(ScaleDown, TheCostsSayWhoGoesFirst) {
  World world{4, {serving("a", 300), serving("b", 200), draining("d", 3), cold("c")}};
  const auto plan = world.to(1);
  ASSERT_THAT(marked(plan), ElementsAre("c", "b"));
  EXPECT_EQ(written(plan), 3);
  EXPECT_LT(plan.marks[0].deletion_cost, plan.marks[1].deletion_cost);
  EXPECT_LT(plan.marks[1].deletion_cost, 0);
  const auto later = World{2, {serving("a"), serving("b")}}.to(1, kNow + seconds{1});
  EXPECT_LT(plan.marks[1].deletion_cost, later.marks[0].deletion_cost);
}

TEST(ScaleDown, SoManyPodsAtATimeAndTheRestSoon) {
  World world{40, {}};
  for (int i = 0; i < 40; ++i) world.pods.push_back(serving("p" + std::to_string(i)));
  auto plan = world.to(10);
  EXPECT_EQ(plan.marks.size(), static_cast<std::size_t>(kMostMarks));
  EXPECT_EQ(plan.next_check, kNow);
  EXPECT_EQ(written(plan), std::nullopt);
  world.drain = seconds{0};
  EXPECT_EQ(written(world.to(10)), 40 - kMostMarks);
}

TEST(ScaleDown, OtherActionsPassInTheirOrder) {
  const World world{3, {serving("a"), serving("b"), serving("c")}};
  const auto plan = plan_scale_down(kNow, kDrain, {world.replica_set()}, world.shared(), {}, {},
                                    {CreateReplicaSet{"new", 1}, DeleteReplicaSet{"old", "uid", "1"}});
  EXPECT_THAT(plan.actions, ElementsAre(Action{CreateReplicaSet{"new", 1}}, Action{DeleteReplicaSet{"old", "uid", "1"}}));
}

// A ReplicaSet, its pods and the gates, with a wanted count that changes, pods that fail, nodes that are
// cordoned and a process that dies after any write. What must hold: none that serves is killed unless it drained; what is
// wanted and could serve does; the world comes to rest at the wanted count with no mark left.
class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    drain_ = seconds{pick(0, 6)};
    gated_ = !chance(0.1);
    spec_.drain_seconds = static_cast<int>(drain_.count());
  }
  void step(bool changes) {
    now_ += seconds{1};
    if (changes && chance(0.15)) wanted_ = std::max(1, wanted_ + pick(-6, 6));
    if (changes && chance(0.05)) topology_[node()].leaving = chance(0.5);
    control_pods(changes);
    if (changes && chance(0.2)) return;  // The operator is away.
    operate(changes);
    if (!changes) operate(false);  // A watch wakes it.
  }
  bool at_rest() const {
    return replicas_ == wanted_ && std::ssize(pods_) == wanted_ &&
           std::ranges::all_of(pods_, [](const auto& one) { return one.ready && !one.draining(); });
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  std::string node() { return "node-" + std::to_string(pick(0, 5)); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  Pods shared() const {
    Pods all;
    for (const auto& one : pods_) all.push_back(std::make_shared<const api::Pod>(one));
    return all;
  }
  api::Pod* find(const std::string& name) {
    const auto found = std::ranges::find_if(pods_, [&](const auto& one) { return one.metadata.name == name; });
    return found == pods_.end() ? nullptr : &*found;
  }
  void control_pods(bool changes) {
    while (std::ssize(pods_) < replicas_) {
      api::Pod one = pending("p" + std::to_string(next_name_++));
      one.metadata.creation_time = now_;
      one.has_warm_gate = gated_;
      pods_.push_back(one);
    }
    std::ranges::sort(pods_, {}, [&](const api::Pod& one) {
      return std::tuple(one.phase == "Pending" ? 1 : 0, one.ready ? 0 : 1, -costs_[one.metadata.name],
                        one.metadata.creation_time, one.metadata.name);
    });
    while (std::ssize(pods_) > replicas_) {
      const api::Pod& one = pods_.back();
      const bool has_served = one.ready || one.set_aside_since;
      if (gated_ && drain_ > seconds{0} && has_served && one.containers_ready) {
        EXPECT_FALSE(one.warm) << one.metadata.name << " is killed while it serves";
        EXPECT_TRUE(one.set_aside_since && now_ - *one.set_aside_since >= drain_) << one.metadata.name << " is killed too soon";
      }
      EXPECT_TRUE(one.draining() || !one.ready) << one.metadata.name << " is killed without having been chosen";
      pods_.pop_back();
    }
    for (auto& one : pods_) {
      if (one.phase == "Pending" && chance(0.4)) {
        one.phase = "Running";
        one.node = node();
        one.containers_ready = true;
        one.containers_ready_since = now_;
      } else if (changes && one.phase == "Running" && chance(0.01)) {
        one.containers_ready = false;
      } else if (one.phase == "Running" && !one.containers_ready && chance(0.3)) {
        one.containers_ready = true;
        one.containers_ready_since = now_;
        ++one.restart_count;
      }
      one.ready = one.containers_ready && (one.warm || !gated_);
    }
  }
  // False: killed.
  bool survives(bool changes) { return !changes || !chance(0.05); }
  bool keep_gates(bool changes) {
    for (const auto& change : plan_gates(now_, spec_, shared(), {}).changes) {
      api::Pod& one = *find(change.pod->metadata.name);
      one.warm = one.ready = change.warm;
      one.set_aside_since.reset();
      (change.warm ? one.warm_since : one.set_aside_since) = now_;
      if (!change.warm && change.reason != api::kDrainingReason) one.set_aside_since.reset();
      if (!survives(changes)) return false;
    }
    return true;
  }
  void operate(bool changes) {
    if (!keep_gates(changes)) return;
    api::ReplicaSet replica_set;
    replica_set.metadata.uid = "rs";
    replica_set.spec_replicas = replicas_;
    const auto object = std::make_shared<const api::ReplicaSet>(replica_set);
    std::vector<Action> actions;
    if (kept_replicas(replica_set, shared()) != wanted_) actions.push_back(ScaleReplicaSet{.uid = "rs", .to = wanted_});
    const auto plan = plan_scale_down(now_, drain_, {object}, shared(), {}, topology_, actions);
    for (const auto& pod : plan.releases) {
      find(pod->metadata.name)->draining_since.reset();
      costs_.erase(pod->metadata.name);
      if (!survives(changes)) return;
    }
    if (!keep_gates(changes)) return;
    for (const auto& mark : plan.marks) {
      find(mark.pod->metadata.name)->draining_since = mark.since;
      costs_[mark.pod->metadata.name] = mark.deletion_cost;
      if (!survives(changes)) return;
    }
    if (!keep_gates(changes)) return;
    for (const auto& action : plan.actions) replicas_ = std::get<ScaleReplicaSet>(action).to;
    // What could serve and is wanted does.
    int able = 0, serving = 0;
    for (const auto& one : pods_) {
      serving += in_service(one);
      able += in_service(one) || can_return(one);
    }
    EXPECT_GE(serving, gated_ ? std::min(wanted_, able) : 0) << "a pod that is needed drains";
  }

  std::mt19937 random_;
  api::ScalableAppSpec spec_;
  seconds drain_{};
  bool gated_ = true;
  int wanted_ = 3;
  int replicas_ = 3;
  int next_name_ = 0;
  WallTime now_ = kNow;
  std::vector<api::Pod> pods_;
  Topology topology_{{"node-0", {"a"}}, {"node-1", {"a"}}, {"node-2", {"b"}}, {"node-3", {"c"}}};
  std::map<std::string, long long> costs_;
};

TEST(ScaleDownProperties, NoneThatServesIsKilledUndrainedAndTheWorldComesToRest) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation world(seed);
    for (int i = 0; i < 150; ++i) world.step(true);
    int calm = 0;
    while (!world.at_rest() && calm < 200) world.step(false), ++calm;
    EXPECT_TRUE(world.at_rest()) << "no rest after " << calm << " calm seconds";
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
