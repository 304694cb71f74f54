#include "operator/plugin/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/revision.h"
#include "tests/support/jump_clock.h"
#include "tests/support/steered_app.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string template_of(const char* image) {
  return json{{"spec", {{"containers", {{{"name", "web"}, {"image", image}}}}}}}.dump();
}

RevisionView with_template(std::string revision, std::int64_t number, const char* image) {
  RevisionView view = revision_view(std::move(revision), number, 0);
  view.template_json = template_of(image);
  view.replica_set.template_hash = api::template_hash(view.template_json);
  return view;
}

// new runs (web:2), old and older did.
std::vector<RevisionView> revisions() {
  return {with_template("new", 7, "web:2"), with_template("old", 4, "web:1"), with_template("older", 1, "web:0")};
}

std::string image_after(const Result<Edit>& edit) {
  if (!edit) return edit.error().message;
  if (edit->patch.empty()) return edit->done;
  const json operations = json::parse(edit->patch);
  EXPECT_EQ(operations[0], json::parse(R"({"op":"replace","path":"/metadata/resourceVersion","value":"41"})"));
  EXPECT_EQ(operations[1]["path"], "/spec/template");
  EXPECT_EQ(edit->kind, kube::PatchKind::kJson);
  return operations[1]["value"]["spec"]["containers"][0]["image"];
}

TEST(Undo, GoesToTheNewestOtherRevision) {
  EXPECT_EQ(image_after(undo(healthy_app(), revisions(), {})), "web:1");
  EXPECT_EQ(undo(healthy_app(), revisions(), {})->done, "rolled back to revision 4");
}

TEST(Undo, GoesToTheStableRevisionWhileThePresentOneHasNotBeenRolledOut) {
  for (api::ScalableApp app : {canary_app(), failed_app()}) {
    app.status.current_revision = "older";
    EXPECT_EQ(image_after(undo(app, revisions(), {})), "web:0");
  }
}

TEST(Undo, GoesBackAndForth) {
  api::ScalableApp app = healthy_app();
  app.status.current_revision = app.status.updated_revision = "old";
  app.spec.template_json = template_of("web:1");
  EXPECT_EQ(image_after(undo(app, revisions(), {})), "web:2");
}

TEST(Undo, GoesToTheNumberThatIsAskedFor) {
  EXPECT_EQ(image_after(undo(healthy_app(), revisions(), 1)), "web:0");
  EXPECT_EQ(image_after(undo(healthy_app(), revisions(), 7)),
            "skipped rollback (current template already matches revision 7)");
  EXPECT_EQ(image_after(undo(healthy_app(), revisions(), 5)), "there is no revision 5; there are: 7, 4, 1");
  EXPECT_EQ(image_after(undo(healthy_app(), {revisions()[0]}, {})), "no earlier revision of web is left");
}

TEST(Undo, RefusesWhatWouldBecomeAnotherRevision) {
  auto known = revisions();
  known[1].template_json = template_of("web:evil");
  EXPECT_THAT(image_after(undo(healthy_app(), known, {})), HasSubstr("revision 4 cannot be given back exactly"));
  known[1].template_json.clear();
  EXPECT_THAT(image_after(undo(healthy_app(), known, {})), HasSubstr("an older operator made it"));
  known[1].template_json = "{";
  EXPECT_THAT(image_after(undo(healthy_app(), known, {})), HasSubstr("cannot be given back exactly"));
}

TEST(Undo, OfAPausedRolloutSaysThatNothingMoves) {
  api::ScalableApp app = canary_app();
  app.spec.rollout.paused = true;
  const auto edit = undo(app, revisions(), {});
  ASSERT_TRUE(edit);
  EXPECT_THAT(edit->notes, testing::ElementsAre(HasSubstr("nothing moves until resume web")));
}

TEST(Undo, GivesBackTheTemplateOfTheReplicaSetThatTheOperatorMakes) {
  AppServer server;
  const api::ScalableApp before = api::decode_scalable_app(server.app).value();
  json made = json::parse(api::replica_set_body(before, "old", 2));
  // As the API server defaults it.
  made["metadata"]["creationTimestamp"] = "2027-01-15T07:00:00Z";
  made["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst";
  made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent";
  json of_another_app = made;
  of_another_app["metadata"]["ownerReferences"][0]["uid"] = "u2";
  server.replica_sets = {made, of_another_app};
  server.app["spec"]["template"]["spec"]["containers"][0]["image"] = "web:3";
  server.app["spec"]["template"]["metadata"]["labels"]["new"] = "yes";

  JumpClock clock;
  Random random{1};
  const auto client = kube::make_client(server, clock, random);
  const auto app = fetch_app(*client, {"shop", "web"});
  ASSERT_TRUE(app);
  const auto found = fetch_revisions(*client, *app);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(server.requests.back().path_and_query,
            "/apis/apps/v1/namespaces/shop/replicasets?labelSelector=scalableapp.io%2Fname%3Dweb");
  const auto edit = undo(*app, *found, {});
  ASSERT_TRUE(edit) << edit.error().message;
  EXPECT_EQ(json::parse(edit->patch)[1]["value"].dump(), before.spec.template_json);
}

TEST(History, ListsRevisionsWithTheirPartAndCause) {
  auto known = revisions();
  known[0].change_cause = "web:2";
  known[0].replica_set.spec_replicas = 1;
  const std::string table = history_table(failed_app(), known);
  EXPECT_THAT(table, testing::ContainsRegex("REVISION +NAME +REPLICAS +CREATED +STATE +CHANGE-CAUSE"));
  EXPECT_THAT(table, testing::ContainsRegex(" +1 +web-older +0 +2027-01-14T23:00:00Z +- +<none>\n"));
  EXPECT_THAT(table, testing::ContainsRegex(" +4 +web-old +0 +[^ ]+ +stable +<none>\n"));
  EXPECT_THAT(table, testing::ContainsRegex(" +7 +web-new +1 +[^ ]+ +failed +web:2\n$"));
  EXPECT_EQ(history_table(failed_app(), {}), "No revisions of web yet.\n");
}

TEST(History, ShowsTheTemplateOfOne) {
  const auto shown = history_template(revisions(), 4);
  ASSERT_TRUE(shown);
  EXPECT_EQ(json::parse(*shown).dump(), template_of("web:1"));
  EXPECT_EQ(history_template(revisions(), 2).error().message, "there is no revision 2; there are: 7, 4, 1");
}

}  // namespace
}  // namespace scalableapp::plugin
