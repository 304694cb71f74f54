// A Client over a map of objects: create, get, update, merge patch and remove with resource
// versions, AlreadyExists, Conflict and NotFound. Knows no schemas, lists or watches; faults are
// injected by `fault`. Thread-safe.
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
      return a["metadata"]["uid"].template get<int>() < b["metadata"]["uid"].template get<int>();
    });
    return found;
  }

  Result<std::string> get(const ResourceType& type, const api::ObjectKey& key) override {
    return change("get", type, key, [](nlohmann::json&) { return Result<void>(); });
  }
  Result<std::string> list(const ResourceType&, const ListOptions&) override { return unknown(); }
  Result<std::string> create(const ResourceType& type, std::string_view namespace_name,
                             std::string_view body) override {
    nlohmann::json object = nlohmann::json::parse(body);
    const api::ObjectKey key{std::string(namespace_name), object["metadata"]["name"]};
    std::lock_guard lock(mutex_);
    if (const auto fault = begin("create", type, key); !fault) return tl::unexpected(fault.error());
    if (objects_.contains({std::string(type.plural), key})) {
      return fail(ErrorCode::kAlreadyExists, to_string(key));
    }
    object["metadata"]["uid"] = version_ + 1;
    return store(type, key, std::move(object));
  }
  Result<std::string> apply(const ResourceType&, const api::ObjectKey&, std::string_view,
                            std::string_view, std::string_view) override {
    return unknown();
  }
  Result<std::string> patch(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, PatchKind, std::string_view,
                            std::string_view) override {
    return change("patch", type, key, [&](nlohmann::json& object) {
      object.merge_patch(nlohmann::json::parse(body));
      return Result<void>();
    });
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
  Result<void> remove(const ResourceType& type, const api::ObjectKey& key, const Preconditions&,
                      Propagation) override {
    std::lock_guard lock(mutex_);
    if (const auto fault = begin("remove", type, key); !fault) return fault;
    if (objects_.erase({std::string(type.plural), key}) == 0) {
      return fail(ErrorCode::kNotFound, to_string(key));
    }
    return {};
  }

 private:
  using Place = std::pair<std::string, api::ObjectKey>;

  static tl::unexpected<Error> unknown() { return fail(ErrorCode::kInvalid, "not in the fake"); }

  Result<void> begin(std::string_view verb, const ResourceType& type, const api::ObjectKey& key) {
    calls_.push_back(fmt::format("{} {} {}", verb, type.plural, to_string(key)));
    return fault_ ? fault_(verb) : Result<void>();
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
    if (found == objects_.end()) return fail(ErrorCode::kNotFound, to_string(key));
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
