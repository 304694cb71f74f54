#include "operator/scaling/warm_up.h"

#include <algorithm>

namespace scalableapp::scaling {
namespace {

constexpr double kSlower = 0.5;
constexpr double kFaster = 0.1;
// A pod that was Ready before, too, looks as if it had taken for ever.
constexpr double kMostTimesSlower = 4;
constexpr double kLongest = 3600;
constexpr double kLeastSeconds = 120;

double seconds_of(milliseconds duration) { return static_cast<double>(duration.count()) / 1e3; }

}  // namespace

bool learn_warm_up(WallTime now, const Observation& observation, api::ScalingHistory& history) {
  if (history.warm_up_seen && *history.warm_up_seen > now) history.warm_up_seen = now;
  const auto seen = history.warm_up_seen;
  double& known = history.warm_up_seconds;
  // One that was there when others became Ready, and took so much longer, was Ready before as well, has
  // lost that and got it back.
  const double usual = std::max(kMostTimesSlower * known, kLeastSeconds);
  double slowest = 0, fastest = kLongest;
  for (const PodState& pod : observation.pods) {
    if (!pod.serving || !pod.ready_since || !pod.created || *pod.ready_since > now) continue;
    if (seen && *pod.ready_since <= *seen) continue;
    const double taken = seconds_of(*pod.ready_since - *pod.created);
    if (taken <= 0 || taken > kLongest || (seen && *pod.created < *seen && taken > usual)) continue;
    slowest = std::max(slowest, taken);
    fastest = std::min(fastest, taken);
    if (!history.warm_up_seen || *history.warm_up_seen < *pod.ready_since) {
      history.warm_up_seen = pod.ready_since;
    }
  }
  if (slowest == 0) return false;
  if (known == 0) {
    known = fastest;
  } else {
    const double taken = std::min(slowest, kMostTimesSlower * known);
    known += (taken > known ? kSlower : kFaster) * (taken - known);
  }
  return true;
}

}  // namespace scalableapp::scaling
