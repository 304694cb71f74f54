#include "workload/apps/ranking.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "workload/common/burn.h"
#include "workload/common/instant.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

// From a place on, around the end.
json pick(const json& items, std::size_t first, std::size_t count) {
  auto picked = json::array();
  for (std::size_t index = 0; index < std::min(count, items.size()); ++index) {
    picked.push_back(items[(first + index) % items.size()]);
  }
  return picked;
}

std::size_t place_of(const std::string& user, const json& items) {
  return items.empty() ? 0 : std::hash<std::string>{}(user) % items.size();
}

}  // namespace

json pick_for(const std::string& user, const json& items, std::size_t count) {
  return pick(items, place_of(user, items), count);
}

json Ranking::recommend_for(const std::string& user, const json& items, std::size_t count) const {
  burn_cpu(cpu_ms_);
  std::this_thread::sleep_for(to_duration(wait_ms_ / 1000));
  return pick(items, place_of(user, items) + items.size() / 2, count);
}

}  // namespace scalableapp::workload
