#include "operator/controller/pod_writes.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"

namespace scalableapp::controller {
namespace {

Result<void> patch(kube::Client& client, const Clock& clock, const api::ObjectMeta& pod, const nlohmann::json& body,
                   kube::PatchKind kind, std::string_view subresource, PendingWrites& pending) {
  const auto written = client.patch(kube::kPods, pod.key(), body.dump(), kind, subresource, api::kFieldManager);
  if (!written) return tl::unexpected(written.error());
  auto object = api::decode_pod(nlohmann::json::parse(*written, nullptr, false));
  if (!object) return tl::unexpected(object.error());
  pending.wrote(std::move(*object), clock.monotonic_now());
  return {};
}

}  // namespace

Result<void> write_gate(kube::Client& client, const Clock& clock, const rollout::GateChange& change,
                        PendingWrites& pending) {
  const api::ObjectMeta& pod = change.pod->metadata;
  // Never before the containers were ready by the node's clock, or it would look like a restart.
  const WallTime now = clock.wall_now();
  const WallTime since = std::max(now, change.pod->containers_ready_since.value_or(now));
  const nlohmann::json condition{{"type", api::kWarmGate},
                                 {"status", change.warm ? "True" : "False"},
                                 {"reason", change.reason},
                                 {"message", change.message},
                                 {"lastTransitionTime", format_rfc3339(since)}};
  const nlohmann::json body{{"metadata", {{"uid", pod.uid}}},
                            {"status", {{"conditions", nlohmann::json::array({condition})}}}};
  return patch(client, clock, pod, body, kube::PatchKind::kStrategic, "status", pending);
}

Result<void> annotate(kube::Client& client, const Clock& clock, const api::Pod& pod, const Annotations& annotations,
                      PendingWrites& pending) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& [name, value] : annotations) values[name] = value ? nlohmann::json(*value) : nlohmann::json();
  const nlohmann::json body{
      {"metadata",
       {{"uid", pod.metadata.uid}, {"resourceVersion", pod.metadata.resource_version}, {"annotations", values}}}};
  auto done = patch(client, clock, pod.metadata, body, kube::PatchKind::kMerge, {}, pending);
  if (!done && done.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kConflict, done.error().message);
  return done;
}

bool is_late(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kConflict;
}

}  // namespace scalableapp::controller
