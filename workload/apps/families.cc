#include "workload/apps/families.h"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "workload/apps/jobs.h"
#include "workload/apps/orders.h"
#include "workload/apps/profiles.h"
#include "workload/apps/restaurants.h"
#include "workload/apps/rides.h"
#include "workload/apps/sessions.h"

namespace scalableapp::workload {
namespace {

using Made = Result<std::unique_ptr<RouteFamily>>;

Made profiles(const AppParts& parts) {
  if (parts.region.empty()) return fail(ErrorCode::kInvalid, "--apps=profiles: needs --region");
  return make_profiles(parts);
}

const std::map<std::string, std::function<Made(const AppParts&)>, std::less<>>& known() {
  static const std::map<std::string, std::function<Made(const AppParts&)>, std::less<>> families{
      {"orders", [](const AppParts& parts) -> Made { return make_orders(parts); }},
      {"profiles", profiles},
      {"restaurants", make_restaurants},
      {"rides", [](const AppParts& parts) -> Made { return make_rides(parts); }}};
  return families;
}

std::string all_names() {
  std::string names;
  for (const auto& [name, make] : known()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

Result<std::vector<std::unique_ptr<RouteFamily>>> make_families(const std::string& names, const AppParts& parts) {
  std::vector<std::unique_ptr<RouteFamily>> families;
  families.push_back(make_sessions(parts));
  families.push_back(make_jobs(parts));
  std::string_view rest = names;
  while (!rest.empty()) {
    const auto name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    const auto found = known().find(name);
    if (found == known().end()) {
      return fail(ErrorCode::kInvalid, fmt::format("--apps={}: \"{}\" is none of {}", names, name, all_names()));
    }
    auto made = found->second(parts);
    if (!made) return tl::unexpected(made.error());
    families.push_back(std::move(*made));
  }
  return families;
}

}  // namespace scalableapp::workload
