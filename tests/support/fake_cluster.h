// A small world for tests of the reconciler: an API server's objects as JSON in a map, the parts of
// Kubernetes that make pods for ReplicaSets and start them, caches that show it all (after `lag`),
// and faults on writes. It knows what the operator uses and nothing else: create, list, server-side apply
// of specs and status by a sole owner, strategic merge of pod conditions ("patch" in `writes`), merge
// ("annotate" of pods, "patch" of others), delete; uid and resourceVersion as locks. One thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/kube/client.h"
#include "operator/kube/store.h"
#include "tests/support/fake_clock.h"

namespace scalableapp::kube {

// What becomes of one write.
enum class Fault { kNone, kConflict, kRefused, kServerError, kTimeoutBefore, kTimeoutAfter, kDieBefore, kDieAfter };
// Thrown through the reconciler: the process is gone.
struct Died {};

class FakeCluster final : public Client {
 public:
  using Json = nlohmann::json;

  explicit FakeCluster(FakeClock& clock) : clock_(clock) {}

  // --- what a test sets ---------------------------------------------------------------------------
  milliseconds lag{0};                // Until the caches show a change.
  milliseconds start_time{1000};      // From a pod's creation until its containers are ready.
  milliseconds stop_time{1000};       // From a pod's deletion until it is gone.
  std::string pod_ip;                 // Of every pod that runs; empty: they have none.
  std::string crashing_image;         // Pods with it never get ready.
  std::string slow_image;             // Pods with it do not start yet.
  std::function<Fault(const std::string& write)> fault;  // Asked for each write.
  bool unreadable = false;            // Gets fail.

  // --- what the operator reads --------------------------------------------------------------------
  Store<api::ScalableApp> apps;
  Store<api::ReplicaSet> replica_sets{[](const auto& object) { return index_of(object.metadata); }};
  Store<api::Pod> pods{[](const auto& object) { return index_of(object.metadata); }};

  // All writes that were asked for: "create replicasets demo/web-abc".
  std::vector<std::string> writes;
  int writes_of(std::string_view text) const {
    return static_cast<int>(std::ranges::count_if(
        writes, [&](const auto& write) { return write.find(text) != std::string::npos; }));
  }

  // --- what people do -----------------------------------------------------------------------------
  // Creates the app, or gives it another spec.
  void put_app(const api::ObjectKey& key, Json spec) {
    Json object = at(kScalableApps, key);
    if (object.is_null()) {
      object = {{"apiVersion", "scalableapp.io/v1alpha1"}, {"kind", "ScalableApp"},
                {"metadata", {{"name", key.name}, {"namespace", key.namespace_name}}}};
      add_new(kScalableApps, key, object);
    }
    object["metadata"]["generation"] = object["metadata"].value("generation", 0) + 1;
    object["spec"] = std::move(spec);
    store(kScalableApps, key, std::move(object));
  }
  void put(const ResourceType& type, Json object) {
    const api::ObjectKey key{object["metadata"]["namespace"], object["metadata"]["name"]};
    if (!object["metadata"].contains("uid")) add_new(type, key, object);
    store(type, key, std::move(object));
  }
  void erase(const ResourceType& type, const api::ObjectKey& key) {
    objects_.erase({std::string(type.plural), key});
    changes_.push_back({clock_.monotonic_now() + lag, std::string(type.plural), key, nullptr});
  }
  Json at(const ResourceType& type, const api::ObjectKey& key) const {
    const auto found = objects_.find({std::string(type.plural), key});
    return found == objects_.end() ? Json() : found->second;
  }
  std::vector<Json> all(const ResourceType& type) const {
    std::vector<Json> found;
    for (const Json* object : look_at(type)) found.push_back(*object);
    return found;
  }
  // Sets a pod's condition as the kubelet does.
  void set_condition(Json& pod, std::string_view type, bool value) {
    const Json condition{{"type", type}, {"status", value ? "True" : "False"},
                         {"lastTransitionTime", format_rfc3339(clock_.wall_now())}};
    Json& conditions = pod["status"]["conditions"];
    for (Json& one : conditions) {
      if (one["type"] != type) continue;
      if (one["status"] != condition["status"]) one = condition;
      return;
    }
    conditions.push_back(condition);
  }

  // --- what Kubernetes does -----------------------------------------------------------------------
  // ReplicaSet controller, kubelet, watches.
  void tick() {
    for (const Json& replica_set : all(kReplicaSets)) keep_pods(replica_set);
    for (const Json* pod : look_at(kPods)) run_pod(*pod);
    while (!changes_.empty() && changes_.front().visible <= clock_.monotonic_now()) {
      show(changes_.front());
      changes_.pop_front();
    }
  }
  // Pods that take traffic.
  int serving() const {
    return static_cast<int>(std::ranges::count_if(look_at(kPods), [](const Json* pod) {
      return is(*pod, "Ready") && !(*pod)["metadata"].contains("deletionTimestamp");
    }));
  }
  static bool is(const Json& pod, std::string_view type) {
    for (const Json& one : pod.at("status").at("conditions")) {
      if (one["type"] == type) return one["status"] == "True";
    }
    return false;
  }

  // --- Client -------------------------------------------------------------------------------------
  Result<std::string> get(const ResourceType& type, const api::ObjectKey& key) override {
    if (unreadable) return fail(ErrorCode::kUnavailable, "injected");
    const Json object = at(type, key);
    if (object.is_null()) return fail(ErrorCode::kNotFound, to_string(key));
    return object.dump();
  }
  Result<std::string> list(const ResourceType& type, const ListOptions& options) override {
    Json items = Json::array();
    for (const Json* object : look_at(type)) {
      if ((*object)["metadata"]["namespace"] == options.namespace_name) items.push_back(*object);
    }
    return Json{{"items", items}}.dump();
  }
  Result<std::string> update(const ResourceType&, const api::ObjectKey&, std::string_view,
                             std::string_view) override {
    return unknown();
  }
  Result<std::string> create(const ResourceType& type, std::string_view namespace_name,
                             std::string_view body) override {
    Json object = Json::parse(body);
    const api::ObjectKey key{std::string(namespace_name), object["metadata"]["name"]};
    return write("create", type, key, [&]() -> Result<std::string> {
      if (!at(type, key).is_null()) return fail(ErrorCode::kAlreadyExists, to_string(key));
      add_new(type, key, object);
      return store(type, key, object);
    });
  }
  Result<std::string> apply(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, std::string_view,
                            std::string_view subresource) override {
    return write(subresource == "status" ? "status" : "apply", type, key, [&]() -> Result<std::string> {
      Json made = Json::parse(body);
      const bool has_lock = made["metadata"].contains("uid") || made["metadata"].contains("resourceVersion");
      if (at(type, key).is_null() && !has_lock) {
        made["metadata"]["namespace"] = key.namespace_name;
        add_new(type, key, made);
        return store(type, key, std::move(made));
      }
      return edit(type, key, made, [&](Json& object, const Json& wanted) {
        if (subresource == "status") {
          object["status"] = wanted["status"];
        } else if (type != kReplicaSets) {
          object.merge_patch(wanted);
        } else {
          object.merge_patch(Json{{"spec", wanted["spec"]}});
          // The one annotation that this field manager owns: what is not applied again goes.
          Json& annotations = object["metadata"]["annotations"];
          annotations.erase(api::kSizeChangeAnnotation);
          if (wanted["metadata"].contains("annotations")) annotations.update(wanted["metadata"]["annotations"]);
        }
      });
    });
  }
  Result<std::string> patch(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, PatchKind, std::string_view subresource,
                            std::string_view) override {
    return write(subresource == "status" || type != kPods ? "patch" : "annotate", type, key, [&] {
      return edit(type, key, Json::parse(body), [&](Json& object, const Json& wanted) {
        if (subresource != "status") {
          object.merge_patch(wanted);
          return;
        }
        Json& conditions = object["status"]["conditions"];
        for (const Json& condition : wanted["status"]["conditions"]) {
          const auto same = [&](const Json& one) { return one["type"] == condition["type"]; };
          const auto found = std::find_if(conditions.begin(), conditions.end(), same);
          if (found == conditions.end()) conditions.push_back(condition);
          else *found = condition;
        }
      });
    });
  }
  Result<void> remove(const ResourceType& type, const api::ObjectKey& key,
                      const Preconditions& preconditions, Propagation) override {
    const auto done = write("remove", type, key, [&]() -> Result<std::string> {
      const Json object = at(type, key);
      if (object.is_null()) return fail(ErrorCode::kNotFound, to_string(key));
      if (!preconditions.resource_version.empty() &&
          preconditions.resource_version != object["metadata"]["resourceVersion"]) {
        return fail(ErrorCode::kConflict, to_string(key));
      }
      erase(type, key);
      return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    return {};
  }

 private:
  struct Change {
    MonotonicTime visible;
    std::string plural;
    api::ObjectKey key;
    Json object;  // Null: deleted.
  };

  // Stays valid while nothing is erased.
  std::vector<const Json*> look_at(const ResourceType& type) const {
    std::vector<const Json*> found;
    for (const auto& [place, object] : objects_) {
      if (place.first == type.plural) found.push_back(&object);
    }
    return found;
  }
  static tl::unexpected<Error> unknown() { return fail(ErrorCode::kInternal, "not in the fake"); }
  static std::string index_of(const api::ObjectMeta& metadata) {
    const auto label = metadata.labels.find(api::kAppLabel);
    return label == metadata.labels.end() ? "" : metadata.namespace_name + "/" + label->second;
  }

  void add_new(const ResourceType& type, const api::ObjectKey& key, Json& object) {
    object["metadata"]["uid"] = fmt::format("{}-{}-{}", type.plural, key.name, ++uids_);
    object["metadata"]["creationTimestamp"] = format_rfc3339(clock_.wall_now());
    object["metadata"]["creationMillis"] = clock_.monotonic_now().time_since_epoch().count();
  }
  std::string store(const ResourceType& type, const api::ObjectKey& key, Json object) {
    Json& present = objects_[{std::string(type.plural), key}];
    object["metadata"]["resourceVersion"] = fmt::format("{}", ++version_);
    present = object;
    changes_.push_back({clock_.monotonic_now() + lag, std::string(type.plural), key, present});
    return present.dump();
  }
  Result<std::string> edit(const ResourceType& type, const api::ObjectKey& key, const Json& wanted,
                           const std::function<void(Json&, const Json&)>& change) {
    const Json present = at(type, key);
    if (present.is_null()) return fail(ErrorCode::kNotFound, to_string(key));
    for (const char* lock : {"uid", "resourceVersion"}) {
      if (wanted.contains("metadata") && wanted["metadata"].contains(lock) &&
          wanted["metadata"][lock] != present["metadata"][lock]) {
        return fail(ErrorCode::kConflict, fmt::format("{}: {}", to_string(key), lock));
      }
    }
    Json object = present;
    change(object, wanted);
    return object == present ? present.dump() : store(type, key, std::move(object));
  }
  Result<std::string> write(std::string_view verb, const ResourceType& type,
                            const api::ObjectKey& key,
                            const std::function<Result<std::string>()>& carry_out) {
    writes.push_back(fmt::format("{} {} {}", verb, type.plural, to_string(key)));
    switch (fault ? fault(writes.back()) : Fault::kNone) {
      case Fault::kNone:
        return carry_out();
      case Fault::kConflict:
        return fail(ErrorCode::kConflict, "injected");
      case Fault::kRefused:
        return fail(ErrorCode::kForbidden, "exceeded quota");
      case Fault::kServerError:
        return fail(ErrorCode::kUnavailable, "injected");
      case Fault::kTimeoutAfter:
        carry_out();
        [[fallthrough]];
      case Fault::kTimeoutBefore:
        return fail(ErrorCode::kTimeout, "injected");
      case Fault::kDieAfter:
        carry_out();
        [[fallthrough]];
      case Fault::kDieBefore:
        throw Died{};
    }
    return unknown();
  }

  // Makes and condemns pods as the ReplicaSet asks: those that have not started go first, then those that
  // do not serve, then the cheapest, then the youngest.
  void keep_pods(const Json& replica_set) {
    const api::ObjectKey key{replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]};
    std::vector<const Json*> live;
    for (const Json* pod : look_at(kPods)) {
      const Json& metadata = pod->at("metadata");
      if (metadata["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"] &&
          !metadata.contains("deletionTimestamp") && pod->at("status")["phase"] != "Failed") {
        live.push_back(pod);
      }
    }
    const auto wanted = replica_set["spec"]["replicas"].get<std::size_t>();
    for (std::size_t count = live.size(); count < wanted; ++count) {
      Json pod{{"metadata", replica_set["spec"]["template"]["metadata"]},
               {"spec", replica_set["spec"]["template"]["spec"]},
               {"status", {{"phase", "Pending"}, {"conditions", Json::array()}}}};
      const api::ObjectKey name{key.namespace_name, fmt::format("{}-{:05}", key.name, ++pods_made_)};
      pod["metadata"]["name"] = name.name;
      pod["metadata"]["namespace"] = name.namespace_name;
      pod["metadata"]["ownerReferences"] = {{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"},
                                             {"name", key.name}, {"controller", true},
                                             {"uid", replica_set["metadata"]["uid"]}}};
      add_new(kPods, name, pod);
      store(kPods, name, std::move(pod));
    }
    std::ranges::stable_sort(live, {}, [](const Json* pod) {
      const Json& metadata = pod->at("metadata");
      return std::tuple(pod->at("status")["phase"] != "Pending", is(*pod, "Ready"), deletion_cost(metadata),
                        -metadata["creationMillis"].get<std::int64_t>());
    });
    for (std::size_t i = 0; i + wanted < live.size(); ++i) {
      Json pod = *live[i];
      pod["metadata"]["deletionTimestamp"] = format_rfc3339(clock_.wall_now());
      pod["metadata"]["deletionMillis"] = clock_.monotonic_now().time_since_epoch().count();
      store(kPods, {key.namespace_name, pod["metadata"]["name"]}, pod);
    }
  }

  static int deletion_cost(const Json& metadata) {
    const Json annotations = metadata.value("annotations", Json::object());
    return std::stoi(annotations.value(api::kDeletionCostAnnotation, "0"));
  }

  void run_pod(const Json& present) {
    const Json& metadata = present.at("metadata");
    const api::ObjectKey key{metadata["namespace"], metadata["name"]};
    const auto since = [&](const char* name) {
      return clock_.monotonic_now().time_since_epoch().count() - metadata[name].get<std::int64_t>();
    };
    if (metadata.contains("deletionMillis") && since("deletionMillis") >= stop_time.count()) {
      return erase(kPods, key);
    }
    const bool starts = present["status"]["phase"] == "Pending" && since("creationMillis") >= start_time.count();
    if (!starts && is(present, "Ready") == should_be_ready(present)) return;
    if (starts && present["spec"]["containers"][0]["image"] == slow_image) return;
    Json pod = present;
    if (starts && pod["spec"]["containers"][0]["image"] == crashing_image) {
      pod["status"]["containerStatuses"] = {
          {{"state", {{"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off"}}}}}}};
    } else if (starts) {
      pod["status"].erase("containerStatuses");
      pod["status"]["phase"] = "Running";
      if (!pod_ip.empty()) pod["status"]["podIP"] = pod_ip;
      pod["status"]["startTime"] = format_rfc3339(clock_.wall_now());
      set_condition(pod, "ContainersReady", true);
    }
    set_condition(pod, "Ready", should_be_ready(pod));
    if (pod != present) store(kPods, key, std::move(pod));
  }
  static bool should_be_ready(const Json& pod) {
    bool ready = is(pod, "ContainersReady");
    for (const Json& gate : pod["spec"].value("readinessGates", Json::array())) {
      ready = ready && is(pod, gate["conditionType"].get<std::string>());
    }
    return ready;
  }

  void show(const Change& change) {
    const auto put_into = [&](auto& cache, auto decode) {
      using Object = typename decltype(decode(Json()))::value_type;
      if (change.object.is_null()) return void(cache.put(change.key, nullptr));
      auto object = decode(change.object);
      if (object) cache.put(change.key, std::make_shared<const Object>(std::move(*object)));
    };
    if (change.plural == kScalableApps.plural) put_into(apps, api::decode_scalable_app);
    if (change.plural == kReplicaSets.plural) put_into(replica_sets, api::decode_replica_set);
    if (change.plural == kPods.plural) put_into(pods, api::decode_pod);
  }

  FakeClock& clock_;
  std::map<std::pair<std::string, api::ObjectKey>, Json> objects_;
  std::deque<Change> changes_;
  int version_ = 100;
  int uids_ = 0;
  int pods_made_ = 0;
};

}  // namespace scalableapp::kube
