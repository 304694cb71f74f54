#include "operator/plugin/steering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/jump_clock.h"
#include "tests/support/steered_app.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json patch_of(const Result<Edit>& edit) {
  EXPECT_TRUE(edit) << edit.error().message;
  return edit ? json::parse(edit->patch) : json();
}
std::string refusal_of(const Result<Edit>& edit) { return edit ? "done: " + edit->done : edit.error().message; }

TEST(Promote, NamesTheRevisionAndTheStepItIsPast) {
  const auto edit = promote(canary_app(), false);
  EXPECT_EQ(patch_of(edit), json::parse(R"({"metadata":{"resourceVersion":"41",
    "annotations":{"scalableapp.io/promote":"new/1"}}})"));
  EXPECT_EQ(edit->done, "promoted");
  const auto full = promote(canary_app(), true);
  EXPECT_EQ(patch_of(full)["metadata"]["annotations"]["scalableapp.io/promote"], "new/full");
  EXPECT_EQ(full->done, "fully promoted");
}

TEST(Promote, LetsARolloutGoOnThatWasPausedByHand) {
  api::ScalableApp app = canary_app();
  app.spec.rollout.paused = true;
  const auto edit = promote(app, false);
  EXPECT_EQ(patch_of(edit)["spec"], json::parse(R"({"rollout":{"paused":false}})"));
  EXPECT_EQ(edit->done, "promoted and resumed");
}

TEST(Promote, SaysWhyThereIsNothingToPromote) {
  EXPECT_EQ(refusal_of(promote(healthy_app(), false)),
            "nothing to promote: web is Healthy, revision new is rolled out");
  EXPECT_EQ(refusal_of(promote(failed_app(), true)),
            "nothing to promote: revision new has failed: AnalysisFailed: error-rate is 5.1%, stable 0.1%; "
            "'retry web' tries it again, 'undo' takes it back");
  api::ScalableApp app = canary_app();
  app.metadata.annotations["scalableapp.io/abort"] = "new";
  EXPECT_THAT(refusal_of(promote(app, false)), HasSubstr("revision new is being aborted"));
  app.metadata.annotations["scalableapp.io/abort"] = "an-earlier-one";
  EXPECT_TRUE(promote(app, false));
  app.metadata.generation = 8;
  EXPECT_THAT(refusal_of(promote(app, false)),
              HasSubstr("has not seen the latest change yet (generation 8, it has seen 7)"));
}

TEST(Promote, AStepIsPassedOnlyWhereThereIsOne) {
  api::ScalableApp app = canary_app();
  const auto value = [&](bool fully = false) {
    const auto edit = promote(app, fully);
    return edit ? patch_of(edit)["metadata"]["annotations"]["scalableapp.io/promote"].get<std::string>() : refusal_of(edit);
  };
  app.status.rollout.phase = api::RolloutPhase::kProgressing;
  EXPECT_EQ(value(), "new/1") << "a step that measures, or is on its way, too";
  app.status.rollout.step = 4;
  EXPECT_EQ(value(), "nothing to promote: revision new is past the last step; it goes on by itself");
  app.spec.rollout.paused = true;
  EXPECT_EQ(value(), "nothing to promote: it is paused by spec.rollout.paused; 'resume web' lets it go on");
  app.spec.rollout.paused = false;
  app.status.rollout.phase = api::RolloutPhase::kPaused;
  EXPECT_EQ(value(), "new/4") << "the analysis cannot tell";

  app.status.rollout.phase = api::RolloutPhase::kProgressing;
  app.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  app.status.rollout.step = 0;
  EXPECT_EQ(value(), "nothing to promote: strategy Rolling has no steps; it goes on by itself");
  EXPECT_EQ(value(true), "new/full");
  app.spec.rollout.analysis = api::Analysis{};
  EXPECT_EQ(value(), "new/0");
  app.spec.rollout.strategy = api::RolloutStrategy::kBlueGreen;
  app.status.rollout.step = 1;
  EXPECT_EQ(value(), "new/1") << "the analysis after the switch";
}

TEST(Promote, InFullOverrulesAnAnalysisThatFailedWhereNothingGoesBackByItself) {
  api::ScalableApp app = failed_app();
  EXPECT_FALSE(promote(app, true));
  app.spec.rollout.automatic_rollback = false;
  EXPECT_TRUE(promote(app, true));
  EXPECT_FALSE(promote(app, false));
  app.status.rollout.failure_reason = "CrashLoop";
  EXPECT_FALSE(promote(app, true));
}

TEST(Abort, NamesTheRevisionThatIsGivenUp) {
  EXPECT_EQ(patch_of(abort(canary_app())), json::parse(R"({"metadata":{"resourceVersion":"41",
    "annotations":{"scalableapp.io/abort":"new"}}})"));
  EXPECT_THAT(refusal_of(abort(healthy_app())), HasSubstr("nothing to abort: web is Healthy"));
  EXPECT_THAT(refusal_of(abort(failed_app())), HasSubstr("nothing to abort: revision new has failed"));
  api::ScalableApp first = canary_app();
  first.status.current_revision.clear();
  EXPECT_EQ(refusal_of(abort(first)), "nothing to abort: there is no revision before new to go back to");
}

TEST(Retry, TakesTheAbortBackAndNamesTheTime) {
  EXPECT_EQ(patch_of(retry(failed_app(), kNow)), json::parse(R"({"metadata":{"resourceVersion":"41","annotations":{
    "scalableapp.io/abort":null,"scalableapp.io/retry":"new 2027-01-15T08:00:00.000000Z"}}})"));
  EXPECT_EQ(refusal_of(retry(canary_app(), kNow)), "nothing to retry: revision new has not failed, it is Paused");
  api::ScalableApp aborting = canary_app();
  aborting.metadata.annotations["scalableapp.io/abort"] = "new";
  EXPECT_TRUE(retry(aborting, kNow)) << "the operator has not heeded it yet";
}

TEST(Retry, IsLaterThanTheFailureWhateverTheClockHereSays) {
  api::ScalableApp app = failed_app();
  app.status.rollout.failed_at = kNow + seconds(90);
  EXPECT_EQ(patch_of(retry(app, kNow))["metadata"]["annotations"]["scalableapp.io/retry"],
            "new 2027-01-15T08:01:30.001000Z");
}

TEST(Pause, IsSetAndTakenBackOnce) {
  api::ScalableApp app = healthy_app();
  EXPECT_EQ(patch_of(pause(app))["spec"], json::parse(R"({"rollout":{"paused":true}})"));
  EXPECT_EQ(refusal_of(resume(app)), "scalableapps.scalableapp.io \"web\" is not paused");
  app.spec.rollout.paused = true;
  EXPECT_EQ(patch_of(resume(app))["spec"], json::parse(R"({"rollout":{"paused":false}})"));
  EXPECT_EQ(refusal_of(pause(app)), "scalableapps.scalableapp.io \"web\" is already paused");
}

TEST(Restart, SetsTheTimeInTheTemplateAsKubectlDoes) {
  api::ScalableApp app = healthy_app();
  EXPECT_EQ(patch_of(restart(app, kNow))["spec"], json::parse(R"({"template":{"metadata":{"annotations":{
    "kubectl.kubernetes.io/restartedAt":"2027-01-15T08:00:00Z"}}}})"));
  app.spec.template_json =
      R"({"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2027-01-15T08:00:00Z"}}})";
  EXPECT_THAT(refusal_of(restart(app, kNow)), HasSubstr("within this second"));
  app.spec.rollout.paused = true;
  EXPECT_THAT(refusal_of(restart(app, kNow)), HasSubstr("is paused: spec.rollout.paused; run resume web first"));
}

TEST(Scale, HoldsWithinTheBoundsOfTheSpec) {
  EXPECT_EQ(patch_of(hold(healthy_app(), 8, kNow + seconds(1800)))["spec"],
            json::parse(R"({"replicas":{"override":8,"overrideUntil":"2027-01-15T08:30:00Z"}})"));
  EXPECT_EQ(hold(healthy_app(), 8, kNow)->done, "held at 8 until 2027-01-15T08:00:00Z");
  EXPECT_EQ(patch_of(hold(healthy_app(), 2, std::nullopt))["spec"],
            json::parse(R"({"replicas":{"override":2,"overrideUntil":null}})"));
  for (const int count : {1, 11}) {
    EXPECT_EQ(refusal_of(hold(healthy_app(), count, std::nullopt)),
              "--hold=" + std::to_string(count) + ": must be from spec.replicas.min to spec.replicas.max, 2 to 10");
  }
}

TEST(Scale, ReleasesWhatIsHeld) {
  api::ScalableApp app = healthy_app();
  EXPECT_THAT(refusal_of(release(app)), HasSubstr("is not held"));
  app.spec.override_replicas = 8;
  EXPECT_EQ(patch_of(release(app))["spec"], json::parse(R"({"replicas":{"override":null,"overrideUntil":null}})"));
}

struct SteerTest : testing::Test {
  Result<Printed> pause_it(bool dry_run = false) {
    return steer(*client, clock, {"shop", "web"}, dry_run,
                 [](kube::Client&, const api::ScalableApp& app, WallTime) { return pause(app); });
  }
  JumpClock clock;
  Random random{1};
  AppServer server;
  std::unique_ptr<kube::Client> client = kube::make_client(server, clock, random);
};

TEST_F(SteerTest, WritesAsItselfAndSaysWhatKubectlSays) {
  const auto printed = pause_it();
  ASSERT_TRUE(printed) << printed.error().message;
  EXPECT_EQ(printed->out, "scalableapp.scalableapp.io/web paused\n");
  EXPECT_EQ(server.app["spec"]["rollout"]["paused"], true);
  ASSERT_EQ(server.requests.size(), 2U);
  EXPECT_EQ(server.requests[1].path_and_query,
            "/apis/scalableapp.io/v1alpha1/namespaces/shop/scalableapps/web?fieldManager=kubectl-scalableapp");
  EXPECT_EQ(server.requests[1].content_type, "application/merge-patch+json");
}

TEST_F(SteerTest, ADryRunPrintsThePatchAndWritesNothing) {
  const auto printed = pause_it(true);
  ASSERT_TRUE(printed);
  EXPECT_EQ(json::parse(printed->out),
            json::parse(R"({"metadata":{"resourceVersion":"41"},"spec":{"rollout":{"paused":true}}})"));
  EXPECT_THAT(printed->warnings, testing::ElementsAre("scalableapp.scalableapp.io/web paused (dry run)"));
  EXPECT_EQ(server.requests.size(), 1U);
}

TEST_F(SteerTest, LooksAgainWhereTheAppHasChangedMeanwhile) {
  server.on_patch = [&] {
    server.app["metadata"]["resourceVersion"] = "42";
    server.on_patch = nullptr;
  };
  EXPECT_TRUE(pause_it());
  EXPECT_EQ(server.app["spec"]["rollout"]["paused"], true);
  EXPECT_EQ(server.requests.size(), 4U);
}

TEST_F(SteerTest, GivesUpWhereItAlwaysChanges) {
  int version = 41;
  server.on_patch = [&] { server.app["metadata"]["resourceVersion"] = std::to_string(++version); };
  const auto printed = pause_it();
  ASSERT_FALSE(printed);
  EXPECT_EQ(printed.error().code, ErrorCode::kConflict);
  EXPECT_EQ(server.requests.size(), 10U);
}

TEST_F(SteerTest, AnAppThatIsNotThereIsNamed) {
  const auto printed = steer(*client, clock, {"shop", "api"}, false,
                             [](kube::Client&, const api::ScalableApp& app, WallTime) { return pause(app); });
  ASSERT_FALSE(printed);
  EXPECT_EQ(printed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(printed.error().message, HasSubstr("scalableapps shop/api"));
}

}  // namespace
}  // namespace scalableapp::plugin
