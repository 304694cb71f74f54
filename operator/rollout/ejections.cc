#include "operator/rollout/ejections.h"

#include <algorithm>

#include "operator/rollout/gates.h"

namespace scalableapp::rollout {
namespace {

constexpr seconds kOnce{60};
constexpr seconds kLongest{300};
// An outlier within so long of the last time is one again.
constexpr seconds kRemembered{600};

}  // namespace

WallTime ejected_until(const api::Ejection& ejection) {
  return ejection.time + std::min(kLongest, std::max(1, ejection.count) * kOnce);
}

bool is_ejected(const api::Pod& pod, WallTime now) { return pod.ejection && now < ejected_until(*pod.ejection); }

std::vector<Eject> plan_ejections(WallTime now, const api::ScalableAppSpec& spec,
                                  const std::vector<std::shared_ptr<const api::Pod>>& pods,
                                  const std::vector<Suspect>& suspects) {
  if (spec.outliers.action != api::OutlierAction::kEject || !spec.readiness.gate || suspects.empty()) return {};
  int out = 0, serving = 0, not_yet_closed = 0;
  for (const auto& pod : pods) {
    if (!is_gated(*pod) || pod->draining()) continue;
    const bool is_out = is_ejected(*pod, now);
    out += is_out;
    not_yet_closed += is_out && pod->warm;
    serving += !is_out && in_service(*pod);
  }
  // Of the pods that would serve.
  const int share = std::max(1, (serving + out) * spec.outliers.max_ejected_percent / 100);
  int room = std::min(share - out, count_to_spare(pods) - not_yet_closed);
  std::vector<Eject> ejects;
  for (const Suspect& suspect : suspects) {
    if (room <= 0) break;
    const auto found = std::ranges::find_if(pods, [&](const auto& pod) { return pod->metadata.name == suspect.pod; });
    if (found == pods.end() || !is_gated(**found) || (*found)->draining() || !in_service(**found) ||
        is_ejected(**found, now)) {
      continue;
    }
    const auto& last = (*found)->ejection;
    const bool is_again = last && now <= last->time + kRemembered;
    ejects.push_back({*found, {.count = is_again ? last->count + 1 : 1, .time = now, .why = suspect.why}});
    --room;
  }
  return ejects;
}

}  // namespace scalableapp::rollout
