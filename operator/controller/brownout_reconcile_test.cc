// The degrade level through the reconciler: when its pods are told, and who else is.
#include <gmock/gmock.h>

#include "tests/support/reconciled_world.h"

namespace scalableapp::controller {
namespace {

using kube::Fault;
using testing::Contains;
using testing::ElementsAre;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class BrownoutReconcileTest : public testing::Test, protected World {
 protected:
  // At most 4 replicas.
  static json browned_spec() {
    json spec = web_spec();
    spec["replicas"]["max"] = 4;
    spec["brownout"] = json::object();
    return spec;
  }
  // What each pod is told; empty: nothing.
  std::vector<std::string> told() const {
    std::vector<std::string> levels;
    for (const auto& pod : cluster.all(kube::kPods)) {
      if (pod["metadata"].contains("deletionTimestamp")) continue;
      levels.push_back(pod["metadata"].value("annotations", json::object()).value(api::kDegradeLevelAnnotation, ""));
    }
    return levels;
  }
  // Four pods at level 2.
  void brown_out(json spec = browned_spec()) {
    settle(std::move(spec));
    metrics.set("needed", 8);
    run(60);
    ASSERT_EQ(status().degrade_level, 2);
    ASSERT_THAT(told(), ElementsAre("2", "2", "2", "2"));
    cluster.writes.clear();
  }
};

TEST_F(BrownoutReconcileTest, EveryPodIsToldTheLevelAndThatNothingIsLeftOutAnyMore) {
  settle(browned_spec());
  EXPECT_EQ(cluster.writes_of("annotate"), 0);
  metrics.set("needed", 8);
  run(60);
  EXPECT_THAT(told(), ElementsAre("2", "2", "2", "2"));
  EXPECT_THAT(new_events(),
              testing::IsSupersetOf({HasSubstr("Warning BrownoutRaised web: degrade level 0 -> 1: at the maximum of 4 "
                                               "with needed 8 over 1 per replica, for 10s"),
                                     HasSubstr("Warning BrownoutRaised web: degrade level 1 -> 2: ")}));
  EXPECT_EQ(condition("Brownout").status, api::ConditionStatus::kTrue);
  EXPECT_EQ(condition("Brownout").reason, "AtMaxReplicas");
  EXPECT_TRUE(status().degrade_level_since);
  EXPECT_THAT(exporter.scrape(), HasSubstr("scalableapp_degrade_level{name=\"web\",namespace=\"demo\"} 2\n"));

  metrics.set("needed", 3);
  run(90);
  EXPECT_THAT(told(), Each(""));
  EXPECT_EQ(status().degrade_level, 0);
  EXPECT_EQ(condition("Brownout").reason, "NotNeeded");
  EXPECT_THAT(new_events(), Contains(HasSubstr("Normal BrownoutLowered web: degrade level 1 -> 0: ")));
  EXPECT_THAT(exporter.scrape(), HasSubstr("scalableapp_degrade_level{name=\"web\",namespace=\"demo\"} 0\n"));
}

TEST_F(BrownoutReconcileTest, AtRestNothingMoreIsWritten) {
  brown_out();
  run(60);
  EXPECT_EQ(cluster.writes_of("annotate"), 0);
  EXPECT_LE(cluster.writes_of("status"), 3);
}

TEST_F(BrownoutReconcileTest, APodThatIsMadeDuringABrownoutIsToldBeforeItStarts) {
  brown_out();
  const json pod = cluster.all(kube::kPods)[0];
  cluster.erase(kube::kPods, {"demo", pod["metadata"]["name"]});
  run(1);
  EXPECT_THAT(told(), ElementsAre("2", "2", "2", "2"));
}

TEST_F(BrownoutReconcileTest, ANewProcessKeepsTheLevelAndTellsItNoSecondTime) {
  brown_out();
  new_events();
  restart();
  run(20);
  EXPECT_EQ(status().degrade_level, 2);
  EXPECT_THAT(told(), Each("2"));
  EXPECT_THAT(new_events(), Not(Contains(HasSubstr("Brownout"))));
}

TEST_F(BrownoutReconcileTest, AProcessThatDiesAtAnyWriteLeavesNoPodWithAnotherLevelForLong) {
  settle(browned_spec());
  metrics.set("needed", 8);
  int count = 0;
  cluster.fault = [&](const std::string& write) {
    const bool is_ours = write.starts_with("annotate") || write.starts_with("status");
    return is_ours && ++count % 5 == 0 ? Fault::kDieAfter : Fault::kNone;
  };
  run(120);
  cluster.fault = nullptr;
  run(60);
  EXPECT_THAT(told(), ElementsAre("2", "2", "2", "2"));
}

TEST_F(BrownoutReconcileTest, CapacityIsWrittenBeforeAnyPodIsTold) {
  brown_out();
  json spec = browned_spec();
  spec["replicas"]["max"] = 6;
  spec["brownout"]["maxLevel"] = 1;
  cluster.put_app(kWeb, spec);
  run(1);
  const auto first = [&](const char* text) {
    return std::ranges::find_if(cluster.writes, [&](const auto& write) { return write.starts_with(text); });
  };
  EXPECT_LT(first("apply replicasets"), first("annotate pods"));
  EXPECT_NE(first("annotate pods"), cluster.writes.end());
}

TEST_F(BrownoutReconcileTest, OnePodThatCannotBeToldIsNamedAndHoldsUpNoOther) {
  settle(browned_spec());
  metrics.set("needed", 8);
  run(12);
  const std::string name = cluster.all(kube::kPods)[1]["metadata"]["name"];
  cluster.fault = [&](const std::string& write) {
    return write == "annotate pods demo/" + name ? Fault::kRefused : Fault::kNone;
  };
  run(40);
  EXPECT_THAT(told(), ElementsAre("2", "1", "2", "2"));
  EXPECT_THAT(new_events(), Contains(HasSubstr("Warning DegradeLevelNotWritten web: pod " + name)));
}

TEST_F(BrownoutReconcileTest, ManyPodsAreToldAFewAtATime) {
  json spec = browned_spec();
  spec["replicas"] = {{"min", 80}, {"max", 80}};
  spec["brownout"]["maxLevel"] = 1;
  metrics.set("needed", 80);
  cluster.put_app(kWeb, spec);
  run(20);
  metrics.set("needed", 200);
  cluster.writes.clear();
  for (int i = 0; i < 30 && cluster.writes_of("annotate") == 0; ++i) run(1);
  EXPECT_EQ(cluster.writes_of("annotate"), 32);
  EXPECT_EQ(reconcile(), milliseconds{50});
  run(2);
  EXPECT_EQ(cluster.writes_of("annotate"), 80);
  EXPECT_THAT(told(), Each("1"));
}

TEST_F(BrownoutReconcileTest, PausedAndInADryRunNoPodIsTold) {
  settle(browned_spec());
  for (const char* field : {"paused", "dryRun"}) {
    json spec = browned_spec();
    spec[field] = true;
    spec["replicas"]["max"] = 2;
    cluster.put_app(kWeb, spec);
    metrics.set("needed", 8);
    cluster.writes.clear();
    run(60);
    EXPECT_EQ(cluster.writes_of("annotate"), 0) << field;
    EXPECT_EQ(status().degrade_level, 0) << field;
  }
}

TEST_F(BrownoutReconcileTest, WithoutTheBlockEverythingIsTakenBack) {
  brown_out();
  json spec = browned_spec();
  spec.erase("brownout");
  new_events();
  cluster.put_app(kWeb, spec);
  run(2);
  EXPECT_THAT(told(), Each(""));
  EXPECT_EQ(status().degrade_level, 0);
  EXPECT_EQ(condition("Brownout").type, "");
  EXPECT_THAT(new_events(), ElementsAre(HasSubstr(
                                "Normal BrownoutLowered web: degrade level 2 -> 0: spec.brownout is not set any more")));
}

TEST_F(BrownoutReconcileTest, WhileMetricsAreLostTheLevelStays) {
  brown_out();
  metrics.lose("needed");
  run(200);
  EXPECT_THAT(told(), Each("2"));
  EXPECT_EQ(status().degrade_level, 2);
}

}  // namespace
}  // namespace scalableapp::controller
