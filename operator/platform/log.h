// The structured logger: one line an event, a constant message and key=value fields, to stderr.
//
//   log_info("scaled", {{"app", "shop/web"}, {"from", 3}, {"to", 5}});
//     time=2026-01-31T12:00:00.250Z level=info msg=scaled app=shop/web from=3 to=5
//
// The message names the kind of event and never changes; what varies goes into fields. Does not
// rotate, sample or buffer. Thread-safe; spdlog is used in log.cc only.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

// "debug", "info", "warn", "error"; kInvalid on other text.
Result<LogLevel> parse_log_level(std::string_view text);
// "text" or "json"; kInvalid on other text.
Result<LogFormat> parse_log_format(std::string_view text);

// Applies to every later line. Before the first call: info, text.
void configure_log(LogLevel least, LogFormat format);

struct LogField {
  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const char* text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const std::string& text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const Error& error)
      : key(field_key), value(fmt::format("{}: {}", to_string(error.code), error.message)) {}
  template <typename T>
  requires std::integral<T> || std::floating_point<T> LogField(std::string_view field_key, T number)
      : key(field_key), value(fmt::format("{}", number)), is_bare(true) {}

  std::string_view key;  // A word without spaces, quotes or '='.
  std::string value;
  bool is_bare = false;  // A number or a boolean: never quoted.
};
using LogFields = std::initializer_list<LogField>;

void log(LogLevel level, std::string_view message, LogFields fields);
inline void log_debug(std::string_view m, LogFields f = {}) { log(LogLevel::kDebug, m, f); }
inline void log_info(std::string_view m, LogFields f = {}) { log(LogLevel::kInfo, m, f); }
inline void log_warn(std::string_view m, LogFields f = {}) { log(LogLevel::kWarn, m, f); }
inline void log_error(std::string_view m, LogFields f = {}) { log(LogLevel::kError, m, f); }

// The line after its time: `level=info msg=... key=value` or
// `"level":"info","msg":"...","key":"value"`. Values with blanks, quotes, '=' or control characters
// are quoted and escaped as in JSON.
std::string format_log_payload(LogFormat format, LogLevel level, std::string_view message,
                               LogFields fields);

}  // namespace scalableapp
