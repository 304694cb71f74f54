// A load that somebody expects, through the reconciler.
#include <gmock/gmock.h>

#include "tests/support/reconciled_world.h"

namespace scalableapp::controller {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ExpectedLoadTest : public testing::Test, protected World {
 protected:
  void expect_load(const std::string& amount, seconds length = seconds{600}) {
    annotate(fmt::format("{} until {}", amount, format_rfc3339(clock.wall_now() + length)));
  }
  void annotate(const json& text) {
    json app = cluster.at(kube::kScalableApps, kWeb);
    app["metadata"]["annotations"][api::kExpectLoadAnnotation] = text;
    if (text.is_null()) app["metadata"]["annotations"].erase(api::kExpectLoadAnnotation);
    cluster.put(kube::kScalableApps, std::move(app));
  }
};

TEST_F(ExpectedLoadTest, ScalesAheadAndBackAgain) {
  settle();
  expect_load("200%", seconds{60});
  run(30);
  EXPECT_EQ(cluster.serving(), 4);
  EXPECT_EQ(status().last_decision->reason, "ExpectedLoad");
  EXPECT_EQ(condition("ExpectedLoad").reason, "Expecting");
  EXPECT_THAT(new_events(), Contains(HasSubstr("Normal LoadExpected web: at least 4 replicas: 200% of the 2 needed")));
  run(60);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(condition("ExpectedLoad").reason, "Over");
  EXPECT_THAT(new_events(), Contains(HasSubstr("Normal ExpectedLoadOver web: ")));
  annotate(nullptr);
  run(2);
  EXPECT_EQ(condition("ExpectedLoad").type, "");
}

TEST_F(ExpectedLoadTest, ANewProcessKnowsWhatItMeantWhenItWasAskedFor) {
  settle();
  expect_load("200%");
  run(5);
  restart();
  new_events();
  metrics.set("needed", 4);  // The load has arrived.
  run(100);
  EXPECT_EQ(cluster.serving(), 4);
  EXPECT_EQ(status().history.expected_load.needed, 2);
  EXPECT_THAT(new_events(), Not(Contains(HasSubstr("LoadExpected"))));
}

TEST_F(ExpectedLoadTest, EachRequestIsInTheStatusAtOnce) {
  settle();
  expect_load("150%");
  run(1);
  EXPECT_EQ(status().history.expected_load.replicas, 3);
  expect_load("1000%");
  run(1);
  EXPECT_EQ(status().history.expected_load.replicas, 20);
  expect_load("2 replicas");
  run(1);
  EXPECT_EQ(status().history.expected_load.replicas, 2);
}

TEST_F(ExpectedLoadTest, WhatCannotBeReadIsToldOnceAndIgnored) {
  settle();
  annotate("twice");
  run(30);
  EXPECT_EQ(cluster.serving(), 2);
  EXPECT_EQ(condition("ExpectedLoad").reason, "Invalid");
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr("Warning ExpectedLoadInvalid web: annotation "
                                                  "scalableapp.io/expect-load is \"twice\": must be")));
}

TEST_F(ExpectedLoadTest, AtRestItCausesNoWrites) {
  settle();
  expect_load("200%");
  run(60);
  cluster.writes.clear();
  run(60);
  EXPECT_LE(cluster.writes.size(), 3U);
}

}  // namespace
}  // namespace scalableapp::controller
