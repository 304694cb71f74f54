#include "workload/apps/pick.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace scalableapp::workload {

using nlohmann::json;

json pick(const json& items, std::size_t place, std::size_t count) {
  auto picked = json::array();
  for (std::size_t index = 0; index < std::min(count, items.size()); ++index) {
    picked.push_back(items[(place % items.size() + index) % items.size()]);
  }
  return picked;
}

json pick_for(const std::string& user, const json& items, std::size_t count) {
  return pick(items, std::hash<std::string>{}(user), count);
}

}  // namespace scalableapp::workload
