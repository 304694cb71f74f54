#include "operator/scaling/expected_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "operator/scaling/text.h"

namespace scalableapp::scaling {
namespace {

constexpr int kMostPercent = 10'000;
constexpr int kMostReplicas = 100'000;
constexpr std::size_t kShown = 80;  // Of a text that may be of any length; no good one is longer.

tl::unexpected<Error> is_wrong(std::string_view text) {
  return fail(ErrorCode::kInvalid,
              fmt::format("annotation {} is \"{}\": must be \"PERCENT% until TIME\" with 1 to {} percent of the present "
                          "need, or \"N replicas until TIME\" with 1 to {}, such as \"200% until 2026-01-31T18:00:00Z\"",
                          api::kExpectLoadAnnotation, text.substr(0, kShown), kMostPercent, kMostReplicas));
}

// The whole number from 1 to `most` that `text` is.
std::optional<int> whole(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) return std::nullopt;
  return value;
}

}  // namespace

Result<LoadExpectation> parse_expectation(std::string_view text) {
  constexpr std::string_view kUntil = " until ";
  const std::size_t at = text.size() <= kShown ? text.find(kUntil) : std::string_view::npos;
  if (at == std::string_view::npos) return is_wrong(text);
  const auto until = parse_rfc3339(std::string(text.substr(at + kUntil.size())));
  std::string_view amount = text.substr(0, at);
  if (!until) return is_wrong(text);
  LoadExpectation expectation{.percent = {}, .replicas = {}, .until = *until};
  if (amount.ends_with('%')) {
    amount.remove_suffix(1);
    expectation.percent = whole(amount, kMostPercent);
  } else {
    constexpr std::string_view kMany = " replicas", kOne = " replica";
    const std::string_view unit = amount.ends_with(kMany) ? kMany : kOne;
    if (!amount.ends_with(unit)) return is_wrong(text);
    amount.remove_suffix(unit.size());
    expectation.replicas = whole(amount, kMostReplicas);
  }
  if (!expectation.percent && !expectation.replicas) return is_wrong(text);
  return expectation;
}

ExpectedFloor keep_expected_load(WallTime now, const std::string& text, int needed, api::ExpectedLoad& memory) {
  if (text.empty()) {
    memory = {};
    return {};
  }
  ExpectedFloor floor;
  const auto expectation = parse_expectation(text);
  if (!expectation) {
    memory = {.asked = text.substr(0, kShown)};
    floor.problem = expectation.error().message;
    return floor;
  }
  if (memory.asked != text) {
    // An app that is at zero is to have a pod all the same.
    const int of = std::max(needed, 1);
    const std::int64_t replicas = expectation->percent
                                      ? (std::int64_t{of} * *expectation->percent + 99) / 100
                                      : std::int64_t{*expectation->replicas};
    memory = {.asked = text, .replicas = static_cast<int>(std::min<std::int64_t>(replicas, 1'000'000)), .needed = of};
  }
  const std::string until = format_rfc3339(expectation->until);
  if (now >= expectation->until) {
    floor.is_over = true;
    floor.detail = text_of("the load that was expected until ", until);
    return floor;
  }
  floor.replicas = memory.replicas;
  floor.detail = expectation->percent
                     ? text_of(*expectation->percent, "% of the ", memory.needed,
                               " needed when it was asked for, expected until ", until)
                     : text_of("the load that is expected until ", until);
  return floor;
}

api::Condition expected_load_condition(const ExpectedFloor& floor, int most) {
  api::Condition condition{.type = "ExpectedLoad", .status = api::ConditionStatus::kFalse};
  if (!floor.problem.empty()) {
    condition.reason = "Invalid";
    condition.message = floor.problem + "; ignored";
  } else if (floor.is_over) {
    condition.reason = "Over";
    condition.message = floor.detail + " has had its time";
  } else {
    condition.status = api::ConditionStatus::kTrue;
    condition.reason = "Expecting";
    condition.message = text_of("at least ", floor.replicas, " replicas: ", floor.detail);
    if (floor.replicas > most) append(condition.message, "; no more than ", most, " are allowed");
  }
  return condition;
}

}  // namespace scalableapp::scaling
