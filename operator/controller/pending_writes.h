// Read-your-writes over the watch caches. After a write the cache may lag behind it; deciding again
// on the old object would repeat the write and count a scale event twice. The object the API server
// answered with is laid over the cached one until the cache has caught up, or until kPatience has
// passed (then the cache is right again by definition: the object was changed or deleted by others).
// The same goes for the app's own resourceVersion, which locks its status.
// One thread at a time per app (the work queue sees to it); not thread-safe by itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/workload.h"
#include "operator/base/time.h"

namespace scalableapp::controller {

class PendingWrites {
 public:
  // Long enough for a slow watch, short enough that a lost delete event does not haunt an app.
  static constexpr milliseconds kPatience{10000};

  void wrote(api::ReplicaSet replica_set, MonotonicTime now);
  void deleted(const std::string& uid, MonotonicTime now);
  void wrote(api::Pod pod, MonotonicTime now);

  // The cached ReplicaSets with our own newer writes laid over them, sorted by name.
  std::vector<std::shared_ptr<const api::ReplicaSet>> overlay(
      std::vector<std::shared_ptr<const api::ReplicaSet>> cached, MonotonicTime now);
  // The cached pods likewise, in their order; none is added.
  std::vector<std::shared_ptr<const api::Pod>> overlay(std::vector<std::shared_ptr<const api::Pod>> cached,
                                                       MonotonicTime now);
  // The app's resourceVersion to lock a write of its status with: the newer of the cache's and of what
  // our latest write left. Others' writes in between are then a conflict, until the cache shows them.
  void wrote_app(std::string resource_version, MonotonicTime now);
  const std::string& app_version(const std::string& cached, MonotonicTime now) const;
  bool has_written_app() const { return app_written_at_.has_value(); }

 private:
  template <typename Object>
  struct Written {
    std::shared_ptr<const Object> object;
    MonotonicTime at;
  };
  template <typename Object>
  using ByUid = std::map<std::string, Written<Object>>;
  template <typename Object>
  static void lay_over(ByUid<Object>& written, std::vector<std::shared_ptr<const Object>>& cached, MonotonicTime now);

  std::string app_version_;
  std::optional<MonotonicTime> app_written_at_;
  ByUid<api::ReplicaSet> replica_sets_;
  ByUid<api::Pod> pods_;
  std::map<std::string, MonotonicTime> deleted_;  // By uid.
};

}  // namespace scalableapp::controller
