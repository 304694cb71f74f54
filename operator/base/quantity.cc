#include "operator/base/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace scalableapp {

Result<double> parse_quantity(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 16> kSuffixes{{
      {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60},
      {"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15},
      {"E", 1e18}, {"", 1},
  }};
  std::string_view number = text;
  if (number.starts_with('+')) number.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const std::string_view suffix = number.substr(static_cast<std::size_t>(end - number.data()));
  if (error == std::errc{} && std::isfinite(value)) {
    for (const auto& [name, factor] : kSuffixes) {
      if (suffix == name) return value * factor;
    }
  }
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is no quantity such as 250m, 1.5 or 2Gi", text));
}

}  // namespace scalableapp
