#include "operator/rollout/warm_up.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

namespace scalableapp::rollout {
namespace {

constexpr const char* kWaits = "WarmingUp";
constexpr const char* kNotMet = "WarmUpConditionNotMet";

std::string text_of(const api::Range& range) {
  std::vector<std::string> bounds;
  if (range.at_least) bounds.push_back(fmt::format("at least {:g}", *range.at_least));
  if (range.at_most) bounds.push_back(fmt::format("at most {:g}", *range.at_most));
  return fmt::format("{}", fmt::join(bounds, " and "));
}

std::string text_of(const api::WarmUpProbe& probe) { return fmt::format("GET :{}{}", probe.port, probe.path); }

// Nothing: it is met.
std::optional<WarmUpVerdict> not_met_by_value(WallTime now, const api::WarmUpCondition& condition,
                                              const WarmUpFact& fact) {
  if (!fact.value) return WarmUpVerdict{Warmth::kUnknown, {}, kNotMet, "the warm-up query gives no value for it"};
  if (!condition.range.contains(*fact.value)) {
    return WarmUpVerdict{Warmth::kCold, {}, kNotMet,
                         fmt::format("the warm-up query gives {:g}, it should be {}", *fact.value,
                                     text_of(condition.range))};
  }
  const milliseconds left = seconds{condition.for_seconds} - fact.in_range_for.value_or(milliseconds{0});
  if (left <= milliseconds{0}) return std::nullopt;
  return WarmUpVerdict{Warmth::kUnknown, now + left, kNotMet,
                       fmt::format("the warm-up query has to give {} for {} s", text_of(condition.range),
                                   condition.for_seconds)};
}

std::optional<WarmUpVerdict> not_met_by_probe(const api::WarmUpProbe& probe, const WarmUpFact& fact) {
  if (!fact.probe_succeeded) {
    return WarmUpVerdict{Warmth::kUnknown, {}, kNotMet, fmt::format("{} has no result yet", text_of(probe))};
  }
  if (*fact.probe_succeeded) return std::nullopt;
  return WarmUpVerdict{Warmth::kCold, {}, kNotMet, fmt::format("{}: {}", text_of(probe), fact.probe_failure)};
}

WarmUpVerdict met(WallTime now, const api::Readiness& readiness, const api::Pod& pod, const WarmUpFact& fact) {
  if (!readiness.warm_up) {
    const auto ready_for = std::chrono::duration_cast<seconds>(now - pod.containers_ready_since.value_or(now));
    return {Warmth::kWarm, {}, "ContainersReady",
            fmt::format("its containers have been ready for {} s", std::max(seconds{0}, ready_for).count())};
  }
  std::vector<std::string> said;
  if (fact.value) said.push_back(fmt::format("the warm-up query gives {:g}", *fact.value));
  if (readiness.warm_up->probe) said.push_back(text_of(*readiness.warm_up->probe) + " succeeds");
  return {Warmth::kWarm, {}, "WarmedUp", fmt::format("{}", fmt::join(said, ", "))};
}

}  // namespace

std::string life_of(const api::Pod& pod) { return fmt::format("{}/{}", pod.metadata.uid, pod.restart_count); }

InRangeSince in_range_since(MonotonicTime now, const api::WarmUpCondition& condition,
                            const std::vector<std::shared_ptr<const api::Pod>>& pods,
                            const std::map<std::string, double>& values, const InRangeSince& before) {
  InRangeSince since;
  for (const auto& pod : pods) {
    const auto value = values.find(pod->metadata.name);
    if (value == values.end() || !condition.range.contains(value->second) || !pod->containers_ready) continue;
    const std::string life = life_of(*pod);
    const auto known = before.find(life);
    since.emplace(life, known == before.end() ? now : known->second);
  }
  return since;
}

WarmUpVerdict judge_warm_up(WallTime now, const api::Readiness& readiness, const api::Pod& pod,
                            const WarmUpFact* known) {
  static const WarmUpFact kNothing;
  const WarmUpFact& fact = known == nullptr ? kNothing : *known;
  // Without a minimum that is now, also by a node's clock that is ahead of ours.
  if (readiness.min_warm_seconds > 0) {
    const WallTime at = pod.containers_ready_since.value_or(now) + seconds{readiness.min_warm_seconds};
    if (now < at) {
      return {Warmth::kCold, at, kWaits,
              fmt::format("it warms up for {} s after its containers became ready", readiness.min_warm_seconds)};
    }
  }
  if (readiness.warm_up && !readiness.warm_up->query.empty()) {
    if (auto wait = not_met_by_value(now, *readiness.warm_up, fact)) return *wait;
  }
  if (readiness.warm_up && readiness.warm_up->probe) {
    if (auto wait = not_met_by_probe(*readiness.warm_up->probe, fact)) return *wait;
  }
  return met(now, readiness, pod, fact);
}

}  // namespace scalableapp::rollout
