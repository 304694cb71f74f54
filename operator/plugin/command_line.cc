#include "operator/plugin/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "operator/base/time.h"

namespace scalableapp::plugin {
namespace {

// Every line of `block` behind `indent`.
std::string indented(std::string_view block, std::string_view indent) {
  std::string out;
  while (!block.empty()) {
    const auto end = std::min(block.find('\n'), block.size());
    if (end > 0) out += indent;
    out += block.substr(0, end);
    out += '\n';
    block.remove_prefix(std::min(end + 1, block.size()));
  }
  return out;
}

tl::unexpected<Error> must_be(std::string_view name, std::string_view value,
                              std::string_view should) {
  return fail(ErrorCode::kInvalid, fmt::format("--{}={}: must be {}", name, value, should));
}

template <typename Number>
std::optional<Number> parse_number(const std::string& value) {
  Number parsed{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return parsed;
}

std::optional<double> parse_seconds(std::string value) {
  double days = 0;
  if (const auto at = value.find('d'); at != std::string::npos) {
    const auto parsed = parse_number<int>(value.substr(0, at));
    if (!parsed || *parsed < 0) return std::nullopt;
    days = *parsed;
    value.erase(0, at + 1);
    if (value.empty()) return days * 86'400;
  }
  const auto rest = parse_duration(value);
  if (!rest) return std::nullopt;
  return days * 86'400 + static_cast<double>(rest->count()) / 1000;
}

std::string duration_text(double seconds_count) {
  return format_duration(milliseconds(std::llround(seconds_count * 1000)));
}

std::string dashed(const Flag& flag) { return fmt::format("--{}", flag.name); }

}  // namespace

std::string wrapped(std::string_view words, std::size_t width, std::string_view indent) {
  std::string out;
  std::size_t column = 0;
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (column > 0 && column + 1 + end > width) {
      out += '\n';
      out += indent;
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += words.substr(0, end);
    column += end;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

std::string help_of(const Command& command) {
  std::string help = command.summary + "\n";
  if (!command.description.empty()) help += "\n" + indented(command.description, " ");
  help += "\nExamples:\n" + indented(command.examples, "  ");
  if (!command.flags.empty()) {
    help += "\nOptions:\n";
    auto flags = command.flags;
    std::ranges::sort(flags, {}, &Flag::name);
    for (std::size_t i = 0; i < flags.size(); ++i) {
      const Flag& flag = flags[i];
      if (i > 0) help += "\n";
      help += flag.letter != 0 ? fmt::format("    -{}, ", flag.letter) : std::string("    ");
      help += fmt::format("--{}={}:\n", flag.name, flag.default_value);
      help += indented(wrapped(flag.help, 92), "\t");
    }
  }
  help += "\nUsage:\n  kubectl scalableapp " + command.usage + "\n";
  return help;
}

Result<bool> parse_flags(const Command& command, std::span<const std::string> arguments) {
  int count = 0;  // Of arguments that are no flags.
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& given = arguments[at];
    if (given == "--help" || given == "-h") return false;
    if (!given.starts_with('-') || given == "-") {
      if (command.argument.empty()) {
        return fail(ErrorCode::kInvalid,
                    fmt::format("{}: {} takes no arguments, only flags", given, command.name));
      }
      const std::string& second = command.second_argument;
      if (++count > (second.empty() ? 1 : 2)) {
        return fail(ErrorCode::kInvalid,
                    fmt::format("{}: {} takes one {}{}{} only", given, command.name, command.argument,
                                second.empty() ? "" : " and one ", second));
      }
      const auto set = count == 1 ? command.set_argument(given) : command.set_second_argument(given);
      if (!set) return tl::unexpected(set.error());
      continue;
    }
    const Flag* known = nullptr;
    std::optional<std::string> value;
    if (given.starts_with("--")) {
      const auto equals = std::min(given.find('='), given.size());
      const auto name = given.substr(2, equals - 2);
      if (equals < given.size()) value = given.substr(equals + 1);
      for (const Flag& flag : command.flags) {
        if (flag.name == name) known = &flag;
      }
    } else {
      for (const Flag& flag : command.flags) {
        if (flag.letter != 0 && flag.letter == given[1]) known = &flag;
      }
      if (given.size() > 2) value = given.substr(given[2] == '=' ? 3 : 2);
    }
    if (known == nullptr) {
      std::vector<std::string> names;
      std::ranges::transform(command.flags, std::back_inserter(names), dashed);
      std::ranges::sort(names);
      return fail(ErrorCode::kInvalid, fmt::format("{}: no such flag of {}; must be one of {}",
                                                   given.substr(0, given.find('=')), command.name,
                                                   fmt::join(names, ", ")));
    }
    if (!value && !known->value_alone.empty()) value = known->value_alone;
    if (!value) {
      if (++at >= arguments.size()) {
        return fail(ErrorCode::kInvalid, fmt::format("{}: needs a value", given));
      }
      value = arguments[at];
    }
    if (auto set = known->set(*value); !set) return tl::unexpected(set.error());
  }
  return true;
}

Setter text(std::string& target) {
  return [&target](const std::string& value) -> Result<void> {
    target = value;
    return {};
  };
}

Setter text(std::optional<std::string>& target) {
  return [&target](const std::string& value) -> Result<void> {
    target = value;
    return {};
  };
}

Setter each(std::vector<std::string>& target) {
  return [&target](const std::string& value) -> Result<void> {
    target.push_back(value);
    return {};
  };
}

Setter whole(std::string name, int& target, int low, int high) {
  return [&target, name = std::move(name), low, high](const std::string& value) -> Result<void> {
    const auto parsed = parse_number<int>(value);
    if (!parsed || *parsed < low || *parsed > high) {
      return must_be(name, value, fmt::format("a whole number from {} to {}", low, high));
    }
    target = *parsed;
    return {};
  };
}

Setter whole(std::string name, std::optional<int>& target, int low, int high) {
  return [&target, name = std::move(name), low, high](const std::string& value) -> Result<void> {
    int parsed = 0;
    auto set = whole(name, parsed, low, high)(value);
    if (set) target = parsed;
    return set;
  };
}

Setter toggle(std::string name, bool& target) {
  return [&target, name = std::move(name)](const std::string& value) -> Result<void> {
    if (value != "true" && value != "false") return must_be(name, value, "true or false");
    target = value == "true";
    return {};
  };
}

Setter seed(std::string name, std::uint64_t& target) {
  return [&target, name = std::move(name)](const std::string& value) -> Result<void> {
    const auto parsed = parse_number<std::uint64_t>(value);
    if (!parsed) return must_be(name, value, "a whole number from 0 to 18446744073709551615");
    target = *parsed;
    return {};
  };
}

Setter number(std::string name, double& target, double low, double high) {
  return [&target, name = std::move(name), low, high](const std::string& value) -> Result<void> {
    const auto parsed = parse_number<double>(value);
    if (!parsed || !(*parsed >= low && *parsed <= high)) {
      return must_be(name, value, fmt::format("a number from {} to {}", low, high));
    }
    target = *parsed;
    return {};
  };
}

Setter duration(std::string name, double& target, double low_seconds, double high_seconds) {
  return [&target, name = std::move(name), low_seconds,
          high_seconds](const std::string& value) -> Result<void> {
    const auto parsed = parse_seconds(value);
    if (!parsed || *parsed < low_seconds || *parsed > high_seconds) {
      return must_be(name, value,
                     fmt::format("a duration such as 40ms or 1m30s, from {} to {}",
                                 duration_text(low_seconds), duration_text(high_seconds)));
    }
    target = *parsed;
    return {};
  };
}

Setter duration(std::string name, std::optional<double>& target, double low_seconds,
                double high_seconds) {
  return [&target, name = std::move(name), low_seconds,
          high_seconds](const std::string& value) -> Result<void> {
    double parsed = 0;
    auto set = duration(name, parsed, low_seconds, high_seconds)(value);
    if (set) target = parsed;
    return set;
  };
}

Setter choice(std::string name, std::string& target, std::vector<std::string> choices) {
  return [&target, name = std::move(name),
          choices = std::move(choices)](const std::string& value) -> Result<void> {
    if (std::ranges::find(choices, value) == choices.end()) {
      return must_be(name, value, fmt::format("one of {}", fmt::join(choices, ", ")));
    }
    target = value;
    return {};
  };
}

Setter choices(std::string name, std::vector<std::string>& target, std::vector<std::string> all) {
  return [&target, name = std::move(name),
          all = std::move(all)](const std::string& value) -> Result<void> {
    std::vector<std::string> chosen = target;
    std::string_view rest = value;
    while (true) {
      const auto end = std::min(rest.find(','), rest.size());
      const std::string one(rest.substr(0, end));
      if (one == "all") {
        chosen = all;
      } else if (std::ranges::find(all, one) == all.end()) {
        return must_be(
            name, value,
            fmt::format("one or more of {}, separated by commas, or all", fmt::join(all, ", ")));
      } else {
        chosen.push_back(one);
      }
      if (end == rest.size()) break;
      rest.remove_prefix(end + 1);
    }
    target.clear();
    for (const std::string& one : all) {
      if (std::ranges::find(chosen, one) != chosen.end()) target.push_back(one);
    }
    return {};
  };
}

}  // namespace scalableapp::plugin
