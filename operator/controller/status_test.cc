#include "operator/controller/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace scalableapp::controller {
namespace {

const WallTime kNow{seconds{1'800'000'000}};

api::ScalableAppStatus a_status() {
  api::ScalableAppStatus status;
  status.observed_generation = 3;
  status.desired_replicas = status.ready_replicas = 4;
  status.current_revision = status.updated_revision = "r1";
  status.metrics = {{.name = "cpu", .type = "CPU", .current = "55%", .target = "60%", .proposed_replicas = 4, .age_seconds = 1}};
  status.last_decision = api::LastDecision{.from = 4, .to = 4, .reason = "WithinTolerance", .message = "stays at 4", .time = kNow};
  status.last_scale_time = kNow;
  status.conditions = {{.type = "Ready", .status = api::ConditionStatus::kTrue, .reason = "AllReplicasReady", .message = "4 of 4"},
                       {.type = "ScalingLimited", .status = api::ConditionStatus::kFalse, .reason = "DesiredWithinRange"}};
  status.history.recommendations = {{4, kNow, kNow}};
  status.history.scale_events = {{2, kNow}};
  return status;
}

TEST(Status, TellsMeaningFromCountsFromFigures) {
  using Status = api::ScalableAppStatus;
  struct Case {
    const char* name;
    std::function<void(Status&)> change;
    StatusChange want;
  };
  const Case cases[] = {
      {"nothing", [](Status&) {}, StatusChange::kNone},
      {"the age of a sample", [](Status& s) { s.metrics[0].age_seconds = 2; }, StatusChange::kNone},
      {"a recommendation that goes on", [](Status& s) { s.history.recommendations[0].until += seconds{9}; }, StatusChange::kNone},
      {"another recommendation", [](Status& s) { s.history.recommendations[0].replicas = 5; }, StatusChange::kFigures},
      {"a scale event that no policy needs any more", [](Status& s) { s.history.scale_events.clear(); }, StatusChange::kFigures},
      {"a metric's value", [](Status& s) { s.metrics[0].current = "56%"; }, StatusChange::kFigures},
      {"what a metric proposes", [](Status& s) { s.metrics[0].proposed_replicas = 5; }, StatusChange::kFigures},
      {"a condition's message", [](Status& s) { s.conditions[0].message = "still 4"; }, StatusChange::kFigures},
      {"why the count stays", [](Status& s) { s.last_decision->reason = "Stabilizing"; }, StatusChange::kFigures},
      {"ScalingLimited", [](Status& s) { s.conditions[1].status = api::ConditionStatus::kTrue; }, StatusChange::kFigures},
      {"pods", [](Status& s) { ++s.replicas; }, StatusChange::kCounts},
      {"ready pods", [](Status& s) { --s.ready_replicas; }, StatusChange::kCounts},
      {"terminating pods", [](Status& s) { ++s.terminating_replicas; }, StatusChange::kCounts},
      {"the desired count", [](Status& s) { ++s.desired_replicas; }, StatusChange::kMeaning},
      {"the generation", [](Status& s) { ++s.observed_generation; }, StatusChange::kMeaning},
      {"a revision", [](Status& s) { s.updated_revision = "r2"; }, StatusChange::kMeaning},
      {"a collision", [](Status& s) { ++s.collision_count; }, StatusChange::kMeaning},
      {"a scale", [](Status& s) { *s.last_scale_time += seconds{1}; }, StatusChange::kMeaning},
      {"a condition's status", [](Status& s) { s.conditions[0].status = api::ConditionStatus::kFalse; }, StatusChange::kMeaning},
      {"a condition's reason", [](Status& s) { s.conditions[0].reason = "Other"; }, StatusChange::kMeaning},
      {"a new condition", [](Status& s) { s.conditions.push_back({.type = "Progressing"}); }, StatusChange::kMeaning},
      {"a metric that is missing", [](Status& s) { s.metrics[0].missing = "no answer"; }, StatusChange::kMeaning},
      {"a metric's target", [](Status& s) { s.metrics[0].target = "70%"; }, StatusChange::kMeaning},
      {"one metric more", [](Status& s) { s.metrics.push_back({.name = "b"}); }, StatusChange::kMeaning},
  };
  for (const Case& one : cases) {
    api::ScalableAppStatus after = a_status();
    one.change(after);
    EXPECT_EQ(compare(a_status(), after), one.want) << one.name;
  }
}

struct Given {
  api::ScalableApp app;
  api::ScalableAppStatus before;
  Snapshot snapshot;
  scaling::Decision decision;
  rollout::RolloutPlan plan;

  Given() {
    app.metadata.name = "web";
    app.metadata.generation = 3;
    decision.from = decision.replicas = 2;
    decision.reason = "WithinTolerance";
    plan.progressing = {.type = "Progressing", .status = api::ConditionStatus::kTrue, .reason = "NewReplicaSetAvailable"};
    snapshot.updated_revision = "r2";
  }
  void pod(const char* revision, bool ready, int since_seconds = 100, bool terminating = false, const char* phase = "Running") {
    api::Pod one;
    one.metadata.labels[api::kRevisionLabel] = revision;
    one.phase = phase;
    one.ready = ready;
    if (ready) one.ready_since = kNow - seconds{since_seconds};
    if (terminating) one.metadata.deletion_time = kNow;
    snapshot.pods.push_back(std::make_shared<const api::Pod>(one));
  }
  api::ScalableAppStatus status(WallTime now = kNow) {
    snapshot.app = std::make_shared<const api::ScalableApp>(app);
    snapshot.status = &before;
    return build_status(now, snapshot, decision, plan);
  }
};

TEST(Status, CountsPodsByState) {
  Given given;
  given.app.spec.rollout.min_ready_seconds = 30;
  given.pod("r1", true);
  given.pod("r2", true, 10);
  given.pod("r2", false);
  given.pod("r2", true, 100, true);
  given.pod("r2", false, 0, false, "Failed");
  const auto status = given.status();
  EXPECT_EQ(status.replicas, 3);
  EXPECT_EQ(status.ready_replicas, 2);
  EXPECT_EQ(status.warming_replicas, 1);
  EXPECT_EQ(status.available_replicas, 1);
  EXPECT_EQ(status.updated_replicas, 2);
  EXPECT_EQ(status.terminating_replicas, 1);
  EXPECT_EQ(status.selector, "scalableapp.io/name=web");
}

TEST(Status, NotReadySaysWhatKeepsAPodFromServing) {
  Given given;
  given.pod("r2", true);
  given.pod("r2", false);
  auto waits = *given.snapshot.pods.back();
  waits.metadata.name = "web-x";
  waits.trouble = "Unschedulable: Insufficient cpu";
  given.snapshot.pods.back() = std::make_shared<const api::Pod>(waits);
  const auto status = given.status();
  EXPECT_EQ(api::find_condition(status.conditions, "Ready")->message,
            "1 of 2 replicas are ready, 1 warming; pod web-x: Unschedulable: Insufficient cpu");
}

TEST(Status, ARevisionIsCurrentOnceThePlanSaysThatItIsComplete) {
  Given given;
  given.before.current_revision = "r1";
  given.pod("r2", true);
  EXPECT_EQ(given.status().current_revision, "r1");
  given.plan.is_complete = true;
  EXPECT_EQ(given.status().current_revision, "r2");
  given.app.spec.paused = true;
  EXPECT_EQ(given.status().current_revision, "r1");
  EXPECT_EQ(given.status().updated_revision, "r2");
}

TEST(Status, AConditionsTimeMovesOnlyWithItsStatus) {
  Given given;
  given.before = given.status();
  const auto later = given.status(kNow + seconds{60});
  EXPECT_EQ(api::find_condition(later.conditions, "Ready")->last_transition_time, kNow);
  given.pod("r2", true);
  given.pod("r2", true);
  const auto ready = given.status(kNow + seconds{90});
  EXPECT_EQ(api::find_condition(ready.conditions, "Ready")->status, api::ConditionStatus::kTrue);
  EXPECT_EQ(api::find_condition(ready.conditions, "Ready")->last_transition_time, kNow + seconds{90});
}

TEST(Status, TheLastDecisionKeepsItsTimeWhileItStands) {
  Given given;
  given.before = given.status();
  EXPECT_EQ(given.status(kNow + seconds{60}).last_decision->time, kNow);
  given.decision.replicas = 5;
  const auto scaled = given.status(kNow + seconds{70});
  EXPECT_EQ(scaled.last_decision->time, kNow + seconds{70});
  EXPECT_EQ(scaled.last_scale_time, kNow + seconds{70});
  EXPECT_EQ(scaled.desired_replicas, 5);
}

TEST(Status, AnInvalidSpecKeepsWhatIsKnown) {
  Given given;
  given.before.desired_replicas = 7;
  given.app.problems = {"spec.replicas.max: must be at least 2"};
  const auto status = invalid_status(kNow, given.app, given.before);
  EXPECT_EQ(status.desired_replicas, 7);
  EXPECT_EQ(status.observed_generation, 3);
  EXPECT_EQ(api::find_condition(status.conditions, "Ready")->message, "spec.replicas.max: must be at least 2");
}

TEST(Status, FiguresAreWrittenMoreSeldomWhereThereAreManyAppsAndNothingElseIs) {
  EXPECT_EQ(write_delay(StatusChange::kFigures, 1), seconds{30});
  EXPECT_EQ(write_delay(StatusChange::kFigures, 400), seconds{50});
  EXPECT_EQ(write_delay(StatusChange::kFigures, 10'000), seconds{60});
  EXPECT_EQ(write_delay(StatusChange::kCounts, 10'000), seconds{1});
  EXPECT_EQ(write_delay(StatusChange::kMeaning, 10'000), seconds{0});
}

}  // namespace
}  // namespace scalableapp::controller
