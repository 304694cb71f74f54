// Texts put together from parts, without a format to be parsed: every decision says several. The
// bytes are those of fmt's formats named below. For the .cc files of scaling/. Pure.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace scalableapp::scaling {

// As "{:.3g}" with so many digits.
struct Significant {
  double value = 0;
  int digits = 3;
};
// As "{:.0f}".
struct Rounded {
  double value = 0;
};

inline void append_part(std::string& text, std::string_view part) { text += part; }
inline void append_part(std::string& text, std::integral auto number) {
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  text.append(digits, static_cast<std::size_t>(end - digits));
}
void append_part(std::string& text, Significant number);
void append_part(std::string& text, Rounded number);

template <typename... Parts>
void append(std::string& text, const Parts&... parts) {
  (append_part(text, parts), ...);
}
template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::string text;
  append(text, parts...);
  return text;
}

}  // namespace scalableapp::scaling
