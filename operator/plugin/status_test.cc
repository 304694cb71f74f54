#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plugin/progress.h"
#include "operator/plugin/status_watch.h"
#include "tests/support/jump_clock.h"
#include "tests/support/steered_app.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

PodView pod_view(std::string name, bool ready) {
  PodView view;
  view.pod.metadata = {.name = std::move(name), .creation_time = kNow - seconds(90)};
  view.pod.node = "node-1";
  view.pod.phase = "Running";
  view.pod.has_warm_gate = view.pod.containers_ready = true;
  view.pod.ready = view.pod.warm = ready;
  view.pod.gate_reason = ready ? "ContainersReady" : "";
  if (ready) view.gate_since = kNow - seconds(75);
  return view;
}

// A canary of one pod that warms up, beside two stable ones; an older revision is kept.
AppView canary_view() {
  AppView view{.app = canary_app(), .revisions = {revision_view("new", 7, 1), revision_view("old", 4, 2),
                                                  revision_view("older", 1, 0)}};
  view.revisions[0].change_cause = "web:2";
  view.revisions[0].pods = {pod_view("web-new-x", false)};
  view.revisions[1].pods = {pod_view("web-old-a", true), pod_view("web-old-b", true)};
  view.app.status.last_decision = {.from = 1, .to = 2, .reason = "MetricAboveTarget", .message = "1 -> 2: cpu",
                                   .time = kNow - seconds(300)};
  view.app.spec.rollout.analysis = api::Analysis{};
  view.app.status.rollout.analysis = {
      .measured_at = kNow - seconds(4),
      .metrics = {{.name = "error-rate", .value = "0.1% of 840 requests, stable 0.1% of 3360",
                   .last = api::Verdict::kSuccessful, .measurements = 2, .successful = 2},
                  {.name = "latency", .last = api::Verdict::kInconclusive, .inconclusive = 1}}};
  return view;
}

TEST(Status, ShowsACanaryWithItsPodsAndItsAnalysis) {
  EXPECT_EQ(status_tree(canary_view(), kNow), R"(Name:           web
Namespace:      shop
Status:         ‖ Paused (CanaryPauseStep)
Message:        waits to be promoted past step 2
Next:           kubectl scalableapp promote web, or abort web
Strategy:       Canary
Step:           2 of 4: pause until promoted
Weight:         20% for revision 7
Replicas:       2 desired, 3 exist, 2 ready, 2 available, 1 warming, 1 updated, 0 terminating
Last decision:  MetricAboveTarget, 5m ago: 1 -> 2: cpu

NAME              STATUS      READY   GATE       RESTARTS   AGE   NODE     INFO
web               ‖ Paused      2/2                          3d
├─ web-new        ◌ canary      0/1                          3h            revision 7: web:2
│  └─ web-new-x   ◌ warming           closed            0   90s   node-1
└─ web-old        ✔ stable      2/2                          6h            revision 4
   ├─ web-old-a   ✔ ready             open 75s          0   90s   node-1
   └─ web-old-b   ✔ ready             open 75s          0   90s   node-1
1 older revision without pods: kubectl scalableapp history web

Analysis: every 10s, last 4s ago
METRIC       VALUE                                       LAST             GOOD            BAD           INCONCLUSIVE
error-rate   0.1% of 840 requests, stable 0.1% of 3360   ✔ good           2 of 3 needed   0 (limit 0)   0 (limit 0)
latency      -                                           ◌ inconclusive   0 of 3 needed   0 (limit 0)   1 (limit 0)
)");
}

TEST(Status, AFailedRolloutSaysWhyAndWhatCanBeDone) {
  AppView view = canary_view();
  view.app = failed_app();
  const std::string text = status_tree(view, kNow);
  EXPECT_THAT(text, HasSubstr("Status:         ✖ Degraded (AnalysisFailed)\n"));
  EXPECT_THAT(text, HasSubstr("Failure:        error-rate is 5.1%, stable 0.1%\n"));
  EXPECT_THAT(text, HasSubstr("Next:           kubectl scalableapp undo web, or retry web\n"));
  EXPECT_THAT(text, testing::ContainsRegex("├─ web-new +✖ failed +0/1"));
}

TEST(Status, AHealthyAppNeedsFewLines) {
  AppView view = canary_view();
  view.app = healthy_app();
  view.app.spec.rollout.analysis = api::Analysis{};
  const std::string text = status_tree(view, kNow);
  EXPECT_THAT(text, HasSubstr("Status:         ✔ Healthy\n"));
  for (const char* word : {"Step:", "Weight:", "Next:", "Analysis", "Failure:"}) {
    EXPECT_THAT(text, testing::Not(HasSubstr(word)));
  }
}

TEST(Status, SaysWhatHoldsAnApp) {
  AppView view{.app = healthy_app()};
  view.app.spec.paused = view.app.spec.rollout.paused = view.app.spec.dry_run = true;
  view.app.spec.override_replicas = 8;
  view.app.spec.override_until = kNow + seconds(1500);
  view.app.metadata.generation = 8;
  const std::string text = status_tree(view, kNow);
  EXPECT_THAT(text, HasSubstr("Paused:         spec.paused:"));
  EXPECT_THAT(text, HasSubstr("Paused:         spec.rollout.paused:"));
  EXPECT_THAT(text, HasSubstr("Dry run:        spec.dryRun:"));
  EXPECT_THAT(text, HasSubstr("Held:           at 8 for another 25m\n"));
  EXPECT_THAT(text, HasSubstr("the operator has not seen it yet"));
  EXPECT_THAT(status_tree(view, kNow + seconds(1500)), testing::Not(HasSubstr("Held:"))) << "it has ended";
}

TEST(Status, SaysWhatLoadIsExpected) {
  AppView view = canary_view();
  view.app.status.conditions.push_back(
      {.type = "ExpectedLoad", .reason = "Expecting", .message = "at least 8 replicas"});
  EXPECT_THAT(status_tree(view, kNow), HasSubstr("Expected load:  at least 8 replicas\n"));
  view.app.status.conditions.back().reason = "Over";
  EXPECT_THAT(status_tree(view, kNow), testing::Not(HasSubstr("Expected load:")));
}

TEST(Status, SaysWhatIsLeftOutAndWhy) {
  AppView view = canary_view();
  EXPECT_THAT(status_tree(view, kNow), testing::Not(HasSubstr("Degraded:")));
  view.app.status.degrade_level = 1;
  view.app.status.degrade_level_since = kNow - seconds(40);
  view.app.status.conditions.push_back({.type = "Brownout", .message = "level 1 of 2: at the maximum of 4"});
  EXPECT_THAT(status_tree(view, kNow), HasSubstr("Degraded:       level 1 of 2: at the maximum of 4 (40s ago)\n"));
  EXPECT_EQ(json::parse(status_json(view))["degradeLevel"], 1);
}

TEST(Status, SaysOfEachPodWhatIsTheMatter) {
  AppView view = canary_view();
  auto& pods = view.revisions[1].pods;
  pods.assign(6, pod_view("p", false));
  pods[0].pod.trouble = "CrashLoopBackOff: back-off " + std::string(200, 'x');
  pods[0].pod.containers_ready = false;
  pods[0].pod.restart_count = 12;
  pods[1].pod.draining_since = kNow - seconds(3);
  pods[1].pod.gate_reason = "Draining";
  pods[1].gate_since = kNow - seconds(3);
  pods[2].pod.ejection = api::Ejection{.count = 1, .time = kNow - seconds(20), .why = "3 times as slow"};
  pods[2].pod.set_aside_since = kNow - seconds(20);
  pods[3].pod.metadata.deletion_time = kNow;
  pods[4].pod.phase = "Pending";
  pods[4].pod.containers_ready = false;
  pods[4].pod.node.clear();
  pods[5] = pod_view("p", true);
  pods[5].pod.has_warm_gate = false;
  const std::string text = status_tree(view, kNow);
  for (const char* line : {"✖ CrashLoopBackOff +closed +12 +90s +node-1 +CrashLoopBackOff: back-off x+\\.\\.\\.\n",
                           "◌ draining +closed 3s: Draining +0 +90s +node-1 +leaves, draining for 3s\n",
                           "✖ ejected +closed +0 +90s +node-1 +out of service for 20s: 3 times as slow\n",
                           "◌ terminating +closed", "◌ pending +closed +0 +90s +-\n", "✔ ready +none +0"}) {
    EXPECT_THAT(text, testing::ContainsRegex(line));
  }
}

TEST(Status, ATimedPauseTellsWhatIsLeftOfIt) {
  api::ScalableApp app = canary_app();
  app.spec.rollout.canary.steps[1].pause_seconds = 300;
  EXPECT_EQ(step_text(app, kNow), "2 of 4: pause 5m, 4m30s left");
  app.status.rollout.step = 0;
  EXPECT_EQ(step_text(app, kNow), "1 of 4: setWeight 20%");
  app.status.rollout.step = 4;
  EXPECT_EQ(step_text(app, kNow), "past the last of 4");
  app.spec.rollout.strategy = api::RolloutStrategy::kBlueGreen;
  app.spec.rollout.analysis = api::Analysis{};
  app.status.rollout.step = 0;
  EXPECT_EQ(step_text(app, kNow), "1 of 2: before the switch");
  app.status.rollout.step = 1;
  EXPECT_EQ(step_text(app, kNow), "2 of 2: analysis");
  app.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  app.spec.rollout.analysis.reset();
  EXPECT_EQ(step_text(app, kNow), "");
}

TEST(Status, RolesFollowTheStrategy) {
  api::ScalableApp app = canary_app();
  const auto roles = [&] { return role_of(app, "new") + " / " + role_of(app, "old"); };
  EXPECT_EQ(roles(), "canary / stable");
  app.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  EXPECT_EQ(roles(), "updated / stable");
  app.spec.rollout.strategy = api::RolloutStrategy::kBlueGreen;
  EXPECT_EQ(roles(), "preview / stable, active");
  app.status.rollout.switched_at = kNow;
  EXPECT_EQ(roles(), "updated, active / stable");
  app.status.rollout.failure_reason = "Aborted";
  EXPECT_EQ(roles(), "failed / stable, active");
  app.status.rollout.failure_reason.clear();
  app.status.current_revision = "new";
  EXPECT_EQ(roles(), "stable, active / ");
  EXPECT_EQ(role_of(api::ScalableApp{}, ""), "");
}

TEST(Status, JsonHasTheSameForMachines) {
  const json object = json::parse(status_json(canary_view()));
  EXPECT_EQ(object["phase"], "Paused");
  EXPECT_EQ(object["step"], 1);
  EXPECT_EQ(object["steps"], 4);
  EXPECT_EQ(object["revisions"][0]["role"], "canary");
  EXPECT_EQ(object["revisions"][0]["pods"][0]["state"], "warming");
  EXPECT_EQ(object["revisions"][1]["pods"][0]["gate"],
            json::parse(R"({"state":"open","reason":"ContainersReady","since":"2027-01-15T07:58:45Z"})"));
  EXPECT_EQ(object["analysis"]["metrics"][0]["good"], 2);
  EXPECT_EQ(object["analysis"]["needed"], 3);
}

TEST(Status, AgesAreWrittenAsKubectlWritesThem) {
  for (const auto& [length, want] : {std::pair(-5, "0s"), {119, "119s"}, {120, "2m"}, {150, "2m30s"}, {700, "11m"},
                                     {3 * 3600 + 60, "3h1m"}, {9 * 3600, "9h"}, {50 * 3600, "2d2h"},
                                     {864'000, "10d"}}) {
    EXPECT_EQ(age_text(seconds(length)), want);
  }
}

TEST(Progress, IsCompleteOnlyForThePresentSpec) {
  api::ScalableApp app = healthy_app();
  EXPECT_EQ(progress_of(app).outcome, Outcome::kComplete);
  app.metadata.generation = 8;
  EXPECT_EQ(progress_of(app).outcome, Outcome::kGoesOn);
  EXPECT_EQ(progress_of(api::ScalableApp{}).outcome, Outcome::kGoesOn) << "nothing has begun yet";
  app = healthy_app();
  app.status.current_revision = "old";
  EXPECT_EQ(progress_of(app).outcome, Outcome::kGoesOn);
  EXPECT_EQ(progress_of(canary_app()).outcome, Outcome::kGoesOn);
  EXPECT_EQ(progress_of(canary_app()).line, "Paused: waits to be promoted past step 2");
}

TEST(Progress, AFailureIsOneUntilItIsRetried) {
  api::ScalableApp app = failed_app();
  EXPECT_EQ(progress_of(app).outcome, Outcome::kFailed);
  EXPECT_EQ(progress_of(app).line, "revision new failed: AnalysisFailed: error-rate is 5.1%, stable 0.1%");
  const auto asked = [&](const char* value) {
    app.metadata.annotations["scalableapp.io/retry"] = value;
    return progress_of(app).outcome;
  };
  EXPECT_EQ(asked("new 2027-01-15T08:00:00Z"), Outcome::kGoesOn);
  EXPECT_EQ(asked("new 2027-01-15T07:00:00Z"), Outcome::kFailed) << "before it failed";
  EXPECT_EQ(asked("old 2027-01-15T08:00:00Z"), Outcome::kFailed) << "of another revision";
  EXPECT_EQ(asked("new soon"), Outcome::kFailed);
}

struct WatchTest : testing::Test {
  Result<void> run(Watch what) {
    return watch(*client, clock, {"shop", "web"}, what, [&](const std::string& text) { shown.push_back(text); });
  }
  JumpClock clock;
  Random random{1};
  AppServer server;
  std::unique_ptr<kube::Client> client = kube::make_client(server, clock, random);
  std::vector<std::string> shown;
};

TEST_F(WatchTest, WaitsUntilTheRolloutIsCompleteAndTellsEachChangeOnce) {
  int looks = 0;
  server.on_get = [&] {
    if (++looks == 4) server.app["status"]["currentRevision"] = "new";
  };
  EXPECT_TRUE(run({.waits = true}));
  EXPECT_THAT(shown, ElementsAre(HasSubstr("0 of 0 replicas are updated"),
                                 "revision new is rolled out, 0 of 0 replicas are available"));
  EXPECT_EQ(clock.waits().size(), 3U);
}

TEST_F(WatchTest, EndsWithHowFarItWasWhenItTakesTooLong) {
  const auto ended = run({.waits = true, .timeout = seconds(5)});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(ended.error().message, HasSubstr("not complete after 5s: Healthy: 0 of 0 replicas are updated"));
  EXPECT_EQ(clock.waits().size(), 5U);
}

TEST_F(WatchTest, DrawsAgainOnlyWhatHasChanged) {
  int looks = 0;
  server.on_get = [&] {
    ++looks;
    if (looks == 5) server.app["status"]["readyReplicas"] = 1;
    if (looks == 9) server.app["status"]["currentRevision"] = "new";
  };
  EXPECT_TRUE(run({.draws = true, .waits = true}));
  ASSERT_EQ(shown.size(), 3U);
  EXPECT_THAT(shown[1], HasSubstr("1 ready"));
}

TEST_F(WatchTest, WhoMayNotListPodsIsShownTheRest) {
  server.forbids_pods = true;
  const auto picture = fetch_view(*client, {"shop", "web"});
  ASSERT_TRUE(picture);
  EXPECT_THAT(picture->warnings, ElementsAre(HasSubstr("pods are not shown: GET pods shop: pods is forbidden")));
}

}  // namespace
}  // namespace scalableapp::plugin
