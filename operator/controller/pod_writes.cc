#include "operator/controller/pod_writes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"
#include "operator/platform/log.h"

namespace scalableapp::controller {
namespace {

// After so many pods that could not be written the server is in trouble, not the pod.
constexpr int kMostPodErrors = 2;
// Pods that say why they wait, at a time: an app does not keep a worker to itself. The rest soon.
constexpr std::size_t kMostWaitsTold = 16;
constexpr milliseconds kMoreWaits{1000};
// Likewise of pods that are told their degrade level; these are urgent.
constexpr int kMostLevelsTold = 32;

// The pod is gone, or another one bears its name, or it has changed: the cache will say so.
bool is_late(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kConflict;
}

Result<void> patch(kube::Client& client, const Clock& clock, const api::ObjectMeta& pod, const std::string& body,
                   kube::PatchKind kind, std::string_view subresource, PendingWrites& pending) {
  const auto written = client.patch(kube::kPods, pod.key(), body, kind, subresource, api::kFieldManager);
  if (!written) return tl::unexpected(written.error());
  auto object = api::decode_pod(nlohmann::json::parse(*written, nullptr, false));
  if (!object) return tl::unexpected(object.error());
  pending.wrote(std::move(*object), clock.monotonic_now());
  return {};
}

}  // namespace

milliseconds from_now(WallTime now, WallTime at) {
  return std::max(kSoonest, std::chrono::duration_cast<milliseconds>(at - now));
}

bool is_refusal(const Error& error) {
  return error.code == ErrorCode::kInvalid || error.code == ErrorCode::kForbidden;
}

std::string gate_patch(const rollout::GateChange& change, WallTime now, const std::string& version) {
  // Never before the containers were ready by the node's clock, or it would look like a restart.
  const WallTime since = std::max(now, change.pod->containers_ready_since.value_or(now));
  const nlohmann::json condition{{"type", api::kWarmGate},
                                 {"status", change.warm ? "True" : "False"},
                                 {"reason", change.reason},
                                 {"message", change.message},
                                 {"lastTransitionTime", format_rfc3339(since)}};
  nlohmann::json metadata{{"uid", change.pod->metadata.uid}};
  if (!version.empty()) metadata["resourceVersion"] = version;
  const nlohmann::json status{{"conditions", nlohmann::json::array({condition})}};
  return nlohmann::json{{"metadata", metadata}, {"status", status}}.dump();
}

Result<void> PodWrites::write_gate(const rollout::GateChange& change) {
  return patch(client_, clock_, change.pod->metadata, gate_patch(change, clock_.wall_now()),
               kube::PatchKind::kStrategic, "status", pending_);
}

Result<void> PodWrites::annotate(const api::Pod& pod, const Annotations& annotations) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& [name, value] : annotations) values[name] = value ? nlohmann::json(*value) : nlohmann::json();
  const nlohmann::json body{
      {"metadata",
       {{"uid", pod.metadata.uid}, {"resourceVersion", pod.metadata.resource_version}, {"annotations", values}}}};
  auto done = patch(client_, clock_, pod.metadata, body.dump(), kube::PatchKind::kMerge, {}, pending_);
  if (!done && done.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kConflict, done.error().message);
  return done;
}

void PodWrites::keep_gates() {
  const WallTime now = clock_.wall_now();
  const rollout::Pods pods = pending_.overlay(snapshot_.pods, clock_.monotonic_now());
  rollout::GatePlan plan = rollout::plan_gates(now, snapshot_.app->spec, pods, snapshot_.warm_up);
  if (plan.next_check) next = std::min(next, from_now(now, *plan.next_check));
  waits_ = std::move(plan.waits);
  int errors = 0;
  for (const auto& change : plan.changes) {
    const std::string& pod = change.pod->metadata.name;
    if (auto done = write_gate(change); !done) {
      if (is_late(done.error())) continue;
      if (is_refusal(done.error())) {
        // One pod that cannot be changed holds up neither the others nor the app.
        warn_("GateNotWritten", fmt::format("pod {}: {}", pod, done.error().message));
        continue;
      }
      if (!error) error = done.error();
      if (++errors == kMostPodErrors) return;
      continue;
    }
    log_info(change.warm ? "pod is warm" : "pod is taken out of service",
             {{"app", api::to_string(snapshot_.app->metadata.key())},
              {"pod", pod},
              {"reason", change.reason}});
  }
}

void PodWrites::tell_waits() {
  if (waits_.size() > kMostWaitsTold) {
    waits_.resize(kMostWaitsTold);
    next = std::min(next, kMoreWaits);
  }
  for (const auto& wait : std::exchange(waits_, {})) {
    if (const auto told = write_gate(wait); !told && !is_late(told.error())) {
      log_debug("a pod does not say why it waits", {{"pod", wait.pod->metadata.name}, {"error", told.error()}});
      return;
    }
  }
}

void PodWrites::release(const rollout::Pods& pods) {
  int errors = 0;
  for (const auto& pod : pods) {
    const auto done =
        annotate(*pod, {{api::kDrainingSinceAnnotation, std::nullopt}, {api::kDeletionCostAnnotation, std::nullopt}});
    if (done) continue;
    if (!error) error = done.error();
    if (!is_late(done.error()) && ++errors == kMostPodErrors) break;
  }
  if (!pods.empty()) keep_gates();
}

void PodWrites::tell_degrade_level(int level) {
  const std::string wanted = level > 0 ? std::to_string(level) : std::string{};
  int told = 0, errors = 0;
  for (const auto& pod : pending_.overlay(snapshot_.pods, clock_.monotonic_now())) {
    if (pod->degrade_level == wanted || pod->terminating() || pod->finished()) continue;
    if (told++ == kMostLevelsTold) {
      next = std::min(next, kSoonest);
      return;
    }
    const auto done =
        annotate(*pod, {{api::kDegradeLevelAnnotation, level > 0 ? std::optional(wanted) : std::nullopt}});
    if (done || is_late(done.error())) continue;
    if (is_refusal(done.error())) {
      warn_("DegradeLevelNotWritten", fmt::format("pod {}: {}", pod->metadata.name, done.error().message));
      continue;
    }
    if (!error) error = done.error();
    if (++errors == kMostPodErrors) return;
  }
}

bool PodWrites::set_aside(const std::vector<rollout::Mark>& marks, const std::vector<rollout::Eject>& ejects) {
  bool all_marked = true;
  int errors = 0;
  for (const auto& [pod, since, cost] : marks) {
    const auto done = annotate(*pod, {{api::kDrainingSinceAnnotation, format_rfc3339_micro(since)},
                                      {api::kDeletionCostAnnotation, std::to_string(cost)}});
    if (done) continue;
    all_marked = false;
    if (is_refusal(done.error())) {
      warn_("PodNotMarked", fmt::format("pod {}: {}", pod->metadata.name, done.error().message));
    }
    if (!error) error = done.error();
    if (!is_late(done.error()) && ++errors == kMostPodErrors) break;
  }
  for (const auto& [pod, ejection] : ejects) {
    const auto done = annotate(*pod, {{api::kEjectionAnnotation, api::encode_ejection(ejection)}});
    if (done) {
      const auto out_for = rollout::ejected_until(ejection) - ejection.time;
      warn_("PodOutlier", fmt::format("pod {} is out of service for {}: {}", pod->metadata.name,
                                      format_duration(out_for), ejection.why));
    } else if (!error && !is_late(done.error())) {
      error = done.error();
    }
  }
  if (!marks.empty() || !ejects.empty()) keep_gates();
  return all_marked;
}

}  // namespace scalableapp::controller
