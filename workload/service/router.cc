#include "workload/service/router.h"

#include <optional>

namespace scalableapp::workload {
namespace {

// What "*" stands for, "" without one; nothing if the path is another.
std::optional<std::string_view> tail_of(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with('*')) {
    return pattern == path ? std::optional(std::string_view()) : std::nullopt;
  }
  pattern.remove_suffix(1);
  if (!path.starts_with(pattern) || path.size() == pattern.size()) return std::nullopt;
  return path.substr(pattern.size());
}

}  // namespace

void Router::add(std::vector<Route> routes) {
  for (auto& route : routes) routes_.push_back(std::move(route));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  for (const auto& route : routes_) {
    const auto tail = tail_of(route.path, path);
    if (!tail) continue;
    match.path = route.path;
    if (route.method == method) {
      match.route = &route;
      match.tail = percent_decoded(*tail, PlusSign::kItself);
      return match;
    }
    match.allowed += (match.allowed.empty() ? "" : ", ") + route.method;
  }
  return match;
}

}  // namespace scalableapp::workload
