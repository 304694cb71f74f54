#include "operator/scaling/expected_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;  // 2027-01-15T08:00:00Z
using test::reading;
using testing::HasSubstr;

constexpr const char* kTwice = "200% until 2027-01-15T08:10:00Z";

TEST(ExpectedLoad, IsAPercentageOrACountUntilATime) {
  const WallTime until = kNow + seconds{600};
  EXPECT_EQ(parse_expectation(kTwice).value(), (LoadExpectation{.percent = 200, .replicas = {}, .until = until}));
  EXPECT_EQ(parse_expectation("8 replicas until 2027-01-15T08:10:00Z").value(),
            (LoadExpectation{.percent = {}, .replicas = 8, .until = until}));
  EXPECT_EQ(parse_expectation("1 replica until 2027-01-15T09:10:00+01:00").value(),
            (LoadExpectation{.percent = {}, .replicas = 1, .until = until}));
}

TEST(ExpectedLoad, ATextOfAnotherFormIsNamedWithTheRightOne) {
  for (const char* text :
       {"", "200%", "200% until", "200% until ", "200% until tomorrow", "% until 2027-01-15T08:10:00Z",
        "0% until 2027-01-15T08:10:00Z", "10001% until 2027-01-15T08:10:00Z", "2.5% until 2027-01-15T08:10:00Z",
        "200 % until 2027-01-15T08:10:00Z", "+8 replicas until 2027-01-15T08:10:00Z", "8 until 2027-01-15T08:10:00Z",
        "8 pods until 2027-01-15T08:10:00Z", " replicas until 2027-01-15T08:10:00Z",
        "99999999999 replicas until 2027-01-15T08:10:00Z", "200% until 2027-01-15T08:10:00Z and then some"}) {
    const auto parsed = parse_expectation(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("annotation scalableapp.io/expect-load is \"" + std::string(text) +
                                                  "\": must be \"PERCENT% until TIME\""));
  }
  EXPECT_LT(parse_expectation(std::string(100'000, 'x')).error().message.size(), 400U);
}

// Decides every other second; the last decision.
struct Expecting {
  static api::ScalableAppSpec up_to_20() { return test::app({test::needed()}, test::unlimited_behavior(), 1, 20); }
  explicit Expecting(int start, api::ScalableAppSpec app_spec = up_to_20())
      : spec(std::move(app_spec)), replicas(start) {}
  Decision run(int from, int to, std::optional<double> needed) {
    Decision decision;
    for (int t = from; t < to; t += 2) {
      Observation observation =
          test::observe(replicas, {needed ? reading("needed", *needed) : test::missing("needed")});
      observation.expected_load = text;
      decision = decide(kNow + seconds{t}, spec, observation, history);
      // Whatever is kept survives the way through the status.
      history = api::decode_history(api::encode_history(decision.history)).value();
      replicas = decision.replicas;
    }
    return decision;
  }
  api::ScalableAppSpec spec;
  int replicas;
  std::string text = kTwice;
  api::ScalingHistory history;
};

TEST(ExpectedLoad, IsAFloorOfWhatWasNeededWhenItWasAskedForAlsoWhileTheLoadArrives) {
  Expecting app(4);
  Decision decision = app.run(0, 2, 4);
  EXPECT_EQ(decision.replicas, 8);
  EXPECT_EQ(decision.reason, "ExpectedLoad");
  EXPECT_EQ(decision.message,
            "4 -> 8: needed 4 near 1 per replica; raised to 8 by 200% of the 4 needed when it was asked for, expected "
            "until 2027-01-15T08:10:00Z");
  EXPECT_EQ(app.run(2, 100, 6).replicas, 8);
  EXPECT_EQ(app.run(100, 200, 8).replicas, 8) << "not twice of twice";
  EXPECT_EQ(app.run(200, 210, 11).replicas, 11) << "the metrics may ask for more";
  EXPECT_EQ(app.run(210, 600, 2).replicas, 8);
  decision = app.run(600, 604, 2);
  EXPECT_EQ(decision.replicas, 2);
  EXPECT_EQ(api::find_condition(decision.conditions, "ExpectedLoad")->reason, "Over");
}

TEST(ExpectedLoad, AnotherTextIsAnotherRequest) {
  Expecting app(4);
  app.run(0, 10, 4);
  app.text = "150% until 2027-01-15T08:10:00Z";
  EXPECT_EQ(app.run(10, 12, 6).replicas, 9);
  app.text = "5 replicas until 2027-01-15T08:10:00Z";
  EXPECT_EQ(app.run(12, 14, 2).replicas, 5);
  app.text.clear();
  const Decision decision = app.run(14, 16, 2);
  EXPECT_EQ(decision.replicas, 2);
  EXPECT_EQ(decision.history.expected_load, api::ExpectedLoad{});
  EXPECT_EQ(api::find_condition(decision.conditions, "ExpectedLoad"), nullptr);
}

TEST(ExpectedLoad, StaysWithinTheBoundsAndSaysSo) {
  Expecting app(15);
  const Decision decision = app.run(0, 2, 15);
  EXPECT_EQ(decision.replicas, 20);
  EXPECT_EQ(decision.reason, "AtMaxReplicas");
  EXPECT_EQ(api::find_condition(decision.conditions, "ExpectedLoad")->message,
            "at least 30 replicas: 200% of the 15 needed when it was asked for, expected until 2027-01-15T08:10:00Z; "
            "no more than 20 are allowed");
}

TEST(ExpectedLoad, OfMetricsThatAreMissingItIsOfThePresentCount) {
  Expecting app(3);
  EXPECT_EQ(app.run(0, 2, std::nullopt).replicas, 6);
  EXPECT_EQ(app.run(2, 100, std::nullopt).replicas, 6);
}

TEST(ExpectedLoad, BringsAnAppBackFromZero) {
  api::ScalableAppSpec spec = test::app({test::needed()}, test::unlimited_behavior(), 0, 20);
  spec.idle_seconds = 0;
  Expecting app(0, spec);
  app.text = "3 replicas until 2027-01-15T08:10:00Z";
  EXPECT_EQ(app.run(0, 2, 0).replicas, 3);
}

TEST(ExpectedLoad, AHoldByHandHasTheLastWord) {
  Expecting app(3);
  app.spec.override_replicas = 3;
  EXPECT_EQ(app.run(0, 10, 3).replicas, 3);
}

TEST(ExpectedLoad, WhatCannotBeReadIsIgnoredAndNamed) {
  Expecting app(4);
  app.text = "twice";
  const Decision decision = app.run(0, 10, 4);
  EXPECT_EQ(decision.replicas, 4);
  const auto* condition = api::find_condition(decision.conditions, "ExpectedLoad");
  ASSERT_NE(condition, nullptr);
  EXPECT_EQ(condition->status, api::ConditionStatus::kFalse);
  EXPECT_EQ(condition->reason, "Invalid");
  EXPECT_THAT(condition->message, HasSubstr("annotation scalableapp.io/expect-load is \"twice\": must be"));
  EXPECT_EQ(decision.history.expected_load.asked, "twice");
}

TEST(ExpectedLoad, ABurstTakesItInOneStepAndPoliciesHoldItOtherwise) {
  Expecting app(8, test::app({test::needed()}, {test::rules(0, {test::pods(1, 60)}), test::rules(0, {})}, 1, 20));
  EXPECT_EQ(app.run(0, 2, 8).replicas, 9);
  Expecting burst(8, app.spec);
  burst.spec.burst = api::Burst{};
  EXPECT_EQ(burst.run(0, 2, 8).replicas, 16);
}

}  // namespace
}  // namespace scalableapp::scaling
