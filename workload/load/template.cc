#include "workload/load/template.h"

#include <fmt/format.h>

#include <iterator>

#include "workload/common/flags.h"

namespace scalableapp::workload {
namespace {

constexpr double kHighest = 1e9;

std::vector<std::string_view> words_of(std::string_view place) {
  std::vector<std::string_view> words;
  while (true) {
    const auto colon = place.find(':');
    words.push_back(place.substr(0, colon));
    if (colon == place.npos) return words;
    place.remove_prefix(colon + 1);
  }
}

}  // namespace

Result<TextTemplate::Part> TextTemplate::parse_place(const std::string& place) {
  const auto words = words_of(place);
  const auto bad = [&](const std::string& why) {
    return fail(ErrorCode::kInvalid, fmt::format("{{{}}}: {}", place, why));
  };
  const std::string_view name = words[0];
  if (name == "user" || name == "id") {
    if (words.size() != 1) return bad(fmt::format("must be {{{}}}", name));
    if (name == "user") return User{};
    return Id{};
  }
  if (name == "uniform" || name == "zipf") {
    double high = 0;
    if (words.size() != 2 || !parse_number(words[1], high) || high < 1 || high > kHighest ||
        high != static_cast<double>(static_cast<std::uint64_t>(high))) {
      return bad(fmt::format("must be {{{}:N}}, N a whole number from 1 to 1000000000", name));
    }
    if (name == "zipf") return Zipf(static_cast<std::uint64_t>(high));
    return Uniform{static_cast<std::uint64_t>(high)};
  }
  if (name == "between") {
    Between between{};
    if (words.size() != 3 || !parse_number(words[1], between.low) ||
        !parse_number(words[2], between.high) || between.low > between.high ||
        between.low < -kHighest || between.high > kHighest) {
      return bad("must be {between:A:B}, numbers from -1e9 to 1e9, A not above B");
    }
    return between;
  }
  return bad("is not known; use {user}, {id}, {uniform:N}, {zipf:N} or {between:A:B}");
}

Result<TextTemplate> TextTemplate::parse(const std::string& text) {
  TextTemplate made;
  made.text_ = text;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) made.parts_.emplace_back(std::exchange(literal, {}));
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_place =
        text[at] == '{' && at + 1 < text.size() && text[at + 1] >= 'a' && text[at + 1] <= 'z';
    if (!is_place) {
      literal += text[at];
      continue;
    }
    const auto close = text.find('}', at);
    if (close == text.npos) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\" has no closing brace", text.substr(at, 40)));
    }
    auto part = parse_place(text.substr(at + 1, close - at - 1));
    if (!part) return tl::unexpected(part.error());
    end_literal();
    made.uses_id_ = made.uses_id_ || std::holds_alternative<Id>(*part);
    made.parts_.push_back(std::move(*part));
    at = close;
  }
  end_literal();
  return made;
}

void TextTemplate::append_to(std::string& out, const TemplateValues& values) const {
  for (const auto& part : parts_) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      out += *literal;
    } else if (std::holds_alternative<User>(part)) {
      fmt::format_to(std::back_inserter(out), "{}", values.user);
    } else if (std::holds_alternative<Id>(part)) {
      out += values.id;
    } else if (const auto* uniform = std::get_if<Uniform>(&part)) {
      std::uniform_int_distribution<std::uint64_t> spread(1, uniform->high);
      fmt::format_to(std::back_inserter(out), "{}", spread(values.random));
    } else if (const auto* zipf = std::get_if<Zipf>(&part)) {
      fmt::format_to(std::back_inserter(out), "{}", (*zipf)(values.random));
    } else if (const auto* between = std::get_if<Between>(&part)) {
      std::uniform_real_distribution<double> spread(0, 1);
      fmt::format_to(std::back_inserter(out), "{:.6f}",
                     between->low + spread(values.random) * (between->high - between->low));
    }
  }
}

}  // namespace scalableapp::workload
