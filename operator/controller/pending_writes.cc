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
  replica_sets_[uid] = {std::make_shared<const api::ReplicaSet>(std::move(replica_set)), now};
}

void PendingWrites::wrote(api::Pod pod, MonotonicTime now) {
  const std::string uid = pod.metadata.uid;
  pods_[uid] = {std::make_shared<const api::Pod>(std::move(pod)), now};
}

void PendingWrites::deleted(const std::string& uid, MonotonicTime now) { deleted_[uid] = now; }

template <typename Object>
void PendingWrites::lay_over(ByUid<Object>& written, std::vector<std::shared_ptr<const Object>>& cached,
                             MonotonicTime now) {
  std::erase_if(written, [&](const auto& entry) { return now - entry.second.at > kPatience; });
  if (written.empty()) return;
  for (auto& object : cached) {
    const auto found = written.find(object->metadata.uid);
    if (found == written.end()) continue;
    if (version_of(object->metadata.resource_version) >
        version_of(found->second.object->metadata.resource_version)) {
      written.erase(found);
    } else {
      object = found->second.object;
    }
  }
}

std::vector<std::shared_ptr<const api::ReplicaSet>> PendingWrites::overlay(
    std::vector<std::shared_ptr<const api::ReplicaSet>> cached, MonotonicTime now) {
  std::erase_if(deleted_, [&](const auto& entry) { return now - entry.second > kPatience; });
  std::erase_if(cached, [&](const auto& object) { return deleted_.contains(object->metadata.uid); });
  lay_over(replica_sets_, cached, now);
  for (const auto& [uid, entry] : replica_sets_) {
    const bool shown = std::ranges::any_of(
        cached, [&uid = uid](const auto& object) { return object->metadata.uid == uid; });
    if (!shown && !deleted_.contains(uid)) cached.push_back(entry.object);
  }
  std::ranges::sort(cached, {}, [](const auto& object) { return object->metadata.name; });
  return cached;
}

std::vector<std::shared_ptr<const api::Pod>> PendingWrites::overlay(std::vector<std::shared_ptr<const api::Pod>> cached,
                                                                    MonotonicTime now) {
  lay_over(pods_, cached, now);
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

}  // namespace scalableapp::controller
