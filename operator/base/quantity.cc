#include "operator/base/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace scalableapp {
namespace {

struct Suffix {
  std::string_view name;
  double factor;
  double divisor = 1;  // Dividing by 1000 rounds once where multiplying by 0.001 rounds twice.
};

constexpr std::array<Suffix, 16> kSuffixes{{
    {"", 1},
    {"n", 1, 1e9},
    {"u", 1, 1e6},
    {"m", 1, 1e3},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"E", 1e18},
    {"Ki", 0x1p10},
    {"Mi", 0x1p20},
    {"Gi", 0x1p30},
    {"Ti", 0x1p40},
    {"Pi", 0x1p50},
    {"Ei", 0x1p60},
}};

}  // namespace

Result<double> parse_quantity(std::string_view text) {
  std::string_view number = text;
  const bool has_sign = number.starts_with('+') || number.starts_with('-');
  const bool negative = number.starts_with('-');
  if (has_sign) number.remove_prefix(1);
  const bool starts_as_number =
      !number.empty() && (number[0] == '.' || (number[0] >= '0' && number[0] <= '9'));
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (starts_as_number && error == std::errc{} && std::isfinite(value)) {
    const auto length = static_cast<std::size_t>(end - number.data());
    // An exponent and a suffix exclude each other; "1E" is the suffix, as from_chars reads it too.
    const bool has_exponent =
        number.substr(0, length).find_first_of("eE") != std::string_view::npos;
    for (const Suffix& suffix : kSuffixes) {
      if (number.substr(length) != suffix.name || (has_exponent && !suffix.name.empty())) continue;
      return (negative ? -value : value) * suffix.factor / suffix.divisor;
    }
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("\"{}\" is no quantity such as 250m, 1.5 or 2Gi", text));
}

}  // namespace scalableapp
