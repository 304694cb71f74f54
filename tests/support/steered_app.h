// What the tests of steering share: apps in the middle of things, and an API server with one app.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/kube/transport.h"
#include "operator/plugin/app_view.h"

namespace scalableapp::plugin {

inline constexpr WallTime kNow{seconds(1'800'000'000)};  // 2027-01-15T08:00:00Z

// shop/web, whose revision "new" is at the second of four steps; "old" is the stable one.
inline api::ScalableApp canary_app() {
  api::ScalableApp app;
  app.metadata = {.name = "web", .namespace_name = "shop", .uid = "u1", .resource_version = "41", .generation = 7,
                  .creation_time = kNow - seconds(3 * 86'400)};
  app.spec.min_replicas = 2;
  app.spec.max_replicas = 10;
  app.spec.template_json = R"({"spec":{"containers":[{"image":"web:2","name":"web"}]}})";
  app.spec.rollout.strategy = api::RolloutStrategy::kCanary;
  app.spec.rollout.canary.steps = {{.set_weight = 20}, {.pause = true}, {.analysis = true}, {.set_weight = 50}};
  app.status = {.observed_generation = 7,
                .replicas = 3,
                .desired_replicas = 2,
                .ready_replicas = 2,
                .warming_replicas = 1,
                .available_replicas = 2,
                .updated_replicas = 1,
                .current_revision = "old",
                .updated_revision = "new"};
  app.status.rollout = {.phase = api::RolloutPhase::kPaused,
                        .revision = "new",
                        .step = 1,
                        .step_started_at = kNow - seconds(30),
                        .weight = 20,
                        .pause_reason = "CanaryPauseStep",
                        .message = "waits to be promoted past step 2"};
  return app;
}

// Its rollout has ended badly.
inline api::ScalableApp failed_app() {
  api::ScalableApp app = canary_app();
  app.status.rollout.phase = api::RolloutPhase::kDegraded;
  app.status.rollout.pause_reason.clear();
  app.status.rollout.failure_reason = "AnalysisFailed";
  app.status.rollout.failure_message = "error-rate is 5.1%, stable 0.1%";
  app.status.rollout.failed_at = kNow - seconds(60);
  app.status.rollout.message = "back at the stable revision";
  return app;
}

inline api::ScalableApp healthy_app() {
  api::ScalableApp app = canary_app();
  app.status.current_revision = "new";
  app.status.rollout = {.revision = "new", .step = 4, .weight = 100, .message = "rolled out"};
  return app;
}

inline RevisionView revision_view(std::string revision, std::int64_t number, int replicas) {
  RevisionView view{.revision = revision};
  view.replica_set.metadata = {.name = "web-" + revision, .namespace_name = "shop", .uid = revision,
                               .creation_time = kNow - seconds(3600 * (10 - number))};
  view.replica_set.spec_replicas = replicas;
  view.replica_set.revision_number = number;
  return view;
}

// Has the app "shop/web" and lists of what belongs to it; checks the lock of a merge patch.
class AppServer final : public kube::HttpTransport {
 public:
  Result<kube::HttpResponse> send(const kube::HttpRequest& request, std::stop_token) override {
    using nlohmann::json;
    requests.push_back(request);
    const auto answer = [](const json& object) { return kube::HttpResponse{.status = 200, .body = object.dump()}; };
    const auto asks_for = [&](const char* plural) { return request.path_and_query.find(plural) != std::string::npos; };
    if (asks_for("/replicasets?")) return answer({{"items", replica_sets}});
    if (asks_for("/pods?")) {
      if (forbids_pods) return refusal(403, "Forbidden", "pods is forbidden: User \"eve\" cannot list resource");
      return answer({{"items", pods}});
    }
    if (!asks_for("/scalableapps/web")) return refusal(404, "NotFound", "not found");
    if (request.method == "PATCH") {
      if (on_patch) on_patch();
      const json patch = json::parse(request.body);
      if (patch["metadata"]["resourceVersion"] != app["metadata"]["resourceVersion"]) {
        return refusal(409, "Conflict", "the object has been modified");
      }
      app.merge_patch(patch);
    } else if (on_get) {
      on_get();
    }
    return answer(app);
  }
  Result<kube::HttpResponse> stream(const kube::HttpRequest&, milliseconds, const kube::OnLine&,
                                    std::stop_token) override {
    return fail(ErrorCode::kInternal, "no streams here");
  }

  nlohmann::json app = nlohmann::json::parse(R"({
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "41", "generation": 7},
    "spec": {"replicas": {"min": 2, "max": 10},
             "template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}},
    "status": {"observedGeneration": 7, "currentRevision": "old", "updatedRevision": "new"}})");
  nlohmann::json replica_sets = nlohmann::json::array();
  nlohmann::json pods = nlohmann::json::array();
  bool forbids_pods = false;
  std::function<void()> on_patch;
  std::function<void()> on_get;
  std::vector<kube::HttpRequest> requests;

 private:
  static kube::HttpResponse refusal(int status, const char* reason, const char* message) {
    return {.status = status,
            .body = nlohmann::json{{"kind", "Status"}, {"reason", reason}, {"message", message}}.dump()};
  }
};

}  // namespace scalableapp::plugin
