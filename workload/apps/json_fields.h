// Reads the fields of a JSON body, for the .cc files of the families: errors name the field and what it should be.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "operator/base/result.h"
#include "workload/geo/cells.h"

namespace scalableapp::workload {

// kInvalid unless it is an object.
Result<nlohmann::json> parse_body(const std::string& body);
// A text of 1 to `max_bytes` bytes.
Result<std::string> text_field(const nlohmann::json& body, const char* name, std::size_t max_bytes);
// A whole number from `low` to `high`.
Result<long long> number_field(const nlohmann::json& body, const char* name, long long low, long long high);
// lat and lng.
Result<Place> place_fields(const nlohmann::json& body);

}  // namespace scalableapp::workload
