#include "operator/plugin/known_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

// Letters to add, leave out, replace or swap with their neighbour, capitals aside (the optimal
// string alignment distance, after Damerau, 1964, "A technique for computer detection and
// correction of spelling errors").
std::size_t edits(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before, last(to.size() + 1), now(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const bool same = lower(from[i - 1]) == lower(to[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && lower(from[i - 1]) == lower(to[j - 2]) &&
                           lower(from[i - 2]) == lower(to[j - 1]);
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = last;
    std::swap(last, now);
  }
  return last.back();
}

// The field that was meant, if it takes no guessing.
std::string meant(const std::string& field, const json& fields) {
  constexpr std::size_t kMostEdits = 2;
  constexpr std::size_t kLongest = 64;
  if (field.size() > kLongest) return {};
  std::size_t fewest = std::min(kMostEdits, field.size() / 3) + 1;
  std::string nearest;
  for (const auto& [known, schema] : fields.items()) {
    const std::size_t count = edits(field, known);
    if (count < fewest) {
      fewest = count;
      nearest = known;
    }
  }
  return nearest;
}

void walk(const json& value, const json& schema, const std::string& path,
          std::vector<std::string>& unknown) {
  if (!schema.is_object() || schema.value("x-kubernetes-preserve-unknown-fields", false)) return;
  if (value.is_array()) {
    const auto items = schema.find("items");
    if (items == schema.end()) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      walk(value[i], *items, fmt::format("{}[{}]", path, i), unknown);
    }
    return;
  }
  // Of a number or a text that has fields it is not their names that are wrong.
  if (!value.is_object() || schema.value("type", "") != "object") return;
  if (schema.contains("additionalProperties")) return;
  const json fields = schema.value("properties", json::object());
  for (const auto& [name, child] : value.items()) {
    const std::string place = path.empty() ? name : fmt::format("{}.{}", path, name);
    if (path.empty() && (name == "metadata" || name == "status")) continue;
    if (const auto known = fields.find(name); known != fields.end()) {
      walk(child, *known, place, unknown);
      continue;
    }
    const std::string suggestion = meant(name, fields);
    unknown.push_back(suggestion.empty()
                          ? fmt::format("{}: unknown field", place)
                          : fmt::format("{}: unknown field; did you mean {}?", place, suggestion));
  }
}

}  // namespace

std::vector<std::string> unknown_fields(const json& app, const json& schema) {
  std::vector<std::string> unknown;
  walk(app, schema, "", unknown);
  return unknown;
}

}  // namespace scalableapp::plugin
