#include "operator/rollout/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

const WallTime kNow{seconds{100'000}};
const MonotonicTime kAt{seconds{500}};

api::Pod ready_pod(int ready_for_seconds = 10) {
  api::Pod one;
  one.metadata.name = "p";
  one.metadata.uid = "u";
  one.containers_ready = true;
  one.containers_ready_since = kNow - seconds{ready_for_seconds};
  return one;
}

TEST(WarmUp, EverythingThatIsSetMustHold) {
  using enum Warmth;
  const api::WarmUpCondition query{.query = "q", .range = {.at_least = 1, .at_most = 2}};
  const api::WarmUpCondition lasting{.query = "q", .range = {.at_least = 1}, .for_seconds = 5};
  const api::WarmUpCondition probe{.probe = api::WarmUpProbe{.port = 80}};
  api::WarmUpCondition both = query;
  both.probe = probe.probe;
  struct Case {
    const char* name;
    api::Readiness readiness;
    WarmUpFact fact;
    Warmth want;
    std::optional<WallTime> warm_at;
  };
  const Case cases[] = {
      {"nothing is asked for", {}, {}, kWarm, {}},
      {"the minimum has passed", {.min_warm_seconds = 10}, {}, kWarm, {}},
      {"it has not", {.min_warm_seconds = 12}, {}, kCold, kNow + seconds{2}},
      {"the value is good", {.warm_up = query}, {.value = 1}, kWarm, {}},
      {"it is too low", {.warm_up = query}, {.value = 0.9}, kCold, {}},
      {"or too high", {.warm_up = query}, {.value = 2.1}, kCold, {}},
      {"or not known", {.warm_up = query}, {}, kUnknown, {}},
      {"a good value does not help before the minimum", {.min_warm_seconds = 12, .warm_up = query}, {.value = 1}, kCold,
       kNow + seconds{2}},
      {"it has been good for too short", {.warm_up = lasting}, {.value = 1, .in_range_for = milliseconds{4'900}},
       kUnknown, kNow + milliseconds{100}},
      {"for long enough", {.warm_up = lasting}, {.value = 1, .in_range_for = seconds{5}}, kWarm, {}},
      {"it was", {.warm_up = lasting}, {.value = 0}, kCold, {}},
      {"the probe succeeds", {.warm_up = probe}, {.probe_succeeded = true}, kWarm, {}},
      {"it fails", {.warm_up = probe}, {.probe_succeeded = false}, kCold, {}},
      {"it has no result", {.warm_up = probe}, {}, kUnknown, {}},
      {"the value is good and the probe fails", {.warm_up = both}, {.value = 1, .probe_succeeded = false}, kCold, {}},
      {"the probe succeeds without a value", {.warm_up = both}, {.probe_succeeded = true}, kUnknown, {}},
      {"both hold", {.warm_up = both}, {.value = 1, .probe_succeeded = true}, kWarm, {}},
  };
  for (const Case& one : cases) {
    const WarmUpVerdict verdict = judge_warm_up(kNow, one.readiness, ready_pod(), &one.fact);
    EXPECT_EQ(verdict.warmth, one.want) << one.name;
    EXPECT_EQ(verdict.warm_at, one.warm_at) << one.name;
    EXPECT_FALSE(verdict.message.empty()) << one.name;
  }
  EXPECT_EQ(judge_warm_up(kNow, {.warm_up = both}, ready_pod(), nullptr).warmth, kUnknown);
}

struct RangeMemory : testing::Test {
  // The value, if any, at `second`.
  void look(int second, std::optional<double> value) {
    std::map<std::string, double> values;
    if (value) values["p"] = *value;
    const auto now = kAt + seconds{second};
    since = in_range_since(now, condition, {std::make_shared<const api::Pod>(pod)}, values, since);
    const auto found = since.find(life_of(pod));
    seconds_in_range = found == since.end() ? -1 : static_cast<int>((now - found->second) / seconds{1});
  }
  api::WarmUpCondition condition{.query = "q", .range = {.at_least = 1}};
  api::Pod pod = ready_pod();
  InRangeSince since;
  int seconds_in_range = -1;
};

TEST_F(RangeMemory, CountsFromTheFirstGoodValue) {
  look(0, 0.5);
  EXPECT_EQ(seconds_in_range, -1);
  look(1, 1.0);
  EXPECT_EQ(seconds_in_range, 0);
  look(4, 7.0);
  EXPECT_EQ(seconds_in_range, 3);
}

TEST_F(RangeMemory, ABadAndAMissingValueBeginAnew) {
  for (const std::optional<double> gap : {std::optional(0.5), std::optional<double>()}) {
    look(0, 1.0);
    look(3, gap);
    look(4, 1.0);
    EXPECT_EQ(seconds_in_range, 0);
  }
}

TEST_F(RangeMemory, AnotherPodOfTheNameAndARestartBeginAnew) {
  look(0, 1.0);
  pod.restart_count = 1;
  look(3, 1.0);
  EXPECT_EQ(seconds_in_range, 0);
  pod.metadata.uid = "v";
  look(6, 1.0);
  EXPECT_EQ(seconds_in_range, 0);
}

TEST_F(RangeMemory, ContainersThatAreNotReadyAreABreak) {
  look(0, 1.0);
  pod.containers_ready = false;
  look(1, 1.0);
  pod.containers_ready = true;
  look(2, 1.0);
  EXPECT_EQ(seconds_in_range, 0);
}

TEST_F(RangeMemory, KeepsNothingOfPodsThatAreGone) {
  look(0, 1.0);
  EXPECT_TRUE(in_range_since(kAt, condition, {}, {{"p", 1.0}}, since).empty());
}

}  // namespace
}  // namespace scalableapp::rollout
