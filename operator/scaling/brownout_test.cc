#include "operator/scaling/brownout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;
using test::reading;
using testing::HasSubstr;
using testing::IsEmpty;

const BrownoutFacts kMissed{
    .limit_reason = "AtMaxReplicas", .limit = "at the maximum of 10", .missed = "latency 480ms over 250ms"};
const BrownoutFacts kTight{.limit_reason = "AtMaxReplicas", .limit = "at the maximum of 10"};
const BrownoutFacts kRoomy{.room = "4 of at most 10 replicas are needed"};

api::ScalableAppSpec browned_app(int max = 10, api::MetricSpec metric = test::needed()) {
  auto spec = test::app({std::move(metric)}, test::unlimited_behavior(), 1, max);
  spec.brownout = api::Brownout{};
  return spec;
}

// Looks every second.
class Steps {
 public:
  explicit Steps(api::Brownout brownout = {}) : brownout_(brownout) {}
  int run(int for_seconds, const BrownoutFacts& facts) {
    for (int i = 0; i < for_seconds; ++i) {
      now += seconds{1};
      step_brownout(now, brownout_, facts, observing_since, memory);
    }
    return memory.level;
  }
  // How many seconds until the level is another one.
  int until_change(const BrownoutFacts& facts) {
    const int before = memory.level;
    for (int i = 1; i <= 2000; ++i) {
      if (run(1, facts) != before) return i;
    }
    return -1;
  }
  WallTime now = kNow;
  std::optional<WallTime> observing_since;
  api::BrownoutMemory memory;

 private:
  api::Brownout brownout_;
};

TEST(Brownout, IsRaisedByOneOnceATargetWasMissedAtTheLimitForItsWholeTime) {
  Steps steps;
  EXPECT_EQ(steps.run(10, kMissed), 0);
  EXPECT_EQ(steps.run(1, kMissed), 1);
  EXPECT_EQ(steps.memory.reason, "AtMaxReplicas");
  EXPECT_EQ(steps.memory.why, "at the maximum of 10 with latency 480ms over 250ms, for 10s");
  EXPECT_EQ(steps.memory.since, steps.now);
  EXPECT_EQ(steps.run(9, kMissed), 1);
  EXPECT_EQ(steps.run(1, kMissed), 2);
  EXPECT_EQ(steps.run(500, kMissed), 2) << "never over maxLevel";
}

TEST(Brownout, ABreakBeginsTheWaitAnew) {
  Steps steps;
  steps.run(9, kMissed);
  steps.run(1, kTight);
  EXPECT_EQ(steps.run(10, kMissed), 0);
  EXPECT_EQ(steps.run(1, kMissed), 1);
  steps.run(29, kRoomy);
  steps.run(1, {});
  EXPECT_EQ(steps.run(30, kRoomy), 1);
  EXPECT_EQ(steps.run(1, kRoomy), 0);
}

TEST(Brownout, IsLoweredStepByStep) {
  Steps steps;
  steps.run(60, kMissed);
  ASSERT_EQ(steps.memory.level, 2);
  EXPECT_EQ(steps.until_change(kRoomy), 31);
  EXPECT_EQ(steps.until_change(kRoomy), 30);
  EXPECT_EQ(steps.memory.level, 0);
  EXPECT_EQ(steps.memory.why, "4 of at most 10 replicas are needed, for 30s");
  EXPECT_EQ(steps.run(300, kRoomy), 0);
}

TEST(Brownout, StaysWhereNeitherIsTrueOrNothingIsKnown) {
  Steps steps;
  steps.run(11, kMissed);
  EXPECT_EQ(steps.run(1000, kTight), 1);
  EXPECT_EQ(steps.run(1000, {}), 1);
}

TEST(Brownout, WaitsTwiceAsLongAfterEachTimeThatItWasLoweredTooSoon) {
  Steps steps;
  steps.run(11, kMissed);
  std::vector<int> waits;
  for (int i = 0; i < 8; ++i) {
    waits.push_back(steps.until_change(kRoomy));
    steps.until_change(kMissed);
  }
  EXPECT_THAT(waits, testing::ElementsAre(31, 61, 121, 241, 481, 601, 601, 601));
}

TEST(Brownout, ForgetsThatOnceALowerLevelHasLasted) {
  Steps steps;
  steps.run(11, kMissed);
  steps.until_change(kRoomy);
  steps.until_change(kMissed);
  EXPECT_EQ(steps.until_change(kRoomy), 61);
  steps.run(120, kRoomy);
  steps.until_change(kMissed);
  EXPECT_EQ(steps.until_change(kRoomy), 31);
}

TEST(Brownout, ANewProcessWaitsForTheWholeTimeAgainAndKeepsTheLevel) {
  Steps steps;
  steps.run(20, kMissed);
  ASSERT_EQ(steps.memory.level, 1);
  steps.now += seconds{3600};  // The operator was down.
  steps.observing_since = steps.now;
  EXPECT_EQ(steps.until_change(kMissed), 10);
  steps.run(5, kRoomy);
  steps.now += seconds{3600};
  steps.observing_since = steps.now;
  EXPECT_EQ(steps.until_change(kRoomy), 30);
}

TEST(Brownout, ComesDownAtOnceToASmallerMaxLevel) {
  Steps steps({.max_level = 1});
  steps.memory.level = 4;
  EXPECT_EQ(steps.run(1, kMissed), 1);
  EXPECT_EQ(steps.memory.why, "spec.brownout.maxLevel is 1");
}

TEST(Brownout, AClockThatIsSetBackDoesNotHoldIt) {
  Steps steps;
  steps.run(11, kMissed);
  steps.now -= seconds{7200};
  EXPECT_EQ(steps.until_change(kMissed), 11);
}

// --- what it goes by ------------------------------------------------------------------------------

struct FactsRow {
  const char* name;
  int current;
  std::vector<std::optional<double>> needed;  // What each metric asks for; nullopt: no answer.
  int decided;                                // Of at most 10.
  const char* missed;
  bool has_room;
};
void PrintTo(const FactsRow& row, std::ostream* out) { *out << row.name; }
const FactsRow kFactsRows[] = {
    {"Over the target at the maximum", 10, {14}, 10, "m0 14 over 1 per replica", false},
    {"Within the tolerance nothing is missed", 10, {10.9}, 10, "", false},
    {"Near the maximum there is no room", 10, {9}, 10, "", false},
    {"At 85 percent of it there is", 10, {8.5}, 10, "", true},
    {"Off the maximum there is", 9, {9}, 9, "", true},
    {"Off the maximum with a target missed there is not", 5, {9}, 9, "m0 9 over 1 per replica", false},
    {"A missing metric leaves no room", 10, {3, std::nullopt}, 10, "", false},
    {"A missing metric hides no other", 10, {14, std::nullopt}, 10, "m0 14 over 1 per replica", false},
    {"With all missing nothing is known", 10, {std::nullopt}, 10, "", false},
    {"Every missed target is named", 10, {14, 3, 20}, 10, "m0 14 over 1 per replica, m2 20 over 1 per replica", false},
};
class Facts : public testing::TestWithParam<FactsRow> {};
INSTANTIATE_TEST_SUITE_P(Brownout, Facts, testing::ValuesIn(kFactsRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(Facts, AreAsDocumented) {
  const FactsRow& row = GetParam();
  auto spec = browned_app();
  spec.metrics.clear();
  for (std::size_t i = 0; i < row.needed.size(); ++i) spec.metrics.push_back(test::needed(fmt::format("m{}", i)));
  std::vector<MetricReading> readings;
  for (std::size_t i = 0; i < row.needed.size(); ++i) {
    const std::string& name = spec.metrics[i].name;
    readings.push_back(row.needed[i] ? reading(name, *row.needed[i]) : test::missing(name));
  }
  const Observation observation = test::observe(row.current, readings);
  std::vector<Signal> signals;
  std::vector<api::MetricMemory> memory(spec.metrics.size());
  for (std::size_t i = 0; i < spec.metrics.size(); ++i) {
    signals.push_back(evaluate(kNow, spec, spec.metrics[i], &readings[i], observation, {}, 0, memory[i]));
  }
  const BrownoutFacts facts = look_for_brownout(kNow, spec, observation, signals, row.decided, 10);
  EXPECT_EQ(facts.missed, row.missed);
  EXPECT_EQ(!facts.room.empty(), row.has_room) << facts.room;
  EXPECT_EQ(facts.limit_reason, row.decided == 10 ? "AtMaxReplicas" : "");
}

// --- within a decision ----------------------------------------------------------------------------

// Decides every other second; the level after it.
int play(test::Timeline& timeline, int from, int to, double needed) {
  for (int t = from; t < to; t += 2) timeline.at(t, needed);
  return timeline.history.brownout.level;
}

TEST(Brownout, ComesWithADecisionAtTheMaximum) {
  test::Timeline timeline(browned_app(), 4);
  EXPECT_EQ(play(timeline, 0, 60, 8), 0) << "scaling is enough";
  EXPECT_EQ(play(timeline, 60, 90, 14), 2);
  const Decision decision = timeline.at(90, 14);
  EXPECT_EQ(decision.reason, "AtMaxReplicas");
  const auto* condition = api::find_condition(decision.conditions, "Brownout");
  ASSERT_NE(condition, nullptr);
  EXPECT_EQ(condition->status, api::ConditionStatus::kTrue);
  EXPECT_EQ(condition->reason, "AtMaxReplicas");
  EXPECT_EQ(condition->message, "level 2 of 2: at the maximum of 10 with needed 14 over 1 per replica, for 10s");
  EXPECT_EQ(play(timeline, 92, 160, 5), 0);
  EXPECT_EQ(api::find_condition(timeline.at(160, 5).conditions, "Brownout")->reason, "NotNeeded");
}

TEST(Brownout, AScheduleOrAHandThatHoldsTheCountIsALimitToo) {
  api::ScalableAppSpec spec = browned_app();
  spec.override_replicas = 3;
  test::Timeline held(spec, 3);
  EXPECT_EQ(play(held, 0, 30, 8), 2);

  api::ScalingHistory history;
  for (int t = 0; t < 30; t += 2) {
    Observation observation = test::observe(4, {reading("needed", 8)});
    observation.schedules = {{.name = "night", .min_replicas = {}, .max_replicas = 4}};
    history = decide(kNow + seconds{t}, browned_app(), observation, history).history;
  }
  EXPECT_EQ(history.brownout.level, 2);
}

TEST(Brownout, PodsThatDoNotComeAreALimit) {
  api::ScalingHistory history;
  const auto level_after = [&](int from, int to, auto change) {
    Decision decision;
    for (int t = from; t < to; t += 2) {
      Observation observation = test::observe(4, {reading("needed", 9)}, 3);
      for (auto& pod : observation.pods) pod.created = kNow;
      change(observation);
      decision = decide(kNow + seconds{t}, browned_app(), observation, history);
      history = decision.history;
    }
    return decision.history.brownout;
  };
  const auto none = [](Observation&) {};
  EXPECT_EQ(level_after(0, 38, none).level, 0) << "they may yet come";
  const auto raised = level_after(38, 42, none);
  EXPECT_EQ(raised.level, 1);
  EXPECT_EQ(raised.reason, "PodsUnavailable");
  EXPECT_THAT(raised.why, HasSubstr("no more than 4 of 9 pods could be had for 40s with needed 9 over 1 per replica"));

  history = {};
  const auto refused = level_after(100, 120, [](Observation& observation) {
    observation.pods.resize(4);
    observation.pods_refused_since = kNow;
  });
  EXPECT_EQ(refused.reason, "PodsUnavailable");
}

TEST(Brownout, NothingMovesWhilePausedOrInADryRunAndWithoutTheBlockThereIsNone) {
  test::Timeline timeline(browned_app(), 10);
  ASSERT_EQ(play(timeline, 0, 30, 20), 2);
  timeline.spec.paused = true;
  EXPECT_EQ(play(timeline, 30, 200, 2), 2);
  timeline.spec.paused = false;
  timeline.spec.dry_run = true;
  EXPECT_EQ(play(timeline, 200, 300, 2), 2);
  timeline.spec.brownout.reset();
  const Decision decision = timeline.at(300, 2);
  EXPECT_EQ(decision.history.brownout, api::BrownoutMemory{});
  EXPECT_EQ(api::find_condition(decision.conditions, "Brownout"), nullptr);
}

TEST(Brownout, AQueueIsOverItsTargetWhenItDoesNotDrainInTime) {
  auto metric = test::backlog();
  metric.drain_seconds = 60;
  api::ScalingHistory history;
  Decision decision;
  for (int t = 0; t < 30; t += 2) {
    MetricReading queue = reading("backlog", 6000);
    queue.arrivals_per_second = 20;
    queue.completions_per_second = 20;
    decision = decide(kNow + seconds{t}, browned_app(10, metric), test::observe(10, {queue}), history);
    history = decision.history;
  }
  EXPECT_EQ(history.brownout.level, 2);
  EXPECT_THAT(history.brownout.why, HasSubstr("backlog 6000 not to be gone within 1m"));
}

TEST(Brownout, AServiceTimeThatWasLearnedOfLessWorkIsMeasuredAnewAfterTheLevelFell) {
  const auto spec = browned_app(10, test::latency());
  api::ScalingHistory history{.metrics = {{.name = "latency", .service_seconds = 0.02, .quantile_seconds = 0.05}}};
  meet_lower_level(kNow, spec, history);
  EXPECT_EQ(history.metrics[0].service_seconds, 0.02);
  history.brownout.lowered_at = kNow;
  meet_lower_level(kNow + seconds{11}, spec, history);
  EXPECT_EQ(history.metrics[0].service_seconds, 0.02);
  meet_lower_level(kNow + seconds{9}, spec, history);
  EXPECT_EQ(history.metrics[0].service_seconds, 0);
  EXPECT_EQ(history.metrics[0].quantile_seconds, 0);
}

// --- whatever comes -------------------------------------------------------------------------------

TEST(Brownout, NeverLeavesItsBoundsNorMovesBySeveralNorWithoutAValueNorSoonerThanItMay) {
  std::mt19937 random(7);
  const auto integer = [&](int low, int high) { return std::uniform_int_distribution<>(low, high)(random); };
  for (int run = 0; run < 200; ++run) {
    auto spec = browned_app(integer(1, 20));
    spec.brownout = api::Brownout{integer(1, 9), integer(1, 30), integer(1, 60)};
    test::Timeline timeline(spec, 1);
    WallTime changed = kNow - seconds{1000};
    double needed = 1;
    for (int t = 0; t < 1500; t += integer(1, 4)) {
      if (integer(0, 20) == 0) needed = integer(0, 40);
      const bool is_missing = integer(0, 10) == 0;
      const int before = timeline.history.brownout.level;
      timeline.at(t, {is_missing ? test::missing("needed") : reading("needed", needed)});
      const int level = timeline.history.brownout.level;
      ASSERT_GE(level, 0);
      ASSERT_LE(level, spec.brownout->max_level);
      if (level == before) continue;
      const WallTime now = kNow + seconds{t};
      ASSERT_EQ(std::abs(level - before), 1);
      ASSERT_FALSE(is_missing);
      ASSERT_GE(now - changed, seconds{level > before ? spec.brownout->raise_seconds : spec.brownout->lower_seconds});
      ASSERT_TRUE(level < before || timeline.replicas == spec.max_replicas);
      changed = now;
    }
  }
}

// A level of work that needs 30 % fewer replicas each: with load that stays, the level does not go up and down.
TEST(Brownout, DoesNotFlapUnderALoadThatStays) {
  for (double load = 5; load < 30; load += 0.25) {
    test::Timeline timeline(browned_app(), 10);
    int changes = 0;
    for (int t = 0; t < 1800; t += 2) {
      const int before = timeline.history.brownout.level;
      timeline.at(t, load * (1 - 0.3 * before));
      changes += timeline.history.brownout.level != before;
    }
    EXPECT_LE(changes, 16) << load;
  }
}

}  // namespace
}  // namespace scalableapp::scaling
