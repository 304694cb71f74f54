#include "operator/rollout/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

using testing::IsEmpty;

const WallTime kNow{seconds{100'000}};

GatePlan plan_gates(WallTime now, const api::Readiness& readiness,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods, const std::map<std::string, double>& values) {
  api::ScalableAppSpec spec;
  spec.readiness = readiness;
  return rollout::plan_gates(now, spec, pods, values);
}

api::Pod pod(bool containers_ready, bool warm, int ready_for_seconds = 10) {
  api::Pod one;
  one.metadata.name = "p";
  one.phase = "Running";
  one.has_warm_gate = true;
  one.containers_ready = containers_ready;
  if (containers_ready) one.containers_ready_since = kNow - seconds{ready_for_seconds};
  one.warm = warm;
  return one;
}

// Its containers are ready for 10 s, its gate was opened a minute ago.
api::Pod restarted_pod() {
  api::Pod one = pod(true, true, 10);
  one.warm_since = kNow - seconds{60};
  one.restart_count = 1;
  return one;
}

TEST(Gates, OpenWhenContainersAreReadyAndEverythingElseHolds) {
  struct Case {
    const char* name;
    api::Readiness readiness;
    api::Pod pod;
    std::map<std::string, double> values;
    std::optional<bool> want;  // The change, if any.
  };
  const api::Readiness plain;
  const api::Readiness wait{.min_warm_seconds = 30};
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  const api::Readiness off{.gate = false};
  api::Pod ungated = pod(true, false), terminating = pod(true, false);
  ungated.has_warm_gate = false;
  terminating.metadata.deletion_time = kNow;
  api::Pod unready = restarted_pod();
  unready.restart_count = 0;
  const Case cases[] = {
      {"ready containers open it", plain, pod(true, false), {}, true},
      {"containers that are not ready do not", plain, pod(false, false), {}, std::nullopt},
      {"nor do containers ready for too short", wait, pod(true, false), {}, std::nullopt},
      {"containers ready for long enough do", wait, pod(true, false, 30), {}, true},
      {"a missing warm-up value keeps a cold pod waiting", query, pod(true, false), {}, std::nullopt},
      {"a low one as well", query, pod(true, false), {{"p", 0.5}}, std::nullopt},
      {"a reached one opens it", query, pod(true, false), {{"p", 1.0}}, true},
      {"a warm pod stays warm without a value", query, pod(true, true), {}, std::nullopt},
      {"a warm pod whose containers fail is cold again", query, pod(false, true), {{"p", 1.0}}, false},
      {"one that restarted while nobody looked stays without a value", query, restarted_pod(), {}, std::nullopt},
      {"nor is the only pod taken out of service for that", query, restarted_pod(), {{"p", 0.5}}, std::nullopt},
      {"its gate is dated anew when it has warmed up since", query, restarted_pod(), {{"p", 1.0}}, true},
      {"and it is left alone where it need not", plain, restarted_pod(), {}, std::nullopt},
      {"containers that were unready but not restarted are warm", wait, unready, {}, std::nullopt},
      {"the gate off opens what carries it", off, pod(false, false), {}, true},
      {"a pod without the gate is left alone", plain, ungated, {}, std::nullopt},
      {"a terminating one too", plain, terminating, {}, std::nullopt},
  };
  for (const Case& one : cases) {
    const GatePlan plan = plan_gates(kNow, one.readiness,
                                     {std::make_shared<const api::Pod>(one.pod)}, one.values);
    if (!one.want) {
      EXPECT_THAT(plan.changes, IsEmpty()) << one.name;
    } else {
      ASSERT_EQ(plan.changes.size(), 1u) << one.name;
      EXPECT_EQ(plan.changes[0].warm, *one.want) << one.name;
      EXPECT_FALSE(plan.changes[0].reason.empty()) << one.name;
    }
  }
}

TEST(Gates, PodsThatRestartedUnseenWarmUpAgainWhileHalfOfTheAppServes) {
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  const api::Readiness wait{.min_warm_seconds = 30};
  std::vector<std::shared_ptr<const api::Pod>> pods;
  std::map<std::string, double> low;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    api::Pod one = restarted_pod();
    one.metadata.name = name;
    low[name] = 0.5;
    pods.push_back(std::make_shared<const api::Pod>(one));
  }
  EXPECT_THAT(plan_gates(kNow, query, pods, {}).changes, IsEmpty());
  EXPECT_EQ(plan_gates(kNow, query, pods, low).changes.size(), 2u);
  EXPECT_EQ(plan_gates(kNow, wait, pods, {}).changes.size(), 2u);
  api::Pod closed = *pods[0];
  closed.warm = false;
  pods[0] = std::make_shared<const api::Pod>(closed);
  EXPECT_EQ(plan_gates(kNow, query, pods, low).changes.size(), 1u);
}

TEST(Gates, AValueIsAwaitedOnlyWhereItCanChangeAGate) {
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  EXPECT_TRUE(awaits_warm_up_value(query, pod(true, false)));
  EXPECT_TRUE(awaits_warm_up_value(query, restarted_pod()));
  EXPECT_FALSE(awaits_warm_up_value(query, pod(true, true)));
  EXPECT_FALSE(awaits_warm_up_value(api::Readiness{}, pod(true, false)));
}

TEST(Gates, WithoutAMinimumANodesClockThatIsAheadDelaysNothing) {
  EXPECT_EQ(plan_gates(kNow, {}, {std::make_shared<const api::Pod>(pod(true, false, -5))}, {}).changes.size(), 1u);
}

TEST(Gates, AsksToBeWokenWhenTheMinimumTimeIsOver) {
  const auto cold = std::make_shared<const api::Pod>(pod(true, false, 10));
  EXPECT_EQ(plan_gates(kNow, {.min_warm_seconds = 30}, {cold}, {}).next_check, kNow + seconds{20});
}

}  // namespace
}  // namespace scalableapp::rollout
