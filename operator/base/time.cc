#include "operator/base/time.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace scalableapp {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

struct Parts {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<milliseconds> time;
};

Parts parts_of(WallTime time) {
  const auto day = std::chrono::floor<days>(time);
  return {std::chrono::year_month_day{day}, std::chrono::hh_mm_ss<milliseconds>{time - day}};
}

std::string format_to_seconds(const Parts& parts) {
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int(parts.date.year()),
                     unsigned(parts.date.month()), unsigned(parts.date.day()),
                     parts.time.hours().count(), parts.time.minutes().count(),
                     parts.time.seconds().count());
}

// Reads exactly `width` digits at `at` and moves past them.
bool read_number(std::string_view text, std::size_t& at, std::size_t width, int& number) {
  if (at + width > text.size()) return false;
  number = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const char c = text[at + i];
    if (c < '0' || c > '9') return false;
    number = number * 10 + (c - '0');
  }
  at += width;
  return true;
}

bool read_char(std::string_view text, std::size_t& at, char wanted) {
  if (at >= text.size() || text[at] != wanted) return false;
  ++at;
  return true;
}

tl::unexpected<Error> bad_time(std::string_view text) {
  return fail(ErrorCode::kDecode,
              fmt::format("\"{}\" is no RFC 3339 time such as 2026-01-31T12:00:00Z", text));
}

tl::unexpected<Error> bad_duration(std::string_view text) {
  return fail(ErrorCode::kInvalid,
              fmt::format("\"{}\" is no duration such as 200ms, 1.5s or 1m30s", text));
}

}  // namespace

std::string format_rfc3339(WallTime time) { return format_to_seconds(parts_of(time)) + "Z"; }

std::string format_rfc3339_micro(WallTime time) {
  const Parts parts = parts_of(time);
  return fmt::format("{}.{:06}Z", format_to_seconds(parts), parts.time.subseconds().count() * 1000);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  std::size_t at = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool shape = read_number(text, at, 4, year) && read_char(text, at, '-') &&
                     read_number(text, at, 2, month) && read_char(text, at, '-') &&
                     read_number(text, at, 2, day) &&
                     (read_char(text, at, 'T') || read_char(text, at, 't')) &&
                     read_number(text, at, 2, hour) && read_char(text, at, ':') &&
                     read_number(text, at, 2, minute) && read_char(text, at, ':') &&
                     read_number(text, at, 2, second);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{unsigned(month)},
                                         std::chrono::day{unsigned(day)}};
  if (!shape || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad_time(text);
  milliseconds fraction{0};
  if (read_char(text, at, '.')) {
    int scale = 100;
    const std::size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      fraction += milliseconds{(text[at] - '0') * scale};
    }
    if (at == first) return bad_time(text);
  }
  minutes offset{0};
  if (!read_char(text, at, 'Z') && !read_char(text, at, 'z')) {
    if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return bad_time(text);
    const int sign = text[at++] == '-' ? -1 : 1;
    int offset_hours = 0, offset_minutes = 0;
    if (!read_number(text, at, 2, offset_hours) || !read_char(text, at, ':') ||
        !read_number(text, at, 2, offset_minutes) || offset_hours > 23 || offset_minutes > 59) {
      return bad_time(text);
    }
    offset = minutes{sign * (offset_hours * 60 + offset_minutes)};
  }
  if (at != text.size()) return bad_time(text);
  return WallTime{std::chrono::sys_days{date}} + hours{hour} + minutes{minute} + seconds{second} +
         fraction - offset;
}

Result<milliseconds> parse_duration(std::string_view text) {
  constexpr double kTenYearsMs = 10.0 * 365 * 24 * 3600 * 1000;
  if (text == "0") return milliseconds{0};
  if (text.empty()) return bad_duration(text);
  double total_ms = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    if (rest[0] != '.' && (rest[0] < '0' || rest[0] > '9')) return bad_duration(text);
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc{}) return bad_duration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    double unit_ms = 0;
    std::size_t width = 1;
    if (rest.starts_with("ms")) {
      unit_ms = 1, width = 2;
    } else if (rest.starts_with("us")) {
      unit_ms = 1e-3, width = 2;
    } else if (rest.starts_with("s")) {
      unit_ms = 1e3;
    } else if (rest.starts_with("m")) {
      unit_ms = 6e4;
    } else if (rest.starts_with("h")) {
      unit_ms = 3.6e6;
    } else {
      return bad_duration(text);
    }
    rest.remove_prefix(width);
    total_ms += number * unit_ms;
    if (!(total_ms <= kTenYearsMs)) return bad_duration(text);
  }
  return milliseconds{static_cast<std::int64_t>(total_ms + 0.5)};
}

std::string format_duration(milliseconds duration) {
  if (duration.count() == 0) return "0s";
  std::string text = duration.count() < 0 ? "-" : "";
  std::int64_t ms = duration.count() < 0 ? -duration.count() : duration.count();
  if (ms < 1000) return text + std::to_string(ms) + "ms";
  if (ms >= 3'600'000) text += std::to_string(ms / 3'600'000) + "h", ms %= 3'600'000;
  if (ms >= 60'000) text += std::to_string(ms / 60'000) + "m", ms %= 60'000;
  if (ms % 1000 != 0) return text + fmt::format("{:g}s", static_cast<double>(ms) / 1000.0);
  if (ms > 0) text += std::to_string(ms / 1000) + "s";
  return text;
}

}  // namespace scalableapp
