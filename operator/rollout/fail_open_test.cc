#include "operator/rollout/fail_open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

using testing::IsEmpty;

const MonotonicTime kStart{seconds{1'000}};

// Waits, with its containers ready; its gate opens after 10 s.
api::Pod waiting_pod() {
  api::Pod one;
  one.metadata.name = one.metadata.uid = "p";
  one.phase = "Running";
  one.has_warm_gate = one.containers_ready = true;
  one.containers_ready_since = WallTime{seconds{5'000}};
  one.fail_open_seconds = 10;
  return one;
}

struct FailOpen : testing::Test {
  // True if the gate opens.
  bool look(int second) {
    plan = plan_fail_open(kStart + seconds{second}, unled_since, {std::make_shared<const api::Pod>(pod)},
                          plan.waiting_since);
    return !plan.changes.empty();
  }
  api::Pod pod = waiting_pod();
  MonotonicTime unled_since = kStart;
  FailOpenPlan plan;
};

TEST_F(FailOpen, AGateOpensWhenNobodyHasLedAndThePodWasSeenReadyForSoLong) {
  EXPECT_FALSE(look(0));
  EXPECT_EQ(plan.next_check, kStart + seconds{10});
  EXPECT_FALSE(look(9));
  ASSERT_TRUE(look(10));
  EXPECT_TRUE(plan.changes[0].warm);
  EXPECT_EQ(plan.changes[0].reason, "FailOpen");
}

TEST_F(FailOpen, ARenewedLeaseBeginsTheCountAnew) {
  look(0);
  unled_since = kStart + seconds{8};
  EXPECT_FALSE(look(17));
  EXPECT_TRUE(look(18));
}

TEST_F(FailOpen, APodCountsFromWhenItWasSeenReadyNotFromWhenItSaysSo) {
  unled_since = kStart - seconds{3600};
  EXPECT_FALSE(look(0)) << "it was not seen before";
  EXPECT_FALSE(look(9));
  EXPECT_TRUE(look(10));
}

TEST_F(FailOpen, ContainersThatBecomeReadyAgainCountAnewAlsoUnseen) {
  look(0);
  pod.containers_ready_since = *pod.containers_ready_since + seconds{8};
  EXPECT_FALSE(look(10));
  EXPECT_FALSE(look(19));
  EXPECT_TRUE(look(20));
}

TEST_F(FailOpen, WhatNobodyAskedForStaysClosed) {
  struct Case {
    const char* name;
    void (*change)(api::Pod&);
  };
  const Case cases[] = {
      {"it does not ask for it", [](api::Pod& one) { one.fail_open_seconds.reset(); }},
      {"its containers are not ready", [](api::Pod& one) { one.containers_ready = false; }},
      {"its gate is open", [](api::Pod& one) { one.warm = true; }},
      {"it has no gate", [](api::Pod& one) { one.has_warm_gate = false; }},
      {"it terminates", [](api::Pod& one) { one.metadata.deletion_time = WallTime{}; }},
      {"it drains", [](api::Pod& one) { one.draining_since = WallTime{}; }},
      {"it was set aside", [](api::Pod& one) { one.set_aside_since = WallTime{}; }},
      {"it was an outlier", [](api::Pod& one) { one.ejection = api::Ejection{.count = 1}; }},
  };
  for (const Case& one : cases) {
    pod = waiting_pod();
    one.change(pod);
    plan = {};
    EXPECT_FALSE(look(0)) << one.name;
    EXPECT_FALSE(look(1'000)) << one.name;
    EXPECT_THAT(plan.waiting_since, IsEmpty()) << one.name;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
