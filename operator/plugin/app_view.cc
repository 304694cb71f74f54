#include "operator/plugin/app_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

Result<json> parse(const std::string& text, std::string_view what) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::kDecode, fmt::format("{}: the answer is no JSON object", what));
  return object;
}

Result<json> list_of_app(kube::Client& client, const kube::ResourceType& type, const api::ScalableApp& app) {
  const auto text = client.list(type, {.namespace_name = app.metadata.namespace_name,
                                       .label_selector = fmt::format("{}={}", api::kAppLabel, app.metadata.name)});
  if (!text) return tl::unexpected(text.error());
  return parse(*text, type.plural);
}

RevisionView decode_revision(const json& object, api::ReplicaSet replica_set) {
  const json& metadata = api::child(object, "metadata");
  const json& annotations = api::child(metadata, "annotations");
  return {.revision = api::text(api::child(metadata, "labels"), api::kRevisionLabel),
          .change_cause = api::text(annotations, api::kChangeCauseAnnotation),
          .template_json = api::text(annotations, api::kTemplateAnnotation),
          .replica_set = std::move(replica_set)};
}

PodView decode_pod_view(const json& object, api::Pod pod) {
  PodView view{.pod = std::move(pod)};
  for (const json& condition : api::child(api::child(object, "status"), "conditions")) {
    if (api::text(condition, "type") != api::kWarmGate) continue;
    view.gate_since = api::time(condition, "lastTransitionTime");
  }
  return view;
}

}  // namespace

Result<api::ScalableApp> fetch_app(kube::Client& client, const api::ObjectKey& key) {
  const auto text = client.get(kube::kScalableApps, key);
  if (!text) return tl::unexpected(text.error());
  const auto object = parse(*text, "scalableapps " + api::to_string(key));
  if (!object) return tl::unexpected(object.error());
  return api::decode_scalable_app(*object);
}

Result<std::vector<RevisionView>> fetch_revisions(kube::Client& client, const api::ScalableApp& app) {
  const auto list = list_of_app(client, kube::kReplicaSets, app);
  if (!list) return tl::unexpected(list.error());
  std::vector<RevisionView> revisions;
  for (const json& item : api::child(*list, "items")) {
    auto replica_set = api::decode_replica_set(item);
    if (!replica_set || !api::is_controlled_by(replica_set->metadata, app.metadata.uid)) continue;
    revisions.push_back(decode_revision(item, std::move(*replica_set)));
  }
  std::ranges::sort(revisions, std::greater{}, [](const RevisionView& view) {
    return std::tuple(view.number(), view.replica_set.metadata.creation_time, view.replica_set.metadata.name);
  });
  return revisions;
}

Result<void> fetch_pods(kube::Client& client, const api::ScalableApp& app, std::vector<RevisionView>& revisions) {
  const auto list = list_of_app(client, kube::kPods, app);
  if (!list) return tl::unexpected(list.error());
  for (const json& item : api::child(*list, "items")) {
    auto pod = api::decode_pod(item);
    if (!pod) continue;
    const auto owner = std::ranges::find_if(revisions, [&](const RevisionView& view) {
      return api::is_controlled_by(pod->metadata, view.replica_set.metadata.uid);
    });
    if (owner != revisions.end()) owner->pods.push_back(decode_pod_view(item, std::move(*pod)));
  }
  for (RevisionView& revision : revisions) {
    std::ranges::sort(revision.pods, {}, [](const PodView& view) {
      return std::tuple(view.pod.metadata.creation_time, view.pod.metadata.name);
    });
  }
  return {};
}

std::string role_of(const api::ScalableApp& app, std::string_view revision) {
  const api::ScalableAppStatus& status = app.status;
  const api::RolloutStatus& rollout = status.rollout;
  const bool is_updated = !revision.empty() && revision == status.updated_revision;
  const bool is_stable = !revision.empty() && revision == status.current_revision;
  const bool is_blue_green = app.spec.rollout.strategy == api::RolloutStrategy::kBlueGreen;
  const bool has_switched = rollout.switched_at && rollout.revision == status.updated_revision;
  std::vector<const char*> roles;
  if (is_stable) roles.push_back("stable");
  if (is_updated && !rollout.failure_reason.empty() && revision == rollout.revision) {
    roles.push_back("failed");
  } else if (is_updated && !is_stable) {
    const bool is_canary = app.spec.rollout.strategy == api::RolloutStrategy::kCanary;
    roles.push_back(is_canary ? "canary" : is_blue_green && !has_switched ? "preview" : "updated");
  }
  const bool is_active = is_blue_green && (has_switched && rollout.failure_reason.empty() ? is_updated : is_stable);
  if (is_active) roles.push_back("active");
  return fmt::format("{}", fmt::join(roles, ", "));
}

std::string revision_text(const std::vector<RevisionView>& revisions, const std::string& revision) {
  const auto found = std::ranges::find(revisions, revision, &RevisionView::revision);
  if (found == revisions.end() || !found->number()) return "revision " + revision;
  return fmt::format("revision {}", *found->number());
}

std::string age_text(milliseconds age) {
  const auto total = std::max<std::int64_t>(0, std::chrono::duration_cast<seconds>(age).count());
  const auto minutes = total / 60, hours = minutes / 60, days = hours / 24;
  const auto two = [](std::int64_t large, char unit, std::int64_t small, char small_unit) {
    return small == 0 ? fmt::format("{}{}", large, unit) : fmt::format("{}{}{}{}", large, unit, small, small_unit);
  };
  if (total < 120) return fmt::format("{}s", total);
  if (minutes < 10) return two(minutes, 'm', total % 60, 's');
  if (hours < 3) return fmt::format("{}m", minutes);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return fmt::format("{}h", hours);
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  return fmt::format("{}d", days);
}

// Warm, but kept out of service by its gate.
bool is_ejected(const api::Pod& pod) {
  return pod.ejection && pod.set_aside_since && !pod.warm && !pod.draining_since;
}

std::string state_of(const api::Pod& pod) {
  if (pod.terminating()) return "terminating";
  if (pod.finished()) return pod.phase;
  if (pod.draining()) return "draining";
  if (is_ejected(pod)) return "ejected";
  if (pod.ready) return "ready";
  if (!pod.trouble.empty()) return pod.trouble.substr(0, pod.trouble.find(':'));
  if (pod.containers_ready && pod.has_warm_gate && !pod.warm) return "warming";
  return pod.phase == "Pending" ? "pending" : "starting";
}

std::string gate_state(const api::Pod& pod) { return !pod.has_warm_gate ? "none" : pod.warm ? "open" : "closed"; }

const char* to_string(api::Verdict verdict) {
  switch (verdict) {
    case api::Verdict::kNone:
      return "none";
    case api::Verdict::kSuccessful:
      return "good";
    case api::Verdict::kFailed:
      return "bad";
    case api::Verdict::kInconclusive:
      return "inconclusive";
  }
  return "";
}

const char* to_string(api::RolloutPhase phase) {
  switch (phase) {
    case api::RolloutPhase::kHealthy:
      return "Healthy";
    case api::RolloutPhase::kProgressing:
      return "Progressing";
    case api::RolloutPhase::kPaused:
      return "Paused";
    case api::RolloutPhase::kDegraded:
      return "Degraded";
  }
  return "";
}

const char* to_string(api::RolloutStrategy strategy) {
  switch (strategy) {
    case api::RolloutStrategy::kRolling:
      return "Rolling";
    case api::RolloutStrategy::kCanary:
      return "Canary";
    case api::RolloutStrategy::kBlueGreen:
      return "BlueGreen";
    case api::RolloutStrategy::kRecreate:
      return "Recreate";
  }
  return "";
}

}  // namespace scalableapp::plugin
