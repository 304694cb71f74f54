#include "operator/controller/disruption_budget.h"

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

TEST(MinAvailable, IsWhatARolloutWouldLeave) {
  struct Case {
    api::IntOrPercent max_unavailable;
    int desired;
    int want;
  };
  const Case cases[] = {
      {{25, true}, 0, 0}, {{25, true}, 1, 1}, {{25, true}, 3, 3},  {{25, true}, 4, 3},  {{25, true}, 10, 8},
      {{0, false}, 5, 5}, {{2, false}, 5, 3}, {{9, false}, 5, 0}, {{100, true}, 5, 0},
  };
  for (const Case& one : cases) {
    api::RolloutSpec spec;
    spec.max_unavailable = one.max_unavailable;
    EXPECT_EQ(min_available(spec, one.desired), one.want) << one.max_unavailable.value << " of " << one.desired;
  }
  api::RolloutSpec neither;
  neither.max_surge = neither.max_unavailable = {0, false};
  EXPECT_EQ(min_available(neither, 5), 4) << "both cannot be nothing";
}

// An app of four and the cluster that it is in.
class Budget : public testing::Test {
 protected:
  Budget() {
    configure_log(LogLevel::kError, LogFormat::kText);
    app.metadata = {.name = "web", .namespace_name = "shop", .uid = "app-uid"};
    app.spec.rollout.max_unavailable = {1, false};
    app.spec.template_json = R"({"metadata":{"labels":{"team":"shop"}},"spec":{}})";
  }
  Result<BudgetState> keep(int desired) {
    calls_before = cluster.calls().size();
    return keep_disruption_budget(cluster, now, app, desired, memory);
  }
  std::vector<std::string> calls() const {
    const auto all = cluster.calls();
    return {all.begin() + static_cast<std::ptrdiff_t>(calls_before), all.end()};
  }
  json budget() const {
    for (const json& one : cluster.objects("poddisruptionbudgets")) {
      if (one["metadata"]["name"] == "web") return one;
    }
    return {};
  }
  json number() const {
    const json found = budget();
    return found.is_null() ? found : found["spec"]["minAvailable"];
  }
  void put(const std::string& name, const json& spec, const json& owners = json::array()) {
    const json object{{"metadata", {{"name", name}, {"ownerReferences", owners}}}, {"spec", spec}};
    ASSERT_TRUE(cluster.create(kube::kPodDisruptionBudgets, "shop", object.dump()));
  }
  void remove(const std::string& name) {
    (void)cluster.remove(kube::kPodDisruptionBudgets, {"shop", name}, {}, kube::Propagation::kBackground);
  }
  void refuse(std::string_view refused, ErrorCode code) {
    cluster.set_fault([=](std::string_view verb) -> Result<void> {
      if (verb == refused) return fail(code, "injected");
      return {};
    });
  }

  kube::FakeApi cluster;
  api::ScalableApp app;
  BudgetMemory memory;
  MonotonicTime now{seconds{1000}};
  std::size_t calls_before = 0;
};

TEST_F(Budget, TheAppsBudgetIsMadeForItsPodsAndOwnedByIt) {
  const auto state = keep(4);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->problem, "");
  EXPECT_EQ(state->next, kBudgetRecheck);
  EXPECT_EQ(budget()["spec"], json::parse(R"({"minAvailable":3,"unhealthyPodEvictionPolicy":"AlwaysAllow",
                                              "selector":{"matchLabels":{"scalableapp.io/name":"web"}}})"));
  EXPECT_EQ(budget()["metadata"]["ownerReferences"], json::parse(R"([{"apiVersion":"scalableapp.io/v1alpha1",
      "kind":"ScalableApp","name":"web","uid":"app-uid","controller":true,"blockOwnerDeletion":true}])"));
}

TEST_F(Budget, ItFollowsTheCountAndIsOnlyWrittenWhenTheNumberChanges) {
  ASSERT_TRUE(keep(4));
  now += seconds{30};
  ASSERT_TRUE(keep(4));
  EXPECT_THAT(calls(), IsEmpty());
  ASSERT_TRUE(keep(0));
  EXPECT_EQ(number(), 0);
  EXPECT_THAT(calls(), ElementsAre("apply poddisruptionbudgets shop/web"));
}

TEST_F(Budget, ANumberThatRisesWaitsAndOneThatFallsDoesNot) {
  ASSERT_TRUE(keep(4));
  now += seconds{1};
  EXPECT_EQ(keep(6)->next, seconds{4});
  EXPECT_EQ(number(), 3);
  now += seconds{1};
  ASSERT_TRUE(keep(3));
  EXPECT_EQ(number(), 2);
  now += seconds{4};
  EXPECT_EQ(keep(8)->next, seconds{1});
  now += seconds{1};
  ASSERT_TRUE(keep(9));
  EXPECT_EQ(number(), 8) << "what came meanwhile is one write";
}

TEST_F(Budget, WhatOthersChangedOrDeletedComesBackWithinFiveMinutes) {
  ASSERT_TRUE(keep(4));
  const json change{{"spec", {{"unhealthyPodEvictionPolicy", "IfHealthyBudget"}}}};
  const auto done =
      cluster.patch(kube::kPodDisruptionBudgets, {"shop", "web"}, change.dump(), kube::PatchKind::kMerge, {}, {});
  ASSERT_TRUE(done);
  now += kBudgetRecheck;
  ASSERT_TRUE(keep(4));
  EXPECT_EQ(budget()["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");

  remove("web");
  now += kBudgetRecheck;
  ASSERT_TRUE(keep(4));
  EXPECT_EQ(number(), 3);
  now += kBudgetRecheck;
  ASSERT_TRUE(keep(4));
  EXPECT_THAT(calls(), ElementsAre("get poddisruptionbudgets shop/web"));
}

TEST_F(Budget, OneThatWasReplacedSinceIsNotTakenOver) {
  ASSERT_TRUE(keep(4));
  remove("web");
  put("web", {{"maxUnavailable", 1}});
  EXPECT_EQ(keep(2).error().code, ErrorCode::kConflict);
  EXPECT_THAT(keep(2)->problem, HasSubstr("exists and is not the app's"));
  EXPECT_EQ(budget()["spec"], (json{{"maxUnavailable", 1}}));
}

TEST_F(Budget, NoneIsMadeWhereAnotherSelectsTheSamePods) {
  struct Case {
    const char* selector;
    bool want;
  };
  const Case cases[] = {
      {R"({"matchLabels":{"team":"shop"}})", true},
      {R"({"matchLabels":{"scalableapp.io/name":"web"}})", true},
      {R"({})", true},
      {"null", false},
      {R"({"matchLabels":{"team":"shop","tier":"back"}})", false},
      {R"({"matchLabels":{"scalableapp.io/name":"cart"}})", false},
      {R"({"matchExpressions":[{"key":"team","operator":"In","values":["shop","ads"]}]})", true},
      {R"({"matchExpressions":[{"key":"team","operator":"In","values":["ads"]}]})", false},
      {R"({"matchExpressions":[{"key":"team","operator":"NotIn","values":["shop"]}]})", false},
      {R"({"matchExpressions":[{"key":"tier","operator":"NotIn","values":["back"]}]})", true},
      {R"({"matchExpressions":[{"key":"scalableapp.io/revision","operator":"Exists"}]})", true},
      {R"({"matchExpressions":[{"key":"team","operator":"DoesNotExist"}]})", false},
      {R"({"matchLabels":{"team":"shop"},"matchExpressions":[{"key":"tier","operator":"Exists"}]})", false},
  };
  for (const Case& one : cases) {
    remove("other");
    remove("web");
    put("other", {{"minAvailable", 1}, {"selector", json::parse(one.selector)}});
    memory = {};
    const auto state = keep(4);
    ASSERT_TRUE(state);
    EXPECT_EQ(number().is_null(), one.want) << one.selector;
    EXPECT_EQ(state->reason, one.want ? "PodDisruptionBudgetConflict" : "") << one.selector;
    if (!one.want) continue;
    EXPECT_THAT(state->problem, AllOf(HasSubstr("other selects"), HasSubstr("spec.disruptionBudget: None")));
  }
}

TEST_F(Budget, AConflictIsToldUntilItIsFoundGone) {
  put("web", {{"minAvailable", 1}});
  EXPECT_EQ(keep(4)->reason, "PodDisruptionBudgetConflict");
  remove("web");
  now += seconds{10};
  EXPECT_EQ(keep(2)->reason, "PodDisruptionBudgetConflict");
  EXPECT_THAT(calls(), IsEmpty());
  now += kBudgetRecheck;
  EXPECT_EQ(keep(4)->reason, "");
  EXPECT_EQ(number(), 3);
}

TEST_F(Budget, TheBudgetOfAnEarlierAppOfTheNameIsWaitedFor) {
  put("web", {{"minAvailable", 1}},
      {{{"kind", "ScalableApp"}, {"name", "web"}, {"uid", "earlier"}, {"controller", true}}});
  EXPECT_EQ(keep(4)->problem, "");
  EXPECT_EQ(keep(4)->next, kBudgetLeftover);
  EXPECT_EQ(number(), 1);
  remove("web");
  now += kBudgetLeftover;
  ASSERT_TRUE(keep(4));
  EXPECT_EQ(number(), 3);
}

TEST_F(Budget, NoneTakesOursAwayAndLooksOnceOnly) {
  ASSERT_TRUE(keep(4));
  app.spec.disruption_budget = api::DisruptionBudget::kNone;
  memory = {};  // Another process.
  EXPECT_EQ(keep(4)->next, milliseconds::max());
  EXPECT_TRUE(budget().is_null());
  now += std::chrono::hours{1};
  ASSERT_TRUE(keep(5));
  EXPECT_THAT(calls(), IsEmpty());
  app.spec.disruption_budget = api::DisruptionBudget::kManaged;
  ASSERT_TRUE(keep(5));
  EXPECT_EQ(number(), 4);
}

TEST_F(Budget, NoneLeavesWhatIsNotOurs) {
  app.spec.disruption_budget = api::DisruptionBudget::kNone;
  put("web", {{"minAvailable", 1}});
  ASSERT_TRUE(keep(4));
  EXPECT_EQ(number(), 1);
}

TEST_F(Budget, WhatIsRefusedIsToldAndWhatMayPassIsAnError) {
  refuse("apply", ErrorCode::kForbidden);
  EXPECT_EQ(keep(4)->reason, "PodDisruptionBudgetRefused");
  EXPECT_EQ(keep(3)->problem, "injected");
  EXPECT_THAT(calls(), IsEmpty()) << "not at every change";
  now += kBudgetRecheck;
  refuse("apply", ErrorCode::kUnavailable);
  EXPECT_EQ(keep(4).error().code, ErrorCode::kUnavailable);
  cluster.set_fault({});
  EXPECT_EQ(keep(4)->problem, "");
  EXPECT_EQ(number(), 3);
  app.spec.disruption_budget = api::DisruptionBudget::kNone;
  refuse("remove", ErrorCode::kTimeout);
  EXPECT_FALSE(keep(4));
  cluster.set_fault({});
  EXPECT_TRUE(keep(4));
  EXPECT_TRUE(budget().is_null());
}

}  // namespace
}  // namespace scalableapp::controller
