#include "operator/scaling/text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>

namespace scalableapp::scaling {
namespace {

constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
constexpr int kMostDigits = 6;  // Of a number from 0.001 on: 0.00123456 is 123456 of the eighth power.
constexpr double kMostWhole = 1e15;  // A double has its half as well.
// So near to a half, which way to round is to be known to the last bit.
constexpr double kNearHalf = 1e-6;

// Rounds; false where that needs more than double arithmetic.
bool round_to(double number, std::int64_t& rounded) {
  rounded = static_cast<std::int64_t>(number);
  const double rest = number - static_cast<double>(rounded);
  rounded += rest > 0.5;
  return std::abs(rest - 0.5) > kNearHalf;
}

bool append_quickly(std::string& text, double value, int digits) {
  if (value == 0 && !std::signbit(value)) {
    text += '0';
    return true;
  }
  if (digits > kMostDigits || !(value >= 1e-3) || !(value < kPowers[digits])) return false;
  if (const auto whole = static_cast<std::int64_t>(value); value == static_cast<double>(whole)) {
    append_part(text, whole);
    return true;
  }
  int decimals = digits - 1;
  for (int power = 1; value >= kPowers[power]; ++power) --decimals;
  for (int power = 0; value * kPowers[power] < 1; ++power) ++decimals;
  std::int64_t number = 0;
  if (!round_to(value * kPowers[decimals], number)) return false;
  if (decimals == 0 && static_cast<double>(number) >= kPowers[digits]) return false;  // 1e+03.
  for (; decimals > 0 && number % 10 == 0; --decimals) number /= 10;
  char characters[24];
  char* end = std::end(characters);
  char* begin = end;
  for (; decimals > 0 || number > 0 || begin == end || *begin == '.'; number /= 10) {
    *--begin = static_cast<char>('0' + number % 10);
    if (--decimals == 0) *--begin = '.';
  }
  text.append(begin, static_cast<std::size_t>(end - begin));
  return true;
}

}  // namespace

void append_part(std::string& text, Significant number) {
  if (append_quickly(text, number.value, number.digits)) return;
  fmt::format_to(std::back_inserter(text), "{:.{}g}", number.value, number.digits);
}

void append_part(std::string& text, Rounded number) {
  std::int64_t rounded = 0;
  if (number.value > 0 && number.value < kMostWhole && round_to(number.value, rounded)) {
    append_part(text, rounded);
  } else {
    fmt::format_to(std::back_inserter(text), "{:.0f}", number.value);
  }
}

}  // namespace scalableapp::scaling
