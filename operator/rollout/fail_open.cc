#include "operator/rollout/fail_open.h"

#include <fmt/format.h>

#include <algorithm>

namespace scalableapp::rollout {
namespace {

bool waits(const api::Pod& pod) {
  return pod.fail_open_seconds && is_gated(pod) && !pod.warm && pod.containers_ready && !pod.draining() &&
         !pod.set_aside_since && !pod.ejection;
}

// Another one each time that its containers become ready.
std::string name_of_wait(const api::Pod& pod) {
  const auto since = pod.containers_ready_since.value_or(WallTime{});
  return fmt::format("{}/{}", life_of(pod), since.time_since_epoch().count());
}

}  // namespace

FailOpenPlan plan_fail_open(MonotonicTime now, MonotonicTime unled_since,
                            const std::vector<std::shared_ptr<const api::Pod>>& pods, const WaitingSince& before) {
  FailOpenPlan plan;
  for (const auto& pod : pods) {
    if (!waits(*pod)) continue;
    const std::string wait = name_of_wait(*pod);
    const auto known = before.find(wait);
    const MonotonicTime since = known == before.end() ? now : known->second;
    plan.waiting_since.emplace(wait, since);
    const MonotonicTime at = std::max(since, unled_since) + seconds{*pod->fail_open_seconds};
    if (now < at) {
      plan.next_check = std::min(plan.next_check.value_or(MonotonicTime::max()), at);
      continue;
    }
    plan.changes.push_back({pod, true, "FailOpen",
                            fmt::format("no operator has led for {} s, and its containers have been ready for so long",
                                        *pod->fail_open_seconds)});
  }
  return plan;
}

}  // namespace scalableapp::rollout
