// Which pods go, by where they are.

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/scale_down.h"
#include "operator/rollout/spread.h"

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;

const WallTime kNow{seconds{1'800'000'000}};

api::Pod pod_on(const std::string& node, const std::string& name, int age_seconds = 100) {
  api::Pod one;
  one.metadata = {.name = name, .owners = {{.uid = "rs", .controller = true}}};
  one.metadata.creation_time = kNow - seconds{age_seconds};
  one.node = node;
  one.phase = "Running";
  one.has_warm_gate = one.containers_ready = one.ready = one.warm = true;
  return one;
}
api::Pod cold(api::Pod one) {
  one.ready = one.warm = false;
  return one;
}
api::Pod draining(api::Pod one) {
  one.ready = one.warm = false;
  one.draining_since = one.set_aside_since = kNow - seconds{2};
  return one;
}
api::Pod of(const std::string& replica_set, api::Pod one) {
  one.metadata.owners[0].uid = replica_set;
  return one;
}

// Two nodes in each of the zones a, b and c: "a1", "a2", "b1" and so on.
const Topology kThreeZones{{"a1", {"a"}}, {"a2", {"a"}}, {"b1", {"b"}}, {"b2", {"b"}}, {"c1", {"c"}}, {"c2", {"c"}}};
Topology with_leaving(const std::string& node) {
  Topology topology = kThreeZones;
  topology[node].leaving = true;
  return topology;
}

// The names of those that are marked when the ReplicaSet "rs" is to keep `kept` of `pods`.
std::vector<std::string> chosen(const std::vector<api::Pod>& pods, int kept, const Topology& topology,
                                const std::map<std::string, double>& loads = {}) {
  Pods all;
  std::map<std::string, std::shared_ptr<api::ReplicaSet>> by_uid;
  for (const auto& one : pods) {
    all.push_back(std::make_shared<const api::Pod>(one));
    auto& replica_set = by_uid[one.metadata.owners[0].uid];
    if (!replica_set) replica_set = std::make_shared<api::ReplicaSet>();
    replica_set->metadata.uid = one.metadata.owners[0].uid;
    ++replica_set->spec_replicas;
  }
  std::vector<std::shared_ptr<const api::ReplicaSet>> replica_sets;
  for (const auto& [uid, replica_set] : by_uid) replica_sets.push_back(replica_set);
  const auto plan = plan_scale_down(kNow, seconds{5}, replica_sets, all, loads, topology,
                                    {ScaleReplicaSet{.uid = "rs", .to = kept}});
  std::vector<std::string> names;
  for (const auto& mark : plan.marks) names.push_back(mark.pod->metadata.name);
  return names;
}

TEST(Spread, ThePodsWhoseLossLeavesTheOthersSpreadBestGo) {
  struct Case {
    const char* name;
    std::vector<api::Pod> pods;
    int kept;
    std::vector<std::string> want;
    Topology topology = kThreeZones;
    std::map<std::string, double> loads = {};
  };
  const std::map<std::string, double> x_is_idle{{"u", 9}, {"v", 9}, {"w", 9}, {"x", 1}, {"y", 9}, {"z", 9}};
  const std::vector<api::Pod> two_in_a{pod_on("a1", "w", 400), pod_on("a2", "x", 300), pod_on("b1", "y", 200),
                                       pod_on("c1", "z", 100)};
  const Case cases[] = {
      {"one of the fullest zone, not the newest",
       {pod_on("a1", "x", 300), pod_on("a2", "y", 200), pod_on("b1", "z", 100)}, 2, {"y"}},
      {"then of the fullest that is left", two_in_a, 2, {"x", "z"}},
      {"of the fullest node within the zone",
       {pod_on("a1", "w", 400), pod_on("a1", "x", 300), pod_on("a2", "y", 200), pod_on("b1", "z", 100)}, 3, {"x"}},
      {"zones before nodes",
       {pod_on("a1", "v"), pod_on("a2", "w"), pod_on("a3", "x"), pod_on("b1", "y"), pod_on("b1", "z")}, 4, {"x"},
       {{"a1", {"a"}}, {"a2", {"a"}}, {"a3", {"a"}}, {"b1", {"b"}}}, x_is_idle},
      {"nodes where there are no zones",
       {pod_on("m", "x", 300), pod_on("m", "y", 200), pod_on("n", "z", 100)}, 2, {"y"}, {}},
      {"the one with clearly less load of places alike",
       {pod_on("a1", "x", 300), pod_on("b1", "y", 200), pod_on("c1", "z", 100)}, 2, {"x"}, kThreeZones, x_is_idle},
      {"a full zone before less load",
       {pod_on("a1", "y", 400), pod_on("a2", "z", 300), pod_on("b1", "x", 200)}, 2, {"z"}, kThreeZones, x_is_idle},
      {"a leaving node before a full zone",
       {pod_on("a1", "x", 100), pod_on("a2", "y", 200), pod_on("b1", "z", 300)}, 2, {"z"}, with_leaving("b1")},
      {"and then the zones without it",
       {pod_on("a1", "w"), pod_on("b1", "x"), pod_on("b2", "y"), pod_on("c1", "z", 90), pod_on("c2", "u", 50)}, 3,
       {"x", "u"}, with_leaving("b1")},
      {"the fullest zone of leaving ones",
       {pod_on("a1", "x", 300), pod_on("b1", "y", 100), pod_on("a2", "z", 200)}, 2, {"x"},
       {{"a1", {"a", true}}, {"a2", {"a", false}}, {"b1", {"b", true}}}},
      {"a cold one on a leaving node before a newer cold one, and both before all that serve",
       {pod_on("a1", "x"), cold(pod_on("b1", "y", 9)), cold(pod_on("c1", "z", 5))}, 2, {"y"}, with_leaving("b1")},
      {"pods that drain are not counted",
       {pod_on("a1", "w", 400), draining(pod_on("a2", "x")), draining(pod_on("a2", "y")), pod_on("b1", "z", 300),
        pod_on("b2", "u", 350)}, 2, {"z"}},
      {"those of other ReplicaSets are",
       {pod_on("a1", "x", 300), pod_on("b1", "y", 100), of("other", pod_on("a2", "z"))}, 1, {"x"}},
      {"an unknown node is in no zone, with the others of which that is so",
       {pod_on("m", "x", 300), pod_on("n", "y", 200), pod_on("a1", "z", 100)}, 2, {"y"}},
  };
  for (const Case& one : cases) EXPECT_EQ(chosen(one.pods, one.kept, one.topology, one.loads), one.want) << one.name;
}

TEST(Spread, TwoReplicaSetsThatShrinkTogetherCountEachOthersSteps) {
  const std::vector<api::Pod> pods{pod_on("a1", "old-a"), pod_on("b1", "old-b", 90),
                                   of("second", pod_on("a2", "new-a", 80)), of("second", pod_on("b2", "new-b", 70))};
  Pods all;
  for (const auto& one : pods) all.push_back(std::make_shared<const api::Pod>(one));
  const auto replica_set = [](const char* uid) {
    api::ReplicaSet one;
    one.metadata.uid = uid;
    one.spec_replicas = 2;
    return std::make_shared<const api::ReplicaSet>(one);
  };
  const auto plan = plan_scale_down(kNow, seconds{5}, {replica_set("rs"), replica_set("second")}, all, {}, kThreeZones,
                                    {ScaleReplicaSet{.uid = "rs", .to = 1}, ScaleReplicaSet{.uid = "second", .to = 1}});
  ASSERT_EQ(plan.marks.size(), 2u);
  EXPECT_EQ(plan.marks[0].pod->metadata.name, "old-b");
  EXPECT_EQ(plan.marks[1].pod->metadata.name, "new-a") << "the first one leaves zone a the fuller one";
}

// Pods of one ReplicaSet over zones and nodes, all of them serving.
class Placement {
 public:
  explicit Placement(unsigned seed) : random_(seed) {
    const int zones = pick(1, 5);
    for (int zone = 0; zone < zones; ++zone) {
      const int nodes = pick(1, 6);
      for (int node = 0; node < nodes; ++node) {
        topology[std::to_string(zone) + "-" + std::to_string(node)] = {.zone = std::to_string(zone)};
      }
    }
  }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  void add(int zone) {
    std::vector<std::string> nodes;
    for (const auto& [name, facts] : topology) {
      if (facts.zone == std::to_string(zone)) nodes.push_back(name);
    }
    auto one = pod_on(nodes[static_cast<std::size_t>(pick(0, static_cast<int>(nodes.size()) - 1))],
                      "p" + std::to_string(pods.size()), pick(10, 1000));
    one.has_warm_gate = false;  // Goes at once.
    pods.push_back(one);
    loads[one.metadata.name] = pick(0, 100);
  }
  int zone_count() const { return std::stoi(topology.rbegin()->second.zone) + 1; }
  std::map<std::string, int> by_zone() const {
    std::map<std::string, int> counts;
    for (const auto& [name, facts] : topology) counts.try_emplace(facts.zone, 0);
    for (const auto& one : pods) ++counts[topology.at(one.node).zone];
    return counts;
  }
  // As many steps as it takes.
  void scale_to(int kept) {
    while (std::ssize(pods) > kept) {
      const auto gone = chosen(pods, kept, topology, loads);
      ASSERT_FALSE(gone.empty());
      std::erase_if(pods, [&](const auto& one) { return std::ranges::find(gone, one.metadata.name) != gone.end(); });
    }
  }
  static int difference(const std::map<std::string, int>& counts) {
    const auto [low, high] = std::ranges::minmax_element(counts, {}, [](const auto& one) { return one.second; });
    return high->second - low->second;
  }

  Topology topology;
  std::vector<api::Pod> pods;
  std::map<std::string, double> loads;

 private:
  std::mt19937 random_;
};

TEST(SpreadProperties, ZonesThatDifferByOneAtMostStillDoAfterAnyScaleDown) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Placement world(seed);
    const int pods = world.pick(1, 80), first = world.pick(0, 4);
    for (int i = 0; i < pods; ++i) world.add((first + i) % world.zone_count());
    while (!world.pods.empty()) {
      ASSERT_LE(Placement::difference(world.by_zone()), 1) << world.pods.size() << " pods";
      world.scale_to(world.pick(0, static_cast<int>(world.pods.size()) - 1));
    }
  }
}

TEST(SpreadProperties, AZoneThatLosesAPodIsNotEmptiedNorFallsBehindWhileAnotherHasTwoMore) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Placement world(seed);
    const int pods = world.pick(1, 80);
    for (int i = 0; i < pods; ++i) world.add(world.pick(0, world.zone_count() - 1));
    const auto before = world.by_zone();
    world.scale_to(world.pick(0, pods - 1));
    const auto after = world.by_zone();
    EXPECT_LE(Placement::difference(after), std::max(1, Placement::difference(before))) << "it got worse";
    const int most = std::ranges::max_element(after, {}, [](const auto& one) { return one.second; })->second;
    for (const auto& [zone, count] : after) {
      // Whoever lost a pod has as many as any other, or one less.
      if (count < before.at(zone)) {
        EXPECT_GE(count, most - 1) << "zone " << zone;
      }
    }
  }
}

// What sort() says, taken one by one from the fullest place there is.
TEST(SpreadProperties, TheOrderIsThatOfTakingOneByOne) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Placement world(seed);
    for (int i = world.pick(1, 40); i > 0; --i) world.add(world.pick(0, world.zone_count() - 1));
    Pods sorted;
    for (const auto& one : world.pods) sorted.push_back(std::make_shared<const api::Pod>(one));
    Pods left = sorted;
    Spread spread(world.topology);
    for (const auto& one : left) spread.add(*one);
    spread.sort(sorted);
    for (const auto& next : sorted) {
      std::map<std::string, int> zones, nodes;
      for (const auto& one : left) ++zones[world.topology.at(one->node).zone], ++nodes[one->node];
      const auto fullest = std::ranges::max_element(left, {}, [&](const auto& one) {
        return std::pair(zones[world.topology.at(one->node).zone], nodes[one->node]);
      });
      ASSERT_EQ((*fullest)->metadata.name, next->metadata.name);
      left.erase(fullest);
    }
  }
}

}  // namespace
}  // namespace scalableapp::rollout
