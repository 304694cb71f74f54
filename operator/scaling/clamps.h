// The steps of decide() that change the count, by name, and the word that each gives as the reason.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace scalableapp::scaling {

struct ClampReason {
  std::string_view clamp;
  const char* reason;
  bool is_limit;  // Shows in ScalingLimited: what stands in the way is not just time or data.
};
inline constexpr ClampReason kClampReasons[] = {
    {"forecast", "Forecast", false},
    {"expectedLoad", "ExpectedLoad", false},
    {"missingMetrics", "PartialMetrics", false},
    {"override", "ManualOverride", false},
    {"stabilization", "Stabilizing", false},
    {"restartHold", "Restarted", false},
    {"burst", "Burst", false},
    {"recovery", "Recovering", false},
    {"scaleUpPolicy", "LimitedByPolicy", true},
    {"scaleDownPolicy", "LimitedByPolicy", true},
    {"rolloutHold", "RolloutHold", true},
    {"idle", "WaitingForIdle", false},
    {"scaleToZero", "Idle", false},
    {"minReplicas", "AtMinReplicas", true},
    {"maxReplicas", "AtMaxReplicas", true},
    {"scheduledMin", "Scheduled", true},
    {"scheduledMax", "Scheduled", true},
};

// Null for "metrics", which is no such step.
inline const ClampReason* find_clamp(std::string_view clamp) {
  const auto* found = std::ranges::find(kClampReasons, clamp, &ClampReason::clamp);
  return found == std::end(kClampReasons) ? nullptr : found;
}

}  // namespace scalableapp::scaling
