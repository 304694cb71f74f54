// The operator of one app, "web", and the world it lives in, for tests of the reconciler. One thread.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/controller/app_reconciler.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/fake_event_recorder.h"
#include "tests/support/fake_probes.h"

namespace scalableapp::controller {

using kube::Died;
using nlohmann::json;

inline const api::ObjectKey kWeb{"demo", "web"};

class FakeMetrics final : public metrics::MetricSource {
 public:
  void subscribe(const api::ObjectKey&, const std::vector<metrics::Query>& queries) override {
    ++subscriptions;
    asked = queries;
  }
  void unsubscribe(const api::ObjectKey&) override { asked.clear(); }
  std::optional<metrics::QueryResult> latest(const api::ObjectKey&,
                                             const std::string& id) const override {
    const auto found = answers.find(id);
    if (found == answers.end()) return std::nullopt;
    return found->second;
  }
  void set(const std::string& id, double value, std::string pod = {}) {
    answers[id] = {.samples = {{.value = value, .pod = std::move(pod)}}, .age = seconds{1}};
  }
  void lose(const std::string& id) {
    answers[id] = {.error = Error{ErrorCode::kUnavailable, "Prometheus: connection refused", {}}};
  }

  std::map<std::string, metrics::QueryResult> answers;
  std::vector<metrics::Query> asked;
  int subscriptions = 0;
};

// An app of 2 to 20 replicas whose metric "needed" says how many it needs, +4 or double in 15 s.
inline json web_spec(const char* image = "v1") {
  return json::parse(fmt::format(R"({{
    "replicas":{{"min":2,"max":20}},
    "metrics":[{{"name":"needed","type":"Prometheus",
      "prometheus":{{"query":"jobs","target":{{"type":"AverageValue","value":1}}}}}}],
    "behavior":{{"scaleDown":{{"stabilizationWindowSeconds":0}}}},
    "rollout":{{"maxSurge":1,"maxUnavailable":0}},
    "disruptionBudget":"None",
    "template":{{"metadata":{{"labels":{{"team":"shop"}}}},
                 "spec":{{"containers":[{{"name":"c","image":"{}"}}]}}}}}})",
                                 image));
}

// The operator of one app and the world it lives in.
struct World {
  World() { restart(); }

  void restart() {
    reconciler = std::make_unique<AppReconciler>(
        AppReconciler::Parts{.clock = clock,
                             .client = cluster,
                             .apps = cluster.apps,
                             .replica_sets = cluster.replica_sets,
                             .pods = cluster.pods,
                             .metrics = metrics,
                             .events = events,
                             .exporter = exporter,
                             .nodes = &nodes,
                             .is_behind = [this] { return others_wait; },
                             .probes = &probes});
  }
  // A process that dies is followed by a new one.
  Result<milliseconds> reconcile() {
    try {
      return reconciler->reconcile(kWeb);
    } catch (const Died&) {
      restart();
      return fail(ErrorCode::kCancelled, "died");
    }
  }
  void run(int for_seconds, milliseconds step = milliseconds{1000}) {
    for (milliseconds t{0}; t < seconds{for_seconds}; t += step) {
      clock.advance(step);
      cluster.tick();
      lowest = std::min(lowest, cluster.serving());
      (void)reconcile();
      most_asked = std::max(most_asked, asked() - draining());
    }
  }
  // The app with two warm pods at rest.
  void settle(json spec = web_spec()) {
    metrics.set("needed", 2);
    cluster.put_app(kWeb, std::move(spec));
    run(15);
    ASSERT_EQ(cluster.serving(), 2);
    cluster.writes.clear();
    seen_events = events.events().size();
  }
  // Puts every pod on a node that takes no new ones.
  void cordon() {
    nodes.put({"", "cordoned"}, std::make_shared<const api::Node>(api::Node{.unschedulable = true}));
    for (json pod : cluster.all(kube::kPods)) {
      pod["spec"]["nodeName"] = "cordoned";
      cluster.put(kube::kPods, std::move(pod));
    }
  }
  // Every pod answers the warm-up query with 1.
  void warm_up() {
    metrics.answers[""] = {.age = seconds{1}};
    for (const auto& pod : cluster.all(kube::kPods)) {
      metrics.answers[""].samples.push_back({.value = 1, .pod = pod["metadata"]["name"]});
    }
  }
  std::vector<std::string> new_events() {
    const auto all = events.events();
    std::vector<std::string> fresh(all.begin() + static_cast<std::ptrdiff_t>(seen_events), all.end());
    seen_events = all.size();
    return fresh;
  }
  // Sum of spec.replicas.
  int asked() const {
    int sum = 0;
    for (const auto& object : cluster.all(kube::kReplicaSets)) {
      if (object["metadata"]["labels"].contains(api::kAppLabel)) sum += object["spec"]["replicas"].get<int>();
    }
    return sum;
  }
  static bool is_draining(const json& pod) {
    return pod["metadata"].value("annotations", json::object()).contains(api::kDrainingSinceAnnotation);
  }
  // Of those asked for, pods that are marked to go.
  int draining() const {
    int sum = 0;
    for (const auto& replica_set : cluster.all(kube::kReplicaSets)) {
      int live = 0, marked = 0;
      for (const auto& pod : cluster.all(kube::kPods)) {
        if (pod["metadata"]["ownerReferences"][0]["uid"] != replica_set["metadata"]["uid"] ||
            pod["metadata"].contains("deletionTimestamp")) {
          continue;
        }
        ++live;
        marked += is_draining(pod);
      }
      sum += std::max(0, marked - std::max(0, live - replica_set["spec"]["replicas"].get<int>()));
    }
    return sum;
  }
  api::ScalableAppStatus status() const {
    return api::decode_scalable_app(cluster.at(kube::kScalableApps, kWeb))->status;
  }
  const api::Condition& condition(const char* type) const {
    static api::Condition none;
    static api::ScalableAppStatus now;
    now = status();
    const auto* found = api::find_condition(now.conditions, type);
    return found == nullptr ? none : *found;
  }

  FakeClock clock;
  kube::FakeCluster cluster{clock};
  kube::Store<api::Node> nodes;
  FakeMetrics metrics;
  FakeProbes probes;
  kube::FakeEventRecorder events;
  metrics::Exporter exporter;
  std::unique_ptr<AppReconciler> reconciler;
  bool others_wait = false;
  int lowest = 1000;
  int most_asked = 0;
  std::size_t seen_events = 0;
};

}  // namespace scalableapp::controller
