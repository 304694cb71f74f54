#include "operator/controller/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/platform/log.h"
#include "tests/support/fake_api.h"

namespace scalableapp::controller {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kStable = "spec.rollout.canary.stableService";

// An app with a Canary, and the cluster that it is in.
class Traffic : public testing::Test {
 protected:
  Traffic() {
    configure_log(LogLevel::kError, LogFormat::kText);
    app.metadata = {.name = "web", .namespace_name = "shop"};
    app.spec.rollout.strategy = api::RolloutStrategy::kCanary;
    app.spec.rollout.canary = {.stable_service = "web-stable", .canary_service = "web-canary"};
  }
  void put_service(const std::string& name, json selector = {{"scalableapp.io/name", "web"}}) {
    const json object{{"metadata", {{"name", name}}},
                      {"spec", {{"selector", std::move(selector)}, {"clusterIP", "None"}}}};
    ASSERT_TRUE(cluster.create(kube::kServices, "shop", object.dump()));
  }
  void remove_service(const std::string& name) {
    (void)cluster.remove(kube::kServices, {"shop", name}, {}, kube::Propagation::kBackground);
  }
  void put_both() {
    put_service("web-stable");
    put_service("web-canary");
  }
  // A rule with the two Services, one with another, and one that redirects.
  void put_route() {
    app.spec.rollout.canary.http_route = "web";
    const json object{{"metadata", {{"name", "web"}}}, {"spec", json::parse(R"({
      "hostnames":["web.example"],
      "rules":[{"backendRefs":[{"name":"web-stable","port":80},{"name":"web-canary","port":80,"weight":0},
                               {"name":"web-canary","kind":"Bucket","group":"storage.example","weight":7}],
                "timeouts":{"request":"1s"}},
               {"backendRefs":[{"name":"other","port":80,"weight":3}]},
               {"filters":[{"type":"RequestRedirect"}]}]})")}};
    ASSERT_TRUE(cluster.create(kube::kHttpRoutes, "shop", object.dump()));
  }
  json object(const kube::ResourceType& type, const std::string& name) {
    const auto found = cluster.get(type, {"shop", name});
    return found ? json::parse(*found) : json();
  }
  json selector(const std::string& name) { return object(kube::kServices, name)["spec"]["selector"]; }
  std::string revision(const std::string& name) { return selector(name).value("scalableapp.io/revision", ""); }
  // "100/0": of the first rule.
  std::string weights() {
    const json backends = object(kube::kHttpRoutes, "web")["spec"]["rules"][0]["backendRefs"];
    return fmt::format("{}/{}", backends[0].value("weight", 1), backends[1].value("weight", 1));
  }
  // Somebody else writes.
  void patch(const kube::ResourceType& type, const std::string& name, const json& body) {
    ASSERT_TRUE(cluster.patch(type, {"shop", name}, body.dump(), kube::PatchKind::kMerge, {}, {}));
  }
  void set_weights(int stable, int canary) {
    json rules = object(kube::kHttpRoutes, "web")["spec"]["rules"];
    rules[0]["backendRefs"][0]["weight"] = stable;
    rules[0]["backendRefs"][1]["weight"] = canary;
    patch(kube::kHttpRoutes, "web", {{"spec", {{"rules", rules}}}});
  }
  Result<TrafficState> route(const rollout::Routing& routing) {
    calls_before = cluster.calls().size();
    return route_traffic(cluster, now, app, routing, memory);
  }
  std::string problem(const rollout::Routing& routing) {
    const auto state = route(routing);
    return state ? state->problem : "error: " + state.error().message;
  }
  // The calls of the last route(), those of a verb only if one is given.
  std::vector<std::string> calls(std::string_view verb = {}) {
    const auto all = cluster.calls();
    std::vector<std::string> fresh(all.begin() + static_cast<std::ptrdiff_t>(calls_before), all.end());
    std::erase_if(fresh, [&](const auto& call) { return !call.starts_with(verb); });
    return fresh;
  }

  kube::FakeApi cluster;
  api::ScalableApp app;
  TrafficMemory memory;
  MonotonicTime now{seconds{1000}};
  std::size_t calls_before = 0;
  const rollout::Routing old_and_new{.stable_revision = "old", .updated_revision = "new"};
};

TEST_F(Traffic, ServicesGetTheRevisionAndKeepTheirOtherKeys) {
  put_service("web-stable", {{"scalableapp.io/name", "web"}, {"tier", "front"}});
  put_service("web-canary");
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_EQ(selector("web-stable"),
            (json{{"scalableapp.io/name", "web"}, {"tier", "front"}, {"scalableapp.io/revision", "old"}}));
  EXPECT_EQ(revision("web-canary"), "new");
  EXPECT_EQ(object(kube::kServices, "web-canary")["spec"]["clusterIP"], "None");
}

TEST_F(Traffic, ABlueGreenHasItsOwnServices) {
  app.spec.rollout.strategy = api::RolloutStrategy::kBlueGreen;
  app.spec.rollout.blue_green = {.active_service = "web", .preview_service = "preview"};
  put_service("web");
  put_service("preview");
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_EQ(revision("web"), "old");
  EXPECT_EQ(revision("preview"), "new");
  app.spec.rollout.blue_green.active_service = "gone";
  EXPECT_THAT(problem(old_and_new), HasSubstr("spec.rollout.blueGreen.activeService: Service gone does not exist"));
}

TEST_F(Traffic, WhatTheRoutingLeavesOutIsLeftAlone) {
  put_both();
  put_route();
  EXPECT_EQ(problem({.stable_revision = "old"}), "");
  EXPECT_THAT(calls(), ElementsAre("get services shop/web-stable", "patch services shop/web-stable"));
}

TEST_F(Traffic, ARollingUpdateAsksNothing) {
  app.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  const auto state = route(old_and_new);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->next, milliseconds::max());
  EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(Traffic, WhatIsAsItShouldBeIsNotWrittenAndNotLookedAtForAMinute) {
  put_both();
  EXPECT_EQ(problem(old_and_new), "");
  now += seconds{20};
  EXPECT_EQ(route(old_and_new)->next, seconds{40});
  EXPECT_THAT(calls(), IsEmpty());
  now += seconds{40};
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_THAT(calls(), ElementsAre("get services shop/web-stable", "get services shop/web-canary"));
}

TEST_F(Traffic, WhatOthersTookAwayComesBackWithinAMinute) {
  put_both();
  put_route();
  rollout::Routing routing = old_and_new;
  routing.weight = 20;
  EXPECT_EQ(problem(routing), "");
  patch(kube::kServices, "web-stable", {{"spec", {{"selector", {{"scalableapp.io/revision", nullptr}}}}}});
  set_weights(1, 1);
  now += kTrafficRecheck;
  EXPECT_EQ(problem(routing), "");
  EXPECT_EQ(revision("web-stable"), "old");
  EXPECT_EQ(weights(), "80/20");
  EXPECT_THAT(calls("patch"), ElementsAre("patch services shop/web-stable", "patch httproutes shop/web"));
}

TEST_F(Traffic, AMissingServiceIsToldAndLookedForEveryTenSeconds) {
  put_service("web-canary");
  const auto state = route(old_and_new);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->problem, "spec.rollout.canary.stableService: Service web-stable does not exist; create it with the "
                            "app's selector scalableapp.io/name=web");
  EXPECT_EQ(state->next, kTrafficRetry);
  EXPECT_EQ(revision("web-canary"), "") << "it ends there";
  now += seconds{9};
  EXPECT_THAT(problem(old_and_new), HasSubstr("does not exist"));
  EXPECT_THAT(calls(), IsEmpty());
  put_service("web-stable");
  now += seconds{1};
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_EQ(revision("web-stable"), "old");
}

TEST_F(Traffic, AServiceThatSelectsNothingOfTheAppIsNotPointedAtARevisionAlone) {
  put_service("web-canary");
  for (const json& wrong :
       {json::object(), json{{"scalableapp.io/revision", "old"}}, json{{"scalableapp.io/name", "cart"}}}) {
    remove_service("web-stable");
    put_service("web-stable", wrong);
    memory = {};
    EXPECT_THAT(problem(old_and_new), AllOf(HasSubstr(kStable), HasSubstr("does not select"))) << wrong;
    EXPECT_EQ(selector("web-stable"), wrong);
  }
  remove_service("web-stable");
  put_service("web-stable", {{"app", "web"}});
  memory = {};
  EXPECT_EQ(problem(old_and_new), "") << "a label of the template does as well";
}

TEST_F(Traffic, WhatIsForbiddenIsToldAsAProblem) {
  put_both();
  cluster.set_fault([](std::string_view verb) -> Result<void> {
    if (verb == "patch") return fail(ErrorCode::kForbidden, "cannot patch resource services");
    return {};
  });
  EXPECT_THAT(problem(old_and_new), AllOf(HasSubstr(kStable), HasSubstr("role"), HasSubstr("cannot patch")));
}

TEST_F(Traffic, AnErrorThatMayPassIsRetriedAtOnce) {
  put_both();
  cluster.set_fault([](std::string_view) -> Result<void> { return fail(ErrorCode::kUnavailable, "no connection"); });
  EXPECT_EQ(problem(old_and_new), "error: no connection");
  cluster.set_fault({});
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_EQ(revision("web-canary"), "new");
}

TEST_F(Traffic, OnlyTheTwoWeightsOfTheRouteChange) {
  put_both();
  put_route();
  json wanted = object(kube::kHttpRoutes, "web")["spec"];
  wanted["rules"][0]["backendRefs"][0]["weight"] = 70;
  wanted["rules"][0]["backendRefs"][1]["weight"] = 30;
  rollout::Routing routing = old_and_new;
  routing.weight = 30;
  EXPECT_EQ(problem(routing), "");
  EXPECT_EQ(object(kube::kHttpRoutes, "web")["spec"], wanted);
  memory = {};  // Another process.
  EXPECT_EQ(problem(routing), "");
  EXPECT_THAT(calls("patch"), IsEmpty());
}

TEST_F(Traffic, NoServiceIsSentTrafficBeforeItsPodsAreMeantToHaveIt) {
  put_both();
  put_route();
  rollout::Routing routing = old_and_new;
  routing.weight = 20;
  EXPECT_EQ(problem(routing), "");
  EXPECT_THAT(calls("patch"), ElementsAre("patch services shop/web-stable", "patch services shop/web-canary",
                                          "patch httproutes shop/web"))
      << "weights that rise come last";
  routing = {.stable_revision = "old", .updated_revision = "newer", .weight = 0};
  EXPECT_EQ(problem(routing), "");
  EXPECT_THAT(calls("patch"), ElementsAre("patch httproutes shop/web", "patch services shop/web-canary"))
      << "the next revision has no pods yet";
  routing.weight = 100;
  EXPECT_EQ(problem(routing), "");
  routing = {.stable_revision = "newer", .updated_revision = "newer", .weight = 0};
  EXPECT_EQ(problem(routing), "");
  EXPECT_THAT(calls("patch"), ElementsAre("patch services shop/web-stable", "patch httproutes shop/web"))
      << "the stable Service has them before all traffic comes back to it";
}

TEST_F(Traffic, ARouteThatChangesMeanwhileIsReadAgain) {
  put_both();
  put_route();
  rollout::Routing routing = old_and_new;
  routing.weight = 20;
  ASSERT_EQ(problem(routing), "");
  cluster.set_fault([&](std::string_view verb) -> Result<void> {
    if (verb == "patch") return fail(ErrorCode::kConflict, "the object has been modified");
    return {};
  });
  routing.weight = 40;
  EXPECT_EQ(problem(routing), "error: the object has been modified");
  EXPECT_EQ(weights(), "80/20");
  cluster.set_fault({});
  EXPECT_EQ(problem(routing), "");
  EXPECT_EQ(weights(), "60/40");
}

TEST_F(Traffic, ARouteThatIsMissingUnknownOrNamesOneServiceOnlyIsTold) {
  put_both();
  rollout::Routing routing = old_and_new;
  routing.weight = 20;
  app.spec.rollout.canary.http_route = "web";
  EXPECT_THAT(problem(routing), HasSubstr("spec.rollout.canary.httpRoute: HTTPRoute web does not exist; create it"));

  put_route();
  json rules = object(kube::kHttpRoutes, "web")["spec"]["rules"];
  rules[0]["backendRefs"].erase(0);
  patch(kube::kHttpRoutes, "web", {{"spec", {{"rules", rules}}}});
  now += kTrafficRetry;
  EXPECT_THAT(problem(routing), HasSubstr("spec.rollout.canary.httpRoute: no rule of HTTPRoute web has backendRefs to "
                                          "both web-stable and web-canary"));
  EXPECT_EQ(revision("web-canary"), "") << "it ends there";

  int gets = 0;
  cluster.set_fault([&](std::string_view verb) -> Result<void> {
    if (verb == "get" && ++gets == 2) return fail(ErrorCode::kNotFound, "404 page not found (HTTP 404)");
    return {};
  });
  now += kTrafficRetry;
  EXPECT_THAT(problem(routing), HasSubstr("install the Gateway API's CRDs"));
}

TEST_F(Traffic, AServiceThatIsNotNamedAnyMoreIsLetGo) {
  put_both();
  EXPECT_EQ(problem(old_and_new), "");
  patch(kube::kServices, "web-canary", {{"spec", {{"selector", {{"scalableapp.io/revision", "by-hand"}}}}}});
  app.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  EXPECT_EQ(problem({}), "");
  EXPECT_EQ(selector("web-stable"), (json{{"scalableapp.io/name", "web"}}));
  EXPECT_EQ(revision("web-canary"), "by-hand") << "what others have set is theirs";
  EXPECT_EQ(problem({}), "");
  EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(Traffic, AnotherNameIsServedBeforeTheOldOneIsLetGo) {
  put_both();
  EXPECT_EQ(problem(old_and_new), "");
  app.spec.rollout.canary.stable_service = "web";
  EXPECT_THAT(problem(old_and_new), HasSubstr("Service web does not exist"));
  put_service("web");
  now += kTrafficRetry;
  EXPECT_EQ(problem(old_and_new), "");
  EXPECT_EQ(revision("web"), "old");
  EXPECT_EQ(revision("web-stable"), "");
}

}  // namespace
}  // namespace scalableapp::controller
