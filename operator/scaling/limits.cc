#include "operator/scaling/limits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace scalableapp::scaling {
namespace {

std::string name_of(const api::ScalingPolicy& policy) {
  return fmt::format("{}{}/{}s", policy.value, policy.type == api::PolicyType::kPercent ? "%" : " pods",
                     policy.period_seconds);
}

// The change made in this direction within the period, as a positive number.
int changed_in_period(WallTime now, int period_seconds, bool up, const std::vector<api::ScaleEvent>& events) {
  int sum = 0;
  for (const api::ScaleEvent& event : events) {
    if (now - event.time < seconds{period_seconds} && (event.change > 0) == up) sum += std::abs(event.change);
  }
  return sum;
}

// For one direction: +1 up, -1 down.
Limit limit(WallTime now, int current, const api::ScalingRules& rules,
            const std::vector<api::ScaleEvent>& events, int sign) {
  if (rules.select_policy == api::SelectPolicy::kDisabled) return {current, "Disabled"};
  if (rules.policies.empty()) return {sign > 0 ? std::numeric_limits<int>::max() : 0, ""};
  const bool largest_change = rules.select_policy == api::SelectPolicy::kMax;
  Limit chosen;
  bool first = true;
  for (const api::ScalingPolicy& policy : rules.policies) {
    const int already = changed_in_period(now, policy.period_seconds, sign > 0, events);
    const int start = current - sign * already;
    double bound = policy.type == api::PolicyType::kPods
                       ? start + sign * static_cast<double>(policy.value)
                       // Up rounds up (the bound grows); down rounds the remaining count up as HPA does.
                       : std::ceil(start * (1.0 + sign * policy.value / 100.0) - 1e-9);
    bound = std::clamp(bound, 0.0, 1e9);
    const int replicas = static_cast<int>(bound);
    const bool farther = sign > 0 ? replicas > chosen.replicas : replicas < chosen.replicas;
    if (first || farther == largest_change) {
      if (first || replicas != chosen.replicas) chosen = {replicas, name_of(policy)};
    }
    first = false;
  }
  // A count that already moved further (an override, say) is not moved back by a policy.
  chosen.replicas = sign > 0 ? std::max(chosen.replicas, current) : std::min(chosen.replicas, current);
  return chosen;
}

}  // namespace

Limit scale_up_limit(WallTime now, int current, const api::ScalingRules& rules,
                     const std::vector<api::ScaleEvent>& events) {
  return limit(now, current, rules, events, +1);
}

Limit scale_down_limit(WallTime now, int current, const api::ScalingRules& rules,
                       const std::vector<api::ScaleEvent>& events) {
  return limit(now, current, rules, events, -1);
}

}  // namespace scalableapp::scaling
