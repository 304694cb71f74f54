#include "operator/platform/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <memory>

namespace scalableapp {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};
constexpr spdlog::level::level_enum kSpdlogLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                       spdlog::level::warn, spdlog::level::err};

void set_format(spdlog::logger& logger, LogFormat format) {
  logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                 : "time=%Y-%m-%dT%H:%M:%S.%eZ %v",
      spdlog::pattern_time_type::utc));
}

struct State {
  State() : logger("", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_level(spdlog::level::info);
    set_format(logger, LogFormat::kText);
  }
  spdlog::logger logger;
  std::atomic<LogFormat> format{LogFormat::kText};
};

// Never destroyed: threads and destructors may log until the very end.
State& state() {
  static State& instance = *new State;
  return instance;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

bool needs_quotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' ||
                  c == 0x7f;
         });
}

void append(std::string& out, LogFormat format, std::string_view key, std::string_view value,
            bool is_bare) {
  if (format == LogFormat::kJson) {
    if (!out.empty()) out += ',';
    append_quoted(out, key);
    out += ':';
    // JSON has no inf and nan; no other bare value has an 'n' in it.
    const bool quoted = !is_bare || value.find('n') != value.npos;
    quoted ? append_quoted(out, value) : static_cast<void>(out += value);
  } else {
    if (!out.empty()) out += ' ';
    out += key;
    out += '=';
    !is_bare&& needs_quotes(value) ? append_quoted(out, value) : static_cast<void>(out += value);
  }
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  const auto* found = std::find(std::begin(kLevelNames), std::end(kLevelNames), text);
  if (found == std::end(kLevelNames)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("log level \"{}\": not one of debug, info, warn, error", text));
  }
  return static_cast<LogLevel>(found - std::begin(kLevelNames));
}

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return fail(ErrorCode::kInvalid, fmt::format("log format \"{}\": not one of text, json", text));
}

void configure_log(LogLevel least, LogFormat format) {
  State& log_state = state();
  log_state.logger.set_level(kSpdlogLevels[static_cast<int>(least)]);
  set_format(log_state.logger, format);
  log_state.format = format;
}

std::string format_log_payload(LogFormat format, LogLevel level, std::string_view message,
                               LogFields fields) {
  std::string out;
  append(out, format, "level", kLevelNames[static_cast<int>(level)], false);
  append(out, format, "msg", message, false);
  for (const LogField& field : fields) append(out, format, field.key, field.value, field.is_bare);
  return out;
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  State& log_state = state();
  const auto spdlog_level = kSpdlogLevels[static_cast<int>(level)];
  if (!log_state.logger.should_log(spdlog_level)) return;
  const std::string payload = format_log_payload(log_state.format, level, message, fields);
  log_state.logger.log(spdlog_level, spdlog::string_view_t(payload));
}

}  // namespace scalableapp
