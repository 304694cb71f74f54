#include "workload/apps/json_fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace scalableapp::workload {

using nlohmann::json;

Result<json> parse_body(const std::string& body) {
  auto parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::kInvalid, "the body must be a JSON object");
  return parsed;
}

Result<std::string> text_field(const json& body, const char* name, std::size_t max_bytes) {
  const auto found = body.find(name);
  if (found != body.end() && found->is_string()) {
    auto text = found->get<std::string>();
    if (!text.empty() && text.size() <= max_bytes) return text;
  }
  return fail(ErrorCode::kInvalid, fmt::format("{} must be a text of 1 to {} bytes", name, max_bytes));
}

Result<long long> number_field(const json& body, const char* name, long long low, long long high) {
  const auto found = body.find(name);
  if (found != body.end() && found->is_number_integer()) {
    const bool is_huge = found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    if (!is_huge && found->get<long long>() >= low && found->get<long long>() <= high) return found->get<long long>();
  }
  return fail(ErrorCode::kInvalid, fmt::format("{} must be a whole number from {} to {}", name, low, high));
}

Result<Place> place_fields(const json& body) {
  Place place;
  for (const auto& [name, degrees] : {std::pair{"lat", &place.latitude}, std::pair{"lng", &place.longitude}}) {
    const auto found = body.find(name);
    if (found == body.end() || !found->is_number()) {
      return fail(ErrorCode::kInvalid, fmt::format("{} must be a number of degrees", name));
    }
    *degrees = found->get<double>();
  }
  if (auto checked = check_place(place); !checked) return tl::unexpected(checked.error());
  return place;
}

}  // namespace scalableapp::workload
