#include "workload/common/flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace scalableapp::workload {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

tl::unexpected<Error> bad(const std::string& name, const std::string& value,
                          std::string_view want) {
  return fail(ErrorCode::kInvalid, fmt::format("--{}={}: must be {}", name, value, want));
}

}  // namespace

bool parse_number(std::string_view text, double& number) {
  return read_number(text, number) && std::isfinite(number);
}

void FlagSet::number(int& target, std::string name, std::string help, int low, int high) {
  auto set = [&target, name, low, high](const std::string& value) -> Result<void> {
    int number = 0;
    if (!read_number(value, number) || number < low || number > high) {
      return bad(name, value, fmt::format("a whole number from {} to {}", low, high));
    }
    target = number;
    return {};
  };
  flags_.push_back({std::move(name), fmt::format("{}", target), std::move(help), false, set});
}

void FlagSet::number(double& target, std::string name, std::string help, double low, double high) {
  auto set = [&target, name, low, high](const std::string& value) -> Result<void> {
    double number = 0;
    if (!parse_number(value, number) || number < low || number > high) {
      return bad(name, value, fmt::format("a number from {} to {}", low, high));
    }
    target = number;
    return {};
  };
  flags_.push_back({std::move(name), fmt::format("{}", target), std::move(help), false, set});
}

void FlagSet::text(std::string& target, std::string name, std::string help) {
  auto set = [&target](const std::string& value) -> Result<void> {
    target = value;
    return {};
  };
  flags_.push_back({std::move(name), fmt::format("'{}'", target), std::move(help), false, set});
}

void FlagSet::word(std::string& target, std::string name, std::string help) {
  auto set = [&target, name](const std::string& value) -> Result<void> {
    const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char letter) {
      return std::isalnum(letter) != 0 ||
             std::string_view("._:-").find(static_cast<char>(letter)) != std::string_view::npos;
    });
    if (value.empty() || !plain) return bad(name, value, "letters, digits, '.', '_', ':' or '-'");
    target = value;
    return {};
  };
  flags_.push_back({std::move(name), target, std::move(help), false, set});
}

void FlagSet::choice(std::string& target, std::string name, std::string help,
                     std::vector<std::string> choices) {
  auto set = [&target, name, choices](const std::string& value) -> Result<void> {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      return bad(name, value, fmt::format("one of {}", fmt::join(choices, ", ")));
    }
    target = value;
    return {};
  };
  flags_.push_back({std::move(name), target, std::move(help), false, set});
}

void FlagSet::duration(milliseconds& target, std::string name, std::string help, milliseconds low,
                       milliseconds high) {
  auto set = [&target, name, low, high](const std::string& value) -> Result<void> {
    const auto parsed = parse_duration(value);
    if (!parsed || *parsed < low || *parsed > high) {
      return bad(name, value,
                 fmt::format("a duration from {} to {}, such as 90s or 1m30s", format_duration(low),
                             format_duration(high)));
    }
    target = *parsed;
    return {};
  };
  flags_.push_back({std::move(name), format_duration(target), std::move(help), false, set});
}

void FlagSet::boolean(bool& target, std::string name, std::string help) {
  auto set = [&target, name](const std::string& value) -> Result<void> {
    if (value != "true" && value != "false") return bad(name, value, "true or false");
    target = value == "true";
    return {};
  };
  flags_.push_back(
      {std::move(name), target ? "true" : "false", std::move(help), true, std::move(set)});
}

Result<bool> FlagSet::parse(std::span<const std::string> arguments) const {
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (argument == "--help" || argument == "-h") return false;
    const auto equals = argument.find('=');
    const std::string name =
        argument.starts_with("--")
            ? argument.substr(2, equals == std::string::npos ? equals : equals - 2)
            : "";
    const auto flag = std::find_if(flags_.begin(), flags_.end(),
                                   [&](const Flag& known) { return known.name == name; });
    if (flag == flags_.end()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: no such flag; --help lists them", argument));
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (flag->is_boolean) {
      value = "true";
    } else if (++at < arguments.size()) {
      value = arguments[at];
    } else {
      return fail(ErrorCode::kInvalid, fmt::format("--{}: needs a value", name));
    }
    if (auto set = flag->set(value); !set) return tl::unexpected(set.error());
  }
  return true;
}

std::string FlagSet::help() const {
  std::string text;
  for (const Flag& flag : flags_) {
    text += fmt::format("    --{}={}:\n\t{}\n\n", flag.name, flag.initial, flag.help);
  }
  return text;
}

Result<HostPort> parse_host_port(const std::string& text, const std::string& name) {
  const auto colon = text.rfind(':');
  HostPort parsed;
  if (colon == std::string::npos || colon == 0 || text.find(':') != colon ||
      text.find_first_of("/ ") != std::string::npos ||
      !read_number(std::string_view(text).substr(colon + 1), parsed.port) || parsed.port < 1 ||
      parsed.port > 65535) {
    return bad(name, text, "HOST:PORT, such as redis:6379");
  }
  parsed.host = text.substr(0, colon);
  return parsed;
}

}  // namespace scalableapp::workload
