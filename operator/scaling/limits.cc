#include "operator/scaling/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace scalableapp::scaling {
namespace {

int count_at(WallTime begin, int current, const std::vector<api::ScaleEvent>& events) {
  for (const auto& event : events) {
    if (event.time > begin) current -= event.change;
  }
  return current;
}

// Integers, because 10 * (1 + 0.1) is a hair over 11 in binary and would allow 12.
int allowed_change(const api::ScalingPolicy& policy, int base) {
  if (policy.type == api::PolicyType::kPods) return policy.value;
  // A share of nothing would keep an app at zero for ever.
  const std::int64_t percent = std::int64_t{std::max(base, 1)} * policy.value;
  return static_cast<int>((percent + 99) / 100);
}

}  // namespace

Limit limit_rate(WallTime now, int current, int desired, const api::Behavior& behavior,
                 const std::vector<api::ScaleEvent>& events) {
  const bool up = desired > current;
  const api::ScalingRules& rules = up ? behavior.scale_up : behavior.scale_down;
  const char* side = up ? "scaleUp" : "scaleDown";
  if (desired == current) return {current, {}};
  if (rules.select_policy == api::SelectPolicy::kDisabled) {
    return {current, fmt::format("{} selectPolicy Disabled", side)};
  }
  const api::ScalingPolicy* chosen = nullptr;
  int limit = desired;
  for (const auto& policy : rules.policies) {
    const int base = count_at(now - seconds{policy.period_seconds}, current, events);
    const int change = allowed_change(policy, base);
    const int reach = up ? base + change : base - change;
    const bool further = up == (reach > limit);
    if (chosen == nullptr ||
        (reach != limit && further == (rules.select_policy == api::SelectPolicy::kMax))) {
      chosen = &policy;
      limit = reach;
    }
  }
  // Events of the period may have used up more than is allowed: wait, but do not turn back.
  limit = up ? std::max(limit, current) : std::min(limit, current);
  if (chosen == nullptr || (up ? limit >= desired : limit <= desired)) return {desired, {}};
  return {limit, fmt::format("{} policy {}{}/{}", side, chosen->value,
                             chosen->type == api::PolicyType::kPercent ? "%" : " pods",
                             format_duration(seconds{chosen->period_seconds}))};
}

void record_event(WallTime now, int change, const api::Behavior& behavior,
                  std::vector<api::ScaleEvent>& events) {
  int longest = 15;  // A recovery looks back as far.
  for (const auto* rules : {&behavior.scale_up, &behavior.scale_down}) {
    for (const auto& policy : rules->policies) longest = std::max(longest, policy.period_seconds);
  }
  for (auto& event : events) event.time = std::min(event.time, now);
  std::erase_if(events, [&](const auto& event) { return event.time <= now - seconds{longest}; });
  if (change != 0) events.push_back({change, now});
  while (events.size() > kMostEvents) {
    events[1].change += events[0].change;
    events.erase(events.begin());
  }
}

}  // namespace scalableapp::scaling
