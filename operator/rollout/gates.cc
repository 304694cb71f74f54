#include "operator/rollout/gates.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/rollout/ejections.h"

namespace scalableapp::rollout {
namespace {

bool warm_enough(const api::WarmUpCondition& condition, double value) {
  return condition.range.contains(value);
}

// A container restarted and was ready again before anybody looked. The gate never opens before the
// containers are ready by the same two clocks, so that clocks that differ do not look like this.
bool restarted_unseen(const api::Pod& pod) {
  return pod.restart_count > 0 && pod.containers_ready_since && pod.warm_since &&
         *pod.containers_ready_since > *pod.warm_since;
}

// When the containers will have been ready for long enough. Without a minimum that is now, also by a
// node's clock that is ahead of ours.
WallTime warm_at(const api::Readiness& readiness, const api::Pod& pod, WallTime now) {
  if (readiness.min_warm_seconds == 0) return now;
  return pod.containers_ready_since.value_or(now) + seconds{readiness.min_warm_seconds};
}

GateChange warmed_up(const std::shared_ptr<const api::Pod>& pod, double value) {
  return {pod, true, "WarmedUp", fmt::format("the warm-up query gives {:g}", value)};
}

}  // namespace

bool is_gated(const api::Pod& pod) {
  return pod.has_warm_gate && !pod.terminating() && !pod.finished();
}

bool in_service(const api::Pod& pod) {
  if (pod.terminating() || pod.finished()) return false;
  return pod.ready || (pod.has_warm_gate && pod.warm && pod.containers_ready);
}

bool can_return(const api::Pod& pod) {
  return is_gated(pod) && !pod.warm && pod.set_aside_since && pod.containers_ready &&
         !(pod.restart_count > 0 && pod.containers_ready_since && *pod.containers_ready_since > *pod.set_aside_since);
}

int count_to_spare(const std::vector<std::shared_ptr<const api::Pod>>& pods) {
  int all = 0, out_of_service = 0;
  for (const auto& pod : pods) {
    if (!is_gated(*pod) || pod->draining()) continue;
    ++all;
    if (!pod->warm || !pod->containers_ready) ++out_of_service;
  }
  return std::max(0, all / 2 - out_of_service);
}

bool awaits_warm_up_value(const api::Readiness& readiness, const api::Pod& pod) {
  return readiness.warm_up && is_gated(pod) && !pod.draining() && !can_return(pod) && (!pod.warm || restarted_unseen(pod));
}

GatePlan plan_gates(WallTime now, const api::ScalableAppSpec& spec,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods,
                    const std::map<std::string, double>& warm_up_values) {
  const api::Readiness& readiness = spec.readiness;
  GatePlan plan;
  const auto check_at = [&](WallTime at) {
    if (!plan.next_check || at < *plan.next_check) plan.next_check = at;
  };
  int to_spare = count_to_spare(pods);
  for (const auto& pod : pods) {
    if (!is_gated(*pod)) continue;
    if (pod->draining()) {
      if (pod->warm && spec.drain_seconds > 0) {
        plan.changes.push_back({pod, false, api::kDrainingReason, "it is one too many; it finishes what it has"});
      }
      continue;
    }
    const bool is_out = readiness.gate && is_ejected(*pod, now);
    const auto sample = warm_up_values.find(pod->metadata.name);
    const double* value = sample == warm_up_values.end() ? nullptr : &sample->second;
    if (pod->warm) {
      if (!pod->containers_ready && readiness.gate) {
        plan.changes.push_back({pod, false, "ContainersNotReady",
                                "its containers are not ready; it must warm up again"});
      } else if (readiness.gate && restarted_unseen(*pod)) {
        const bool is_cold = now < warm_at(readiness, *pod, now) ||
                             (readiness.warm_up && value != nullptr && !warm_enough(*readiness.warm_up, *value));
        if (is_cold && to_spare > 0) {
          --to_spare;
          plan.changes.push_back({pod, false, "ContainersRestarted",
                                  "a container has restarted; it must warm up again"});
        } else if (!is_cold && value != nullptr && readiness.warm_up) {
          // Said again with a later time: no more values are needed.
          plan.changes.push_back(warmed_up(pod, *value));
        }
      } else if (is_out && to_spare > 0) {
        --to_spare;
        check_at(ejected_until(*pod->ejection));
        plan.changes.push_back({pod, false, api::kOutlierReason, pod->ejection->why});
      }
      continue;
    }
    if (!readiness.gate) {
      plan.changes.push_back({pod, true, "GateOff", "spec.readiness.gate is false"});
      continue;
    }
    if (!pod->containers_ready) continue;
    if (is_out) {
      check_at(ejected_until(*pod->ejection));
      continue;
    }
    if (can_return(*pod)) {
      plan.changes.push_back(pod->ejection && *pod->set_aside_since < ejected_until(*pod->ejection)
                                 ? GateChange{pod, true, api::kOutlierRetryReason, "it is given another chance"}
                                 : GateChange{pod, true, api::kDrainCancelledReason, "it is needed after all"});
      continue;
    }
    if (const WallTime at = warm_at(readiness, *pod, now); now < at) {
      check_at(at);
      continue;
    }
    if (readiness.warm_up) {
      if (value == nullptr || !warm_enough(*readiness.warm_up, *value)) continue;
      plan.changes.push_back(warmed_up(pod, *value));
      continue;
    }
    plan.changes.push_back(
        {pod, true, "ContainersReady",
         fmt::format("its containers have been ready for {} s",
                     std::max<std::int64_t>(0, std::chrono::duration_cast<seconds>(
                                                   now - pod->containers_ready_since.value_or(now))
                                                   .count()))});
  }
  return plan;
}

}  // namespace scalableapp::rollout
