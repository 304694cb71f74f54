// Services, HTTPRoutes and PodDisruptionBudgets on a real kube-apiserver with its controllers, which KUBECONFIG names:
// what kubectl, server-side apply and the eviction API make of them. SCALABLEAPP_TEST_GATEWAY_API is the file of
// HTTPRoute's CRD; without it the test of those is left out.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "operator/controller/disruption_budget.h"
#include "operator/controller/traffic.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"

namespace scalableapp::controller {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr seconds kPatience{60};
constexpr kube::ResourceType kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};

class ControllerIntegration : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = kube::process_environment()("KUBECONFIG").value_or("");
    if (path.empty()) GTEST_SKIP() << "KUBECONFIG names no API server";
    transport_ = kube::make_cpprest_transport(kube::kubeconfig(path).value().endpoint, clock_).value();
    client_ = kube::make_client(*transport_, clock_, random_);
    namespace_ = "controller-it-" + random_.hex_suffix();
    kubectl("create namespace " + namespace_);
    if (!client_->get(kServiceAccounts, {"default", "default"})) {
      GTEST_SKIP() << "no controllers: scripts/apiserver run --with-controller-manager";
    }
    app_.metadata = {.name = "web", .namespace_name = namespace_, .uid = "1"};
  }
  void TearDown() override {
    if (client_) static_cast<void>(client_->remove(kube::kNamespaces, {"", namespace_}));
  }

  // What it prints, with its exit code last.
  static std::string run(const std::string& command) {
    const std::string file = testing::TempDir() + "/controller_integration_output";
    const int code = std::system(fmt::format("{{ {}; }} >{} 2>&1", command, file).c_str());
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return fmt::format("{}exit {}", text.str(), WEXITSTATUS(code));
  }
  void kubectl(const std::string& arguments) {
    ASSERT_THAT(run("kubectl " + arguments), testing::EndsWith("exit 0")) << arguments;
  }
  std::string apply(const json& manifest, const std::string& flags = {}) {
    const std::string file = testing::TempDir() + "/controller_integration_manifest.json";
    std::ofstream(file) << manifest;
    return run(fmt::format("kubectl -n {} apply {} -f {}", namespace_, flags, file));
  }
  json object(const kube::ResourceType& type, const std::string& name) {
    const auto found = client_->get(type, {namespace_, name});
    return found ? json::parse(*found) : json();
  }
  template <typename Done>
  bool becomes_true(Done done) {
    const MonotonicTime give_up = clock_.monotonic_now() + kPatience;
    while (!done()) {
      if (clock_.monotonic_now() > give_up) return false;
      sleep_for(clock_, milliseconds(50), {});
    }
    return true;
  }

  static json service(const std::string& name, const json& selector = {{"scalableapp.io/name", "web"}}) {
    return {{"apiVersion", "v1"},
            {"kind", "Service"},
            {"metadata", {{"name", name}}},
            {"spec", {{"selector", selector}, {"ports", json::array({{{"port", 80}}})}}}};
  }
  json selector(const std::string& name) { return object(kube::kServices, name)["spec"]["selector"]; }
  void use_canary() {
    app_.spec.rollout.strategy = api::RolloutStrategy::kCanary;
    app_.spec.rollout.canary = {.stable_service = "web-stable", .canary_service = "web-canary"};
  }
  // What is wrong with the traffic, as another process sees it.
  std::string problem(const rollout::Routing& routing) {
    traffic_ = {.revisions = traffic_.revisions};
    const auto state = route_traffic(*client_, clock_.monotonic_now(), app_, routing, traffic_);
    return state ? state->problem : "error: " + state.error().message;
  }

  SystemClock clock_;
  Random random_;
  std::unique_ptr<kube::HttpTransport> transport_;
  std::unique_ptr<kube::Client> client_;
  std::string namespace_;
  api::ScalableApp app_;
  TrafficMemory traffic_;
  const rollout::Routing old_and_new_{.stable_revision = "old", .updated_revision = "new"};
};

TEST_F(ControllerIntegration, ARevisionInASelectorOutlivesAnApplyOfTheManifest) {
  use_canary();
  EXPECT_THAT(problem(old_and_new_), HasSubstr("Service web-stable does not exist"));
  apply(service("web-stable", {{"scalableapp.io/name", "web"}, {"tier", "front"}}));
  apply(service("web-canary"));
  EXPECT_EQ(problem(old_and_new_), "");
  EXPECT_EQ(selector("web-stable"),
            (json{{"scalableapp.io/name", "web"}, {"tier", "front"}, {"scalableapp.io/revision", "old"}}));
  const json version = object(kube::kServices, "web-stable")["metadata"]["resourceVersion"];
  EXPECT_EQ(problem(old_and_new_), "");
  EXPECT_EQ(object(kube::kServices, "web-stable")["metadata"]["resourceVersion"], version);

  json manifest = service("web-stable", {{"scalableapp.io/name", "web"}, {"tier", "back"}});
  manifest["spec"]["ports"][0]["targetPort"] = 8080;
  EXPECT_THAT(apply(manifest), HasSubstr("configured"));
  EXPECT_EQ(selector("web-stable"),
            (json{{"scalableapp.io/name", "web"}, {"tier", "back"}, {"scalableapp.io/revision", "old"}}));

  app_.spec.rollout.strategy = api::RolloutStrategy::kRolling;
  EXPECT_EQ(problem({}), "");
  EXPECT_EQ(selector("web-stable"), (json{{"scalableapp.io/name", "web"}, {"tier", "back"}}));
  EXPECT_EQ(selector("web-canary"), (json{{"scalableapp.io/name", "web"}}));
}

TEST_F(ControllerIntegration, AServerSideApplyOfTheManifestIsAConflictAndIsMendedWhereItIsForced) {
  use_canary();
  apply(service("web-stable"), "--server-side");
  apply(service("web-canary"), "--server-side");
  EXPECT_EQ(problem(old_and_new_), "");
  EXPECT_THAT(apply(service("web-stable"), "--server-side"), AllOf(HasSubstr("conflict"), HasSubstr(".spec.selector")));
  EXPECT_EQ(selector("web-stable")["scalableapp.io/revision"], "old");
  EXPECT_THAT(apply(service("web-stable"), "--server-side --force-conflicts"), HasSubstr("serverside-applied"));
  EXPECT_EQ(selector("web-stable"), (json{{"scalableapp.io/name", "web"}}));
  EXPECT_EQ(problem(old_and_new_), "");
  EXPECT_EQ(selector("web-stable")["scalableapp.io/revision"], "old");
}

TEST_F(ControllerIntegration, TheWeightsOfAnHttpRouteFollowTheRollout) {
  const std::string crd = kube::process_environment()("SCALABLEAPP_TEST_GATEWAY_API").value_or("");
  if (crd.empty()) GTEST_SKIP() << "SCALABLEAPP_TEST_GATEWAY_API names no file";
  use_canary();
  apply(service("web-stable"));
  apply(service("web-canary"));
  app_.spec.rollout.canary.http_route = "web";
  rollout::Routing routing = old_and_new_;
  routing.weight = 20;
  EXPECT_THAT(problem(routing), HasSubstr("install the Gateway API's CRDs"));
  kubectl("create -f " + crd);
  EXPECT_TRUE(becomes_true([&] { return problem(routing).find("HTTPRoute web does not exist") != std::string::npos; }))
      << problem(routing);

  const json manifest = json::parse(R"({
    "apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"web"},
    "spec":{"parentRefs":[{"name":"gateway"}],"hostnames":["web.example"],
      "rules":[{"matches":[{"path":{"type":"PathPrefix","value":"/api"}}],"timeouts":{"request":"1s"},
                "backendRefs":[{"name":"web-stable","port":80},{"name":"web-canary","port":80,"weight":0}]},
               {"backendRefs":[{"name":"other","port":80}]}]}})");
  EXPECT_THAT(apply(manifest), HasSubstr("created"));
  json wanted = object(kube::kHttpRoutes, "web")["spec"];
  wanted["rules"][0]["backendRefs"][0]["weight"] = 80;
  wanted["rules"][0]["backendRefs"][1]["weight"] = 20;
  EXPECT_EQ(problem(routing), "");
  EXPECT_EQ(object(kube::kHttpRoutes, "web")["spec"], wanted);
  const json version = object(kube::kHttpRoutes, "web")["metadata"]["resourceVersion"];
  EXPECT_EQ(problem(routing), "");
  EXPECT_EQ(object(kube::kHttpRoutes, "web")["metadata"]["resourceVersion"], version) << "as it should be: not written";

  json changed = manifest;
  changed["spec"]["hostnames"] = {"web.example", "www.example"};
  EXPECT_THAT(apply(changed), HasSubstr("configured"));
  EXPECT_EQ(problem(routing), "");
  wanted["hostnames"] = changed["spec"]["hostnames"];
  EXPECT_EQ(object(kube::kHttpRoutes, "web")["spec"], wanted);

  changed["spec"]["rules"][0]["backendRefs"].erase(0);
  apply(changed);
  EXPECT_THAT(problem(routing), HasSubstr("no rule of HTTPRoute web has backendRefs to both"));
}

// With an app that exists, since the garbage collector runs.
class DisruptionBudget : public ControllerIntegration {
 protected:
  void SetUp() override {
    ControllerIntegration::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    kubectl("apply -f " SCALABLEAPP_SOURCE_DIR "/crds");
    const json manifest = json::parse(R"({"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp",
      "metadata":{"name":"web"},"spec":{"replicas":{"min":1,"max":4},
      "template":{"metadata":{"labels":{"team":"shop"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    ASSERT_TRUE(becomes_true([&] { return apply(manifest).ends_with("exit 0"); })) << apply(manifest);
    app_ = api::decode_scalable_app(object(kube::kScalableApps, "web")).value();
    ASSERT_TRUE(becomes_true([&] { return !object(kServiceAccounts, "default").is_null(); }));
  }

  BudgetState keep(int desired) {
    memory_.written_at.reset();
    const auto state = keep_disruption_budget(*client_, clock_.monotonic_now(), app_, desired, memory_);
    EXPECT_TRUE(state) << state.error().message;
    return state.value_or(BudgetState{});
  }
  void create_pod(const std::string& name) {
    const json pod{{"apiVersion", "v1"},
                   {"kind", "Pod"},
                   {"metadata", {{"name", name}, {"labels", {{api::kAppLabel, "web"}, {"team", "shop"}}}}},
                   {"spec", {{"containers", json::array({{{"name", "c"}, {"image", "i"}}})}}}};
    const auto made = client_->create(kube::kPods, namespace_, pod.dump());
    ASSERT_TRUE(made) << made.error().message;
    set_ready(name, true);
  }
  // As the kubelet would.
  void set_ready(const std::string& name, bool ready) {
    const json condition{{"type", "Ready"}, {"status", ready ? "True" : "False"}};
    const json body{{"status", {{"phase", "Running"}, {"conditions", json::array({condition})}}}};
    const auto done =
        client_->patch(kube::kPods, {namespace_, name}, body.dump(), kube::PatchKind::kStrategic, "status");
    ASSERT_TRUE(done) << done.error().message;
  }
  json budget() { return object(kube::kPodDisruptionBudgets, "web"); }
  // The disruption controller has seen the budget, and finds that so many may go.
  bool allows(int count) {
    return becomes_true([&] {
      const json found = budget();
      return found.value(json::json_pointer("/status/observedGeneration"), 0) == found["metadata"]["generation"] &&
             found["status"]["disruptionsAllowed"] == count;
    });
  }
  // The HTTP status of an eviction.
  int evict(const std::string& name) {
    const json body{{"apiVersion", "policy/v1"},
                    {"kind", "Eviction"},
                    {"metadata", {{"name", name}, {"namespace", namespace_}}},
                    {"deleteOptions", {{"gracePeriodSeconds", 0}}}};
    const std::string path = kube::object_path(kube::kPods, {namespace_, name}, "eviction");
    const auto answer = transport_->send({.method = "POST",
                                          .path_and_query = path,
                                          .content_type = "application/json",
                                          .body = body.dump()},
                                         {});
    return answer ? answer->status : 0;
  }

  BudgetMemory memory_;
};

TEST_F(DisruptionBudget, EvictionsLeaveWhatTheAppNeeds) {
  for (const char* name : {"a", "b", "c", "d"}) create_pod(name);
  keep(4);  // maxUnavailable is 25 %.
  EXPECT_EQ(budget()["spec"]["minAvailable"], 3);
  ASSERT_TRUE(allows(1)) << budget();
  EXPECT_EQ(evict("a"), 201);
  ASSERT_TRUE(allows(0)) << budget();
  EXPECT_EQ(evict("b"), 429);
  set_ready("b", false);
  ASSERT_TRUE(becomes_true([&] { return budget()["status"]["currentHealthy"] == 2; })) << budget();
  EXPECT_EQ(evict("b"), 201) << "one that is not ready holds up no drain";
  EXPECT_EQ(evict("c"), 429);
  keep(0);
  EXPECT_EQ(budget()["spec"]["minAvailable"], 0);
  ASSERT_TRUE(allows(2)) << budget();
  EXPECT_EQ(evict("c"), 201);
}

TEST_F(DisruptionBudget, ItIsTheAppsAndWrittenWhenTheNumberChangesAndGoesWithTheSpec) {
  keep(4);
  EXPECT_EQ(budget()["metadata"]["ownerReferences"][0]["uid"], app_.metadata.uid);
  const json version = budget()["metadata"]["resourceVersion"];
  memory_ = {};  // Another process.
  keep(4);
  EXPECT_EQ(budget()["metadata"]["resourceVersion"], version) << "read, and not written";
  keep(8);
  EXPECT_EQ(budget()["spec"]["minAvailable"], 6);

  app_.spec.disruption_budget = api::DisruptionBudget::kNone;
  keep(8);
  EXPECT_TRUE(budget().is_null());
}

TEST_F(DisruptionBudget, PodsOfTwoBudgetsCannotBeEvictedSoThatNoSecondOneIsMade) {
  create_pod("a");
  kubectl(fmt::format("-n {} create poddisruptionbudget by-hand --selector=team=shop --min-available=0", namespace_));
  EXPECT_THAT(keep(4).problem, HasSubstr("PodDisruptionBudget by-hand selects the app's pods"));
  EXPECT_TRUE(budget().is_null());
  kubectl(fmt::format("-n {} create poddisruptionbudget web --selector=team=shop --min-available=0", namespace_));
  EXPECT_EQ(evict("a"), 500) << "that is what it would be";
  memory_ = {};
  EXPECT_THAT(keep(4).problem, HasSubstr("exists and is not the app's"));
  app_.spec.disruption_budget = api::DisruptionBudget::kNone;
  keep(4);
  EXPECT_FALSE(budget().is_null()) << "it is not ours to delete";
}

TEST_F(DisruptionBudget, OneThatSomebodyReplacedIsAConflict) {
  keep(4);
  kubectl(fmt::format("-n {} delete poddisruptionbudget web", namespace_));
  const auto state = keep_disruption_budget(*client_, clock_.monotonic_now(), app_, 2, memory_);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::kConflict);
  keep(2);
  EXPECT_EQ(budget()["spec"]["minAvailable"], 2);
}

}  // namespace
}  // namespace scalableapp::controller
