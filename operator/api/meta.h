// The slices of ObjectMeta and Condition (apimachinery meta/v1) that the operator reads and writes.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/time.h"

namespace scalableapp::api {

struct ObjectKey {
  std::string namespace_name;  // Empty for cluster-scoped objects.
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};
std::string to_string(const ObjectKey& key);  // "namespace/name"

struct OwnerReference {
  std::string uid;
  bool controller = false;
  bool operator==(const OwnerReference&) const = default;
};

struct ObjectMeta {
  std::string name;
  std::string namespace_name;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<OwnerReference> owners;
  WallTime creation_time{};
  std::optional<WallTime> deletion_time;
  bool operator==(const ObjectMeta&) const = default;
  ObjectKey key() const { return {namespace_name, name}; }
};
// The object with this uid is the controller of the one that `metadata` is of.
bool is_controlled_by(const ObjectMeta& metadata, std::string_view uid);

enum class ConditionStatus { kTrue, kFalse, kUnknown };
struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::int64_t observed_generation = 0;
  WallTime last_transition_time{};
  std::string reason;   // CamelCase word.
  std::string message;  // For a person.
  bool operator==(const Condition&) const = default;
};
// Sets or adds by type; last_transition_time moves only when the status flips.
void set_condition(std::vector<Condition>& conditions, Condition condition);
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);

}  // namespace scalableapp::api
