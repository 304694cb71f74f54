#include "operator/controller/fail_open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"
#include "tests/support/fake_cluster.h"

namespace scalableapp::controller {
namespace {

using kube::Fault;
using nlohmann::json;

// A pod that waits with its containers ready, and the operator's Lease.
struct FailOpenTest : testing::Test {
  FailOpenTest() {
    cluster.put(kube::kPods, {{"metadata",
                               {{"namespace", "demo"},
                                {"name", "web-1"},
                                {"labels", {{api::kAppLabel, "web"}}},
                                {"annotations", {{api::kFailOpenAnnotation, "10"}}}}},
                              {"spec", {{"readinessGates", {{{"conditionType", api::kWarmGate}}}}}},
                              {"status",
                               {{"phase", "Running"},
                                {"conditions",
                                 {{{"type", "ContainersReady"},
                                   {"status", "True"},
                                   {"lastTransitionTime", format_rfc3339(clock.wall_now())}}}}}}});
    renew();
  }
  void renew() {
    cluster.put(kube::kLeases,
                {{"metadata", {{"namespace", "operator"}, {"name", "lease"}}},
                 {"spec", {{"holderIdentity", "a"}, {"renewTime", format_rfc3339_micro(clock.wall_now())}}}});
  }
  // The process, for so long.
  void run(int for_seconds, bool is_renewed) {
    for (int i = 0; i < for_seconds; ++i) {
      clock.advance(seconds{1});
      if (is_renewed) renew();
      cluster.tick();
      fail_open.look(fail_open.in_doubt() ? &cluster.pods : nullptr);
    }
  }
  json pod() const { return cluster.at(kube::kPods, {"demo", "web-1"}); }
  bool is_open() const { return kube::FakeCluster::is(pod(), api::kWarmGate); }

  FakeClock clock;
  kube::FakeCluster cluster{clock};
  FailOpen fail_open{clock, cluster, {"operator", "lease"}};
};

TEST_F(FailOpenTest, WhileAnOperatorLeadsNothingIsWrittenAndNoPodWatched) {
  run(120, true);
  EXPECT_FALSE(fail_open.in_doubt());
  EXPECT_TRUE(cluster.writes.empty());
}

TEST_F(FailOpenTest, WithoutOneAPodServesAfterItsSecondsOfBeingWatched) {
  run(1, true);
  run(15, false);
  EXPECT_TRUE(fail_open.in_doubt());
  EXPECT_FALSE(is_open());
  run(2, false);
  ASSERT_TRUE(is_open());
  EXPECT_EQ(api::decode_pod(pod())->gate_reason, "FailOpen");
  run(60, false);
  EXPECT_EQ(cluster.writes.size(), 1U);
}

TEST_F(FailOpenTest, ALeaseThatIsGoneHasNoHolder) {
  cluster.erase(kube::kLeases, {"operator", "lease"});
  run(20, false);
  EXPECT_TRUE(is_open());
}

TEST_F(FailOpenTest, AnOperatorThatComesBackBeginsTheCountAnew) {
  run(15, false);
  run(1, true);
  run(15, false);
  EXPECT_FALSE(is_open());
}

TEST_F(FailOpenTest, AServerThatCannotBeReadIsNoSignThatNobodyLeads) {
  run(15, false);
  cluster.unreadable = true;
  run(60, false);
  EXPECT_FALSE(fail_open.knows_lease());
  cluster.unreadable = false;
  run(15, false);
  EXPECT_FALSE(is_open()) << "the operator could not renew either: it gets its time";
  run(5, false);
  EXPECT_TRUE(is_open());
}

TEST_F(FailOpenTest, AnOperatorThatWasFasterIsNotOverruled) {
  run(15, false);
  // The cache does not show this.
  cluster.lag = seconds{60};
  json drained = pod();
  drained["metadata"]["annotations"][api::kDrainingSinceAnnotation] = format_rfc3339_micro(clock.wall_now());
  cluster.put(kube::kPods, drained);
  run(10, false);
  EXPECT_GE(cluster.writes.size(), 1U);
  EXPECT_FALSE(is_open());
}

TEST_F(FailOpenTest, WhatCouldNotBeWrittenIsTriedAgain) {
  cluster.fault = [](const std::string&) { return Fault::kServerError; };
  run(20, false);
  EXPECT_FALSE(is_open());
  cluster.fault = nullptr;
  run(2, false);
  EXPECT_TRUE(is_open());
}

}  // namespace
}  // namespace scalableapp::controller
