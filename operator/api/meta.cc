#include "operator/api/meta.h"

#include <algorithm>

namespace scalableapp::api {

std::string to_string(const ObjectKey& key) {
  return key.namespace_name.empty() ? key.name : key.namespace_name + "/" + key.name;
}

bool is_controlled_by(const ObjectMeta& metadata, std::string_view uid) {
  return std::ranges::any_of(metadata.owners, [&](const auto& owner) { return owner.controller && owner.uid == uid; });
}

void set_condition(std::vector<Condition>& conditions, Condition condition) {
  const auto found = std::ranges::find(conditions, condition.type, &Condition::type);
  if (found == conditions.end()) {
    conditions.push_back(std::move(condition));
    return;
  }
  if (found->status == condition.status)
    condition.last_transition_time = found->last_transition_time;
  *found = std::move(condition);
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

}  // namespace scalableapp::api
