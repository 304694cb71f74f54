#include "operator/rollout/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime kNow{seconds{100'000}};

GatePlan plan_gates(WallTime now, const api::Readiness& readiness,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods, const WarmUpFacts& facts) {
  api::ScalableAppSpec spec;
  spec.readiness = readiness;
  return rollout::plan_gates(now, spec, pods, facts);
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
    WarmUpFacts facts;
    std::optional<bool> want;  // The change, if any.
  };
  const api::Readiness plain;
  const api::Readiness wait{.min_warm_seconds = 30};
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  const api::Readiness off{.gate = false};
  const WarmUpFacts low{{"p", {.value = 0.5}}}, high{{"p", {.value = 1.0}}};
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
      {"a low one as well", query, pod(true, false), low, std::nullopt},
      {"a reached one opens it", query, pod(true, false), high, true},
      {"a warm pod stays warm without a value", query, pod(true, true), {}, std::nullopt},
      {"a warm pod whose containers fail is cold again", query, pod(false, true), high, false},
      {"one that restarted while nobody looked stays without a value", query, restarted_pod(), {}, std::nullopt},
      {"nor is the only pod taken out of service for that", query, restarted_pod(), low, std::nullopt},
      {"its gate is dated anew when it has warmed up since", query, restarted_pod(), high, true},
      {"and it is left alone where it need not", plain, restarted_pod(), {}, std::nullopt},
      {"containers that were unready but not restarted are warm", wait, unready, {}, std::nullopt},
      {"the gate off opens what carries it", off, pod(false, false), {}, true},
      {"a pod without the gate is left alone", plain, ungated, {}, std::nullopt},
      {"a terminating one too", plain, terminating, {}, std::nullopt},
  };
  for (const Case& one : cases) {
    const GatePlan plan = plan_gates(kNow, one.readiness,
                                     {std::make_shared<const api::Pod>(one.pod)}, one.facts);
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
  WarmUpFacts low;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    api::Pod one = restarted_pod();
    one.metadata.name = name;
    low[name].value = 0.5;
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

TEST(Gates, WarmUpIsWatchedOnlyWhereItCanChangeAGate) {
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  EXPECT_TRUE(awaits_warm_up(query, pod(true, false)));
  EXPECT_TRUE(awaits_warm_up(query, restarted_pod()));
  EXPECT_FALSE(awaits_warm_up(query, pod(true, true)));
  EXPECT_FALSE(awaits_warm_up(api::Readiness{}, pod(true, false)));
}

TEST(Gates, WithoutAMinimumANodesClockThatIsAheadDelaysNothing) {
  EXPECT_EQ(plan_gates(kNow, {}, {std::make_shared<const api::Pod>(pod(true, false, -5))}, {}).changes.size(), 1u);
}

TEST(Gates, AsksToBeWokenWhenTheMinimumTimeIsOver) {
  const auto cold = std::make_shared<const api::Pod>(pod(true, false, 10));
  EXPECT_EQ(plan_gates(kNow, {.min_warm_seconds = 30}, {cold}, {}).next_check, kNow + seconds{20});
}

TEST(Gates, AGateThatStaysClosedForLongSaysWhyOncePerReason) {
  struct Case {
    const char* name;
    api::Readiness readiness;
    int ready_for_seconds;
    WarmUpFacts facts;
    std::string want;  // The reason; empty: nothing is written.
  };
  const api::Readiness wait{.min_warm_seconds = 30};
  const api::Readiness query{.warm_up = api::WarmUpCondition{.query = "q", .range = {.at_least = 1}}};
  const api::Readiness probe{.warm_up = api::WarmUpCondition{.probe = api::WarmUpProbe{.path = "/warm", .port = 80}}};
  api::Readiness lasting = query, wait_and_probe = probe;
  lasting.warm_up->for_seconds = 8;
  wait_and_probe.min_warm_seconds = 10;
  const WarmUpFacts low{{"p", {.value = 0.5}}}, high{{"p", {.value = 1, .in_range_for = seconds{1}}}};
  const WarmUpFacts failing{{"p", {.probe_succeeded = false, .probe_failure = "HTTP 503"}}};
  const Case cases[] = {
      {"a minimum that is long yet", wait, 25, {}, "WarmingUp"},
      {"not one that is over soon", wait, 26, {}, ""},
      {"a value that has to last", lasting, 1, high, "WarmUpConditionNotMet"},
      {"a value that is not good after a while", query, 5, low, "WarmUpConditionNotMet"},
      {"not at once: most become so", query, 4, low, ""},
      {"a value that is missing after a while", query, 5, {}, "WarmUpConditionNotMet"},
      {"a probe that fails for a while", probe, 5, failing, "WarmUpConditionNotMet"},
      {"the while begins after the minimum", wait_and_probe, 14, failing, ""},
  };
  for (const Case& one : cases) {
    api::Pod waiting = pod(true, false, one.ready_for_seconds);
    const auto plan = plan_gates(kNow, one.readiness, {std::make_shared<const api::Pod>(waiting)}, one.facts);
    EXPECT_THAT(plan.changes, IsEmpty()) << one.name;
    ASSERT_EQ(plan.waits.size(), one.want.empty() ? 0U : 1U) << one.name;
    if (one.want.empty()) {
      EXPECT_TRUE(plan.next_check && *plan.next_check <= kNow + seconds{10}) << one.name << ": it is looked at again";
      continue;
    }
    EXPECT_EQ(plan.waits[0].reason, one.want) << one.name;
    EXPECT_FALSE(plan.waits[0].warm) << one.name;
    waiting.gate_reason = one.want;
    const auto again = plan_gates(kNow, one.readiness, {std::make_shared<const api::Pod>(waiting)}, one.facts);
    EXPECT_THAT(again.waits, IsEmpty()) << one.name << ": once";
  }
}

TEST(Gates, TheWaitNamesWhatIsThereAndWhatShouldBe) {
  const auto waits_for = [](const api::WarmUpCondition& condition, const WarmUpFact& fact) {
    const auto plan = plan_gates(kNow, {.warm_up = condition}, {std::make_shared<const api::Pod>(pod(true, false, 60))},
                                 {{"p", fact}});
    return plan.waits.empty() ? "" : plan.waits[0].message;
  };
  const api::WarmUpCondition query{.query = "q", .range = {.at_least = 1, .at_most = 2}, .for_seconds = 30};
  const api::WarmUpCondition probe{.probe = api::WarmUpProbe{.path = "/warm", .port = 80}};
  EXPECT_EQ(waits_for(query, {.value = 0.5}), "the warm-up query gives 0.5, it should be at least 1 and at most 2");
  EXPECT_EQ(waits_for(query, {.value = 1, .in_range_for = seconds{4}}),
            "the warm-up query has to give at least 1 and at most 2 for 30 s");
  EXPECT_EQ(waits_for(query, {}), "the warm-up query gives no value for it");
  EXPECT_EQ(waits_for(probe, {.probe_succeeded = false, .probe_failure = "HTTP 503"}), "GET :80/warm: HTTP 503");
  EXPECT_EQ(waits_for(probe, {}), "GET :80/warm has no result yet");
}

// Of `old` pods that have served for a minute and `fresh` ones that are warm now, ready one second after the other.
std::vector<std::shared_ptr<const api::Pod>> fleet(int old, int fresh) {
  std::vector<std::shared_ptr<const api::Pod>> pods;
  for (int i = 0; i < old + fresh; ++i) {
    api::Pod one = pod(true, i < old, i < old ? 60 : 20 + i);
    one.metadata.name = std::to_string(i);
    if (i < old) one.warm_since = kNow - seconds{60};
    pods.push_back(std::make_shared<const api::Pod>(one));
  }
  return pods;
}
std::vector<std::string> opened(const GatePlan& plan) {
  std::vector<std::string> names;
  for (const auto& change : plan.changes) {
    if (change.warm) names.push_back(change.pod->metadata.name);
  }
  return names;
}

TEST(SlowStartGates, TheOldestReadyPodsBeginFirstAndTheOthersAreToldWhy) {
  const api::Readiness readiness{.slow_start = api::SlowStart{.max_percent = 25, .interval_seconds = 10}};
  const auto plan = plan_gates(kNow, readiness, fleet(8, 4), {});
  EXPECT_THAT(opened(plan), ElementsAre("11", "10"));
  EXPECT_EQ(plan.next_check, kNow + seconds{10});
  ASSERT_EQ(plan.waits.size(), 2U);
  EXPECT_EQ(plan.waits[0].reason, "SlowStart");
  EXPECT_THAT(plan.waits[0].message, HasSubstr("25%"));
}

TEST(SlowStartGates, WithNoPodInServiceAllBeginAtOnce) {
  const api::Readiness readiness{.slow_start = api::SlowStart{}};
  EXPECT_EQ(opened(plan_gates(kNow, readiness, fleet(0, 12), {})).size(), 12U);
}

TEST(SlowStartGates, APodThatWasSetAsideIsNotHeld) {
  const api::Readiness readiness{.slow_start = api::SlowStart{}};
  auto pods = fleet(1, 3);
  api::Pod set_aside = *pods[1];
  set_aside.set_aside_since = kNow - seconds{3};
  pods[1] = std::make_shared<const api::Pod>(set_aside);
  EXPECT_THAT(opened(plan_gates(kNow, readiness, pods, {})), ElementsAre("1", "3"));
}

TEST(SlowStartGates, NeverMoreThanTheShareBeginsWithinAnyInterval) {
  const api::Readiness readiness{.slow_start = api::SlowStart{.max_percent = 25, .interval_seconds = 10}};
  auto pods = fleet(4, 40);
  std::vector<WallTime> begun;
  int seconds_taken = 0;
  for (WallTime now = kNow; begun.size() < 40; now += seconds{1}, ++seconds_taken) {
    ASSERT_LT(seconds_taken, 300);
    const auto recent = [&] {
      return std::ranges::count_if(begun, [&](WallTime at) { return at > now - seconds{10}; });
    };
    const auto settled = 4 + std::ssize(begun) - recent();
    for (const auto& change : plan_gates(now, readiness, pods, {}).changes) {
      api::Pod one = *change.pod;
      one.warm = true;
      one.warm_since = now;
      pods[static_cast<std::size_t>(std::stoi(one.metadata.name))] = std::make_shared<const api::Pod>(one);
      begun.push_back(now);
    }
    EXPECT_LE(recent(), (settled + 3) / 4);
  }
  // 4, 5, 7, 9, 12, 15, 19, 24, 30, 38, 44
  EXPECT_EQ(seconds_taken, 91);
}

}  // namespace
}  // namespace scalableapp::rollout
