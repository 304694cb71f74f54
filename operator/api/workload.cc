#include "operator/api/workload.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/scalable_app.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

void keep_only(std::map<std::string, std::string>& labels) {
  std::erase_if(labels, [](const auto& label) {
    return label.first != kAppLabel && label.first != kRevisionLabel;
  });
}

// The count that `text` begins with, taken off it with a space before it.
std::optional<int> take_count(std::string_view& text) {
  int count = 0;
  if (!text.starts_with(' ')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return count;
}

// The kubelet waits with these reasons in the ordinary course of a start.
bool is_ordinary(const std::string& reason) {
  return reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
}

std::string trouble_of(const json& status) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const json& container : child(status, list)) {
      const json& waiting = child(child(container, "state"), "waiting");
      const std::string reason = text(waiting, "reason");
      if (!is_ordinary(reason)) return reason + ": " + text(waiting, "message", "no message");
    }
  }
  for (const json& condition : child(status, "conditions")) {
    if (text(condition, "type") == "PodScheduled" && text(condition, "status") == "False") {
      return text(condition, "reason", "Unschedulable") + ": " +
             text(condition, "message", "no message");
    }
  }
  if (text(status, "phase") == "Failed")
    return text(status, "reason", "Failed") + ": " + text(status, "message");
  return {};
}

}  // namespace

std::string encode_size_change(const SizeChange& change) {
  return fmt::format("{} {} {}", format_rfc3339_micro(change.time), change.from, change.to);
}

std::optional<SizeChange> decode_size_change(const std::string& text) {
  const auto time = parse_rfc3339(text.substr(0, text.find(' ')));
  std::string_view rest(text);
  rest.remove_prefix(std::min(text.find(' '), text.size()));
  const auto from = take_count(rest);
  const auto to = take_count(rest);
  if (!time || !from || !to || !rest.empty()) return std::nullopt;
  return SizeChange{.time = *time, .from = *from, .to = *to};
}

std::string encode_ejection(const Ejection& ejection) {
  return fmt::format("{} {} {}", ejection.count, format_rfc3339(ejection.time), ejection.why);
}

std::optional<Ejection> decode_ejection(const std::string& text) {
  const std::string with_space = " " + text;
  std::string_view rest(with_space);
  const auto count = take_count(rest);
  if (!count || !rest.starts_with(' ')) return std::nullopt;
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const auto time = parse_rfc3339(rest.substr(0, end));
  if (!time) return std::nullopt;
  return Ejection{.count = *count, .time = *time, .why = std::string(rest.substr(std::min(end + 1, rest.size())))};
}

Result<Pod> decode_pod(const json& object) {
  auto meta = decode_meta(object);
  if (!meta) return tl::unexpected(meta.error());
  Pod pod;
  pod.metadata = std::move(*meta);
  keep_only(pod.metadata.labels);
  const auto& annotations = pod.metadata.annotations;
  if (const auto since = annotations.find(kDrainingSinceAnnotation); since != annotations.end()) {
    if (const auto at = parse_rfc3339(since->second)) pod.draining_since = *at;
  }
  if (const auto ejected = annotations.find(kEjectionAnnotation); ejected != annotations.end()) {
    pod.ejection = decode_ejection(ejected->second);
  }
  if (const auto level = annotations.find(kDegradeLevelAnnotation); level != annotations.end()) {
    pod.degrade_level = level->second;
  }
  if (const auto after = annotations.find(kFailOpenAnnotation); after != annotations.end()) {
    const std::string with_space = " " + after->second;
    std::string_view rest(with_space);
    pod.fail_open_seconds = take_count(rest);
  }
  pod.metadata.annotations.clear();
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  pod.node = text(spec, "nodeName");
  pod.ip = text(status, "podIP");
  pod.phase = text(status, "phase");
  for (const json& gate : child(spec, "readinessGates")) {
    if (text(gate, "conditionType") == kWarmGate) pod.has_warm_gate = true;
  }
  for (const json& condition : child(status, "conditions")) {
    const std::string type = text(condition, "type");
    const bool is_true = text(condition, "status") == "True";
    if (type == kWarmGate) {
      pod.warm = is_true;
      const std::string reason = text(condition, "reason");
      if (is_true) {
        pod.warm_since = time(condition, "lastTransitionTime");
        pod.returned = reason == kDrainCancelledReason || reason == kOutlierRetryReason;
      } else if (reason == kDrainingReason || reason == kOutlierReason) {
        pod.set_aside_since = time(condition, "lastTransitionTime");
      }
      pod.gate_reason = reason;
    }
    if (type == "ContainersReady") {
      pod.containers_ready = is_true;
      if (is_true) pod.containers_ready_since = time(condition, "lastTransitionTime");
    }
    if (type == "Ready") {
      pod.ready = is_true;
      (is_true ? pod.ready_since : pod.unready_since) = time(condition, "lastTransitionTime");
    }
  }
  pod.started_at = time(status, "startTime");
  for (const json& container : child(status, "containerStatuses")) {
    pod.restart_count += static_cast<int>(integer(container, "restartCount"));
  }
  pod.cpu_request_cores = cpu_request_cores(spec);
  pod.trouble = trouble_of(status);
  return pod;
}

Result<Node> decode_node(const json& object) {
  auto meta = decode_meta(object);
  if (!meta) return tl::unexpected(meta.error());
  Node node{.metadata = std::move(*meta)};
  if (const auto zone = node.metadata.labels.find(kZoneLabel); zone != node.metadata.labels.end()) {
    node.zone = zone->second;
  }
  node.metadata.labels.clear();
  node.metadata.annotations.clear();
  node.unschedulable = boolean(child(object, "spec"), "unschedulable");
  return node;
}

Result<ReplicaSet> decode_replica_set(const json& object) {
  auto meta = decode_meta(object);
  if (!meta) return tl::unexpected(meta.error());
  ReplicaSet replica_set;
  replica_set.metadata = std::move(*meta);
  keep_only(replica_set.metadata.labels);
  const auto hash = replica_set.metadata.annotations.find(kTemplateHashAnnotation);
  if (hash != replica_set.metadata.annotations.end()) replica_set.template_hash = hash->second;
  const auto change = replica_set.metadata.annotations.find(kSizeChangeAnnotation);
  if (change != replica_set.metadata.annotations.end()) {
    replica_set.size_change = decode_size_change(change->second);
  }
  if (const auto number = replica_set.metadata.annotations.find(kRevisionNumberAnnotation);
      number != replica_set.metadata.annotations.end()) {
    const std::string& text = number->second;
    std::int64_t value = 0;
    const bool is_number = std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
    if (is_number) replica_set.revision_number = value;
  }
  replica_set.metadata.annotations.clear();
  const json& status = child(object, "status");
  replica_set.spec_replicas = static_cast<int>(integer(child(object, "spec"), "replicas", 1));
  for (const json& condition : child(status, "conditions")) {
    if (text(condition, "type") == "ReplicaFailure" && text(condition, "status") == "True") {
      replica_set.failure = text(condition, "reason") + ": " + text(condition, "message");
      replica_set.failure_since = time(condition, "lastTransitionTime");
    }
  }
  return replica_set;
}

}  // namespace scalableapp::api
