#include "operator/controller/pending_writes.h"

#include <algorithm>
#include <charconv>

namespace scalableapp::controller {
namespace {

// resourceVersions of one resource type grow with every write (Kubernetes API concepts: "resource
// versions", comparable since 1.35 and in fact before). Text that is no number counts as older.
std::uint64_t version_of(const std::string& text) {
  std::uint64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

void PendingWrites::wrote(api::ReplicaSet replica_set, MonotonicTime now) {
  const std::string uid = replica_set.metadata.uid;
  written_[uid] = {std::make_shared<const api::ReplicaSet>(std::move(replica_set)), now};
}

void PendingWrites::deleted(const std::string& uid, MonotonicTime now) { deleted_[uid] = now; }

void PendingWrites::wrote_gate(const std::string& pod_uid, bool warm, WallTime since, MonotonicTime now) {
  // Conditions carry whole seconds.
  gates_[pod_uid] = {warm, std::chrono::floor<seconds>(since), now};
}

std::vector<std::shared_ptr<const api::ReplicaSet>> PendingWrites::overlay(
    std::vector<std::shared_ptr<const api::ReplicaSet>> cached, MonotonicTime now) {
  std::erase_if(written_, [&](const auto& entry) { return now - entry.second.at > kPatience; });
  std::erase_if(deleted_, [&](const auto& entry) { return now - entry.second > kPatience; });
  std::erase_if(gates_, [&](const auto& entry) { return now - entry.second.at > kPatience; });

  std::erase_if(cached, [&](const auto& object) { return deleted_.contains(object->metadata.uid); });
  for (auto& object : cached) {
    const auto found = written_.find(object->metadata.uid);
    if (found == written_.end()) continue;
    if (version_of(object->metadata.resource_version) >=
        version_of(found->second.replica_set->metadata.resource_version)) {
      written_.erase(found);
    } else {
      object = found->second.replica_set;
    }
  }
  for (const auto& [uid, entry] : written_) {
    const bool shown = std::ranges::any_of(
        cached, [&uid = uid](const auto& object) { return object->metadata.uid == uid; });
    if (!shown && !deleted_.contains(uid)) cached.push_back(entry.replica_set);
  }
  std::ranges::sort(cached, {}, [](const auto& object) { return object->metadata.name; });
  return cached;
}

void PendingWrites::wrote_app(std::string resource_version, MonotonicTime now) {
  app_version_ = std::move(resource_version);
  app_written_at_ = now;
}

const std::string& PendingWrites::app_version(const std::string& cached, MonotonicTime now) const {
  const bool is_over = !app_written_at_ || now - *app_written_at_ > kPatience;
  return is_over || version_of(cached) >= version_of(app_version_) ? cached : app_version_;
}

bool PendingWrites::gate_is_pending(const api::Pod& pod, bool warm, MonotonicTime now) {
  const auto found = gates_.find(pod.metadata.uid);
  if (found == gates_.end() || found->second.warm != warm || now - found->second.at > kPatience) return false;
  return pod.warm != warm || (warm && pod.warm_since && *pod.warm_since < found->second.since);
}

}  // namespace scalableapp::controller
