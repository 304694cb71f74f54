#include "operator/api/spec_reader.h"

#include "operator/base/quantity.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// A number, or a quantity's text, as a number.
std::optional<double> quantity(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto parsed = parse_quantity(value.get_ref<const std::string&>());
  return parsed ? std::optional{*parsed} : std::nullopt;
}

}  // namespace

void SpecReader::wrong(const Field& field, std::string_view should) {
  problems_.push_back(fmt::format("{}: {}", field.path, should));
}

int SpecReader::whole(const Field& field, std::optional<int> fallback, int low, int high) {
  const json& value = field.value;
  if (value.is_null() && fallback) return *fallback;
  if (value.is_number_integer() && value >= low && value <= high) return value.get<int>();
  wrong(field, fmt::format("must be a whole number from {} to {}", low, high));
  return fallback.value_or(low);
}

double SpecReader::number(const Field& field, double fallback) {
  if (field.value.is_number()) return field.value.get<double>();
  if (field.is_set()) wrong(field, "must be a number");
  return fallback;
}

bool SpecReader::flag(const Field& field, bool fallback) {
  if (field.value.is_boolean()) return field.value.get<bool>();
  if (field.is_set()) wrong(field, "must be true or false");
  return fallback;
}

std::string SpecReader::words(const Field& field) {
  if (field.value.is_string()) return field.value.get<std::string>();
  if (field.is_set()) wrong(field, "must be text");
  return {};
}

std::vector<Field> SpecReader::list(const Field& field) {
  std::vector<Field> elements;
  if (field.is_set() && !field.value.is_array()) {
    wrong(field, "must be a list");
    return elements;
  }
  for (const json& element : field.value) {
    elements.push_back({element, fmt::format("{}[{}]", field.path, elements.size())});
  }
  return elements;
}

std::vector<Field> SpecReader::list(const Field& field, std::size_t least, std::size_t most) {
  std::vector<Field> elements = list(field);
  const bool is_list = !field.is_set() || field.value.is_array();
  if (is_list && (elements.size() < least || elements.size() > most)) {
    wrong(field, fmt::format("must have {} to {} elements", least, most));
  }
  return elements;
}

bool SpecReader::is_block(const Field& field) {
  if (field.is_set() && !field.value.is_object()) {
    wrong(field, "must hold fields of its own, or be {}");
  }
  return field.value.is_object();
}

double SpecReader::positive(const Field& field) {
  const double value = quantity(field.value).value_or(0);
  if (!(value > 0)) wrong(field, "must be a quantity over 0 such as 100, \"0.5\" or \"500m\"");
  return value;
}

double SpecReader::not_negative(const Field& field) {
  if (!field.is_set()) return 0;
  const double value = quantity(field.value).value_or(-1);
  if (value >= 0) return value;
  wrong(field, "must be a quantity of at least 0 such as 5 or \"500m\"");
  return 0;
}

Range SpecReader::range(const Field& field) {
  Range range;
  if (field["atLeast"].is_set()) range.at_least = number(field["atLeast"], 0);
  if (field["atMost"].is_set()) range.at_most = number(field["atMost"], 0);
  if (range.at_least && range.at_most && *range.at_least > *range.at_most) {
    wrong(field["atLeast"], "must not be greater than atMost: no value could ever be within them");
  }
  return range;
}

std::optional<WallTime> SpecReader::time(const Field& field) {
  if (!field.is_set()) return std::nullopt;
  if (field.value.is_string()) {
    if (const auto time = parse_rfc3339(field.value.get_ref<const std::string&>())) return *time;
  }
  wrong(field, "must be a time such as 2026-01-31T12:00:00Z");
  return std::nullopt;
}

IntOrPercent SpecReader::int_or_percent(const Field& field, IntOrPercent fallback,
                                        int max_percent) {
  const json& value = field.value;
  if (value.is_null()) return fallback;
  if (value.is_number_integer() && value >= 0 && value <= 100'000) {
    return {value.get<int>(), false};
  }
  if (value.is_string()) {
    const auto& written = value.get_ref<const std::string&>();
    if (written.size() > 1 && written.size() < 6 && written.back() == '%' &&
        written.find_first_not_of("0123456789") == written.size() - 1) {
      const int percent = std::stoi(written);
      if (percent <= max_percent) return {percent, true};
    }
  }
  wrong(field,
        fmt::format("must be a whole number or a percentage from \"0%\" to \"{}%\"", max_percent));
  return fallback;
}

}  // namespace scalableapp::api
