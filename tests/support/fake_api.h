// A Client over a map of objects: create, get, list, update, merge patch, apply (as if by the only manager) and
// remove with uids and resource versions, AlreadyExists, Conflict and NotFound. Knows no schemas, selectors or
// watches; faults are injected by `fault`. Thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "operator/kube/client.h"

namespace scalableapp::kube {

class FakeApi final : public Client {
 public:
  // Asked before every call with the verb ("get", "create", ...); an error is the call's outcome.
  using Fault = std::function<Result<void>(std::string_view verb)>;

  void set_fault(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  // All calls so far: "create events default/web.1".
  std::vector<std::string> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  // Objects of `plural`, oldest first.
  std::vector<nlohmann::json> objects(std::string_view plural) const {
    std::lock_guard lock(mutex_);
    std::vector<nlohmann::json> found;
    for (const auto& [place, object] : objects_) {
      if (place.first == plural) found.push_back(object);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return std::stoi(a["metadata"]["uid"].template get<std::string>()) <
             std::stoi(b["metadata"]["uid"].template get<std::string>());
    });
    return found;
  }

  Result<std::string> get(const ResourceType& type, const api::ObjectKey& key) override {
    return change("get", type, key, [](nlohmann::json&) { return Result<void>(); });
  }
  Result<std::string> list(const ResourceType& type, const ListOptions& options) override {
    std::lock_guard lock(mutex_);
    const auto fault = begin("list", type, {options.namespace_name, ""});
    if (!fault) return tl::unexpected(fault.error());
    nlohmann::json items = nlohmann::json::array();
    for (const auto& [place, object] : objects_) {
      if (place.first == type.plural && place.second.namespace_name == options.namespace_name) items.push_back(object);
    }
    return nlohmann::json{{"items", items}}.dump();
  }
  Result<std::string> create(const ResourceType& type, std::string_view namespace_name,
                             std::string_view body) override {
    nlohmann::json object = nlohmann::json::parse(body);
    const api::ObjectKey key{std::string(namespace_name), object["metadata"]["name"]};
    std::lock_guard lock(mutex_);
    if (const auto fault = begin("create", type, key); !fault) return tl::unexpected(fault.error());
    if (objects_.contains({std::string(type.plural), key})) {
      return fail(ErrorCode::kAlreadyExists, to_string(key));
    }
    return store_new(type, key, std::move(object));
  }
  Result<std::string> apply(const ResourceType& type, const api::ObjectKey& key, std::string_view body,
                            std::string_view, std::string_view) override {
    const nlohmann::json wanted = nlohmann::json::parse(body);
    {
      std::lock_guard lock(mutex_);
      if (!objects_.contains({std::string(type.plural), key})) {
        if (const auto fault = begin("apply", type, key); !fault) return tl::unexpected(fault.error());
        if (wanted["metadata"].contains("uid")) return fail(ErrorCode::kConflict, to_string(key));
        return store_new(type, key, wanted);
      }
    }
    return change("apply", type, key, [&](nlohmann::json& object) { return merge(object, wanted); });
  }
  Result<std::string> patch(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, PatchKind, std::string_view,
                            std::string_view) override {
    const nlohmann::json wanted = nlohmann::json::parse(body);
    return change("patch", type, key, [&](nlohmann::json& object) { return merge(object, wanted); });
  }
  Result<std::string> update(const ResourceType& type, const api::ObjectKey& key,
                             std::string_view body, std::string_view) override {
    return change("update", type, key, [&](nlohmann::json& object) -> Result<void> {
      nlohmann::json wanted = nlohmann::json::parse(body);
      if (wanted["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]) {
        return fail(ErrorCode::kConflict, to_string(key));
      }
      object = std::move(wanted);
      return {};
    });
  }
  Result<void> remove(const ResourceType& type, const api::ObjectKey& key, const Preconditions& preconditions,
                      Propagation) override {
    std::lock_guard lock(mutex_);
    if (const auto fault = begin("remove", type, key); !fault) return fault;
    const auto found = objects_.find({std::string(type.plural), key});
    if (found == objects_.end()) return missing(type, key);
    if (!preconditions.uid.empty() && found->second["metadata"]["uid"] != preconditions.uid) {
      return fail(ErrorCode::kConflict, to_string(key));
    }
    objects_.erase(found);
    return {};
  }

 private:
  using Place = std::pair<std::string, api::ObjectKey>;

  static tl::unexpected<Error> missing(const ResourceType& type, const api::ObjectKey& key) {
    return fail(ErrorCode::kNotFound, fmt::format("{} \"{}\" not found", type.plural, key.name));
  }
  Result<void> begin(std::string_view verb, const ResourceType& type, const api::ObjectKey& key) {
    calls_.push_back(fmt::format("{} {} {}", verb, type.plural, to_string(key)));
    return fault_ ? fault_(verb) : Result<void>();
  }
  std::string store_new(const ResourceType& type, const api::ObjectKey& key, nlohmann::json object) {
    object["metadata"]["uid"] = std::to_string(version_ + 1);
    return store(type, key, std::move(object));
  }
  static Result<void> merge(nlohmann::json& object, const nlohmann::json& wanted) {
    const nlohmann::json before = object;
    object.merge_patch(wanted);
    for (const char* lock : {"uid", "resourceVersion"}) {
      if (object["metadata"][lock] != before["metadata"][lock]) return fail(ErrorCode::kConflict, lock);
    }
    return {};
  }
  std::string store(const ResourceType& type, const api::ObjectKey& key, nlohmann::json object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    return (objects_[{std::string(type.plural), key}] = std::move(object)).dump();
  }
  Result<std::string> change(std::string_view verb, const ResourceType& type,
                             const api::ObjectKey& key,
                             const std::function<Result<void>(nlohmann::json&)>& edit) {
    std::lock_guard lock(mutex_);
    if (const auto fault = begin(verb, type, key); !fault) return tl::unexpected(fault.error());
    const auto found = objects_.find({std::string(type.plural), key});
    if (found == objects_.end()) return missing(type, key);
    nlohmann::json object = found->second;
    if (const auto edited = edit(object); !edited) return tl::unexpected(edited.error());
    if (object == found->second) return object.dump();
    return store(type, key, std::move(object));
  }

  mutable std::mutex mutex_;  // Guards all below.
  Fault fault_;
  std::vector<std::string> calls_;
  std::map<Place, nlohmann::json> objects_;
  int version_ = 0;
};

}  // namespace scalableapp::kube
