// Reading a spec field by field with defaults, where each mistake becomes a sentence that names its
// field. For the api library's own .cc files (it includes the json library). Pure; one thread.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/api/json_fields.h"
#include "operator/api/scalable_app.h"

namespace scalableapp::api {

// A place in the spec: its value, null if absent, and its name in messages.
struct Field {
  const nlohmann::json& value;
  std::string path;
  Field operator[](const char* name) const { return {child(value, name), path + "." + name}; }
  bool is_set() const { return !value.is_null(); }
};

template <typename T>
using Choices = std::initializer_list<std::pair<const char*, T>>;

// Reads fields with their defaults. What is wrong becomes a problem and the default, so that one
// mistake is told once and hides no other.
class SpecReader {
 public:
  explicit SpecReader(std::vector<std::string>& problems) : problems_(problems) {}

  void wrong(const Field& field, std::string_view should);
  // No fallback: the field is required.
  int whole(const Field& field, std::optional<int> fallback, int low, int high);
  double number(const Field& field, double fallback);
  bool flag(const Field& field, bool fallback);
  std::string words(const Field& field);
  // The elements; none where the field is something else than a list.
  std::vector<Field> list(const Field& field);
  std::vector<Field> list(const Field& field, std::size_t least, std::size_t most);
  // Whether there are fields in it; something else than an object is a mistake.
  bool is_block(const Field& field);
  // A number over 0, given as a number or as a quantity's text.
  double positive(const Field& field);
  // The same from 0 on; 0 if absent.
  double not_negative(const Field& field);
  // atLeast and atMost of it.
  Range range(const Field& field);
  std::optional<WallTime> time(const Field& field);
  IntOrPercent int_or_percent(const Field& field, IntOrPercent fallback, int max_percent);

  // No fallback: the field is required, and nullopt where it is wrong.
  template <typename T>
  std::optional<T> choice(const Field& field, std::optional<T> fallback, Choices<T> choices) {
    if (!field.is_set() && fallback) return fallback;
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      if (field.value == name) return value;
      names.push_back(name);
    }
    const std::string last = std::move(names.back());
    names.pop_back();
    wrong(field, fmt::format("must be {} or {}", fmt::join(names, ", "), last));
    return fallback;
  }

 private:
  std::vector<std::string>& problems_;
};

}  // namespace scalableapp::api
