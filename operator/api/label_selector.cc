#include "operator/api/label_selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "operator/api/json_fields.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

bool meets(const json& requirement, const std::map<std::string, std::string>& labels) {
  const std::string kind = text(requirement, "operator");
  const auto label = labels.find(text(requirement, "key"));
  const bool is_there = label != labels.end();
  if (kind == "Exists") return is_there;
  if (kind == "DoesNotExist") return !is_there;
  const json& values = child(requirement, "values");
  const bool is_among = is_there && std::ranges::find(values, json(label->second)) != values.end();
  return kind == "NotIn" ? !is_among : kind == "In" && is_among;
}

}  // namespace

bool selects(const json& selector, const std::map<std::string, std::string>& labels) {
  if (!selector.is_object()) return false;
  const auto wanted = text_map(child(selector, "matchLabels"));
  return std::ranges::all_of(wanted,
                             [&](const auto& label) {
                               const auto found = labels.find(label.first);
                               return found != labels.end() && found->second == label.second;
                             }) &&
         std::ranges::all_of(child(selector, "matchExpressions"),
                             [&](const json& requirement) { return meets(requirement, labels); });
}

std::string selector_query(const json& selector) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : text_map(child(selector, "matchLabels"))) {
    parts.push_back(fmt::format("{}={}", key, value));
  }
  for (const json& requirement : child(selector, "matchExpressions")) {
    const std::string key = text(requirement, "key"), kind = text(requirement, "operator");
    if (kind == "Exists") {
      parts.push_back(key);
    } else if (kind == "DoesNotExist") {
      parts.push_back("!" + key);
    } else {
      std::vector<std::string> values;
      for (const json& value : child(requirement, "values")) {
        if (value.is_string()) values.push_back(value.get<std::string>());
      }
      parts.push_back(fmt::format("{} {} ({})", key, kind == "NotIn" ? "notin" : "in", fmt::join(values, ",")));
    }
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace scalableapp::api
