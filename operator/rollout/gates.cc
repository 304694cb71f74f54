#include "operator/rollout/gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "operator/rollout/ejections.h"
#include "operator/rollout/slow_start.h"

namespace scalableapp::rollout {
namespace {

using Pods = std::vector<std::shared_ptr<const api::Pod>>;

// A wait is told on the pod where it lasts for so long: to tell it costs a write.
constexpr seconds kLongWait{5};

// A container restarted and was ready again before anybody looked. The gate never opens before the
// containers are ready by the same two clocks, so that clocks that differ do not look like this.
bool restarted_unseen(const api::Pod& pod) {
  return pod.restart_count > 0 && pod.containers_ready_since && pod.warm_since &&
         *pod.containers_ready_since > *pod.warm_since;
}

class Planner {
 public:
  Planner(WallTime now, const api::ScalableAppSpec& spec, const Pods& pods, const WarmUpFacts& facts)
      : now_(now),
        spec_(spec),
        readiness_(spec.readiness),
        pods_(pods),
        facts_(facts),
        to_spare_(count_to_spare(pods)) {}

  GatePlan plan() {
    for (const auto& pod : pods_) {
      if (!is_gated(*pod)) continue;
      if (pod->draining()) {
        if (pod->warm && spec_.drain_seconds > 0) {
          change(pod, false, api::kDrainingReason, "it is one too many; it finishes what it has");
        }
      } else if (pod->warm) {
        look_at_open(pod);
      } else {
        look_at_closed(pod);
      }
    }
    open_warmed_up();
    return std::move(plan_);
  }

 private:
  using Pod = std::shared_ptr<const api::Pod>;

  void change(const Pod& pod, bool warm, std::string reason, std::string message) {
    plan_.changes.push_back({pod, warm, std::move(reason), std::move(message)});
  }
  void check_at(std::optional<WallTime> at) {
    if (at) plan_.next_check = std::min(plan_.next_check.value_or(WallTime::max()), *at);
  }
  WarmUpVerdict judge(const Pod& pod) const {
    const auto fact = facts_.find(pod->metadata.name);
    return judge_warm_up(now_, readiness_, *pod, fact == facts_.end() ? nullptr : &fact->second);
  }

  void look_at_open(const Pod& pod) {
    if (!readiness_.gate) return;
    if (!pod->containers_ready) {
      return change(pod, false, "ContainersNotReady", "its containers are not ready; it must warm up again");
    }
    if (restarted_unseen(*pod)) {
      const WarmUpVerdict verdict = judge(pod);
      if (verdict.warmth == Warmth::kCold && to_spare_ > 0) {
        --to_spare_;
        change(pod, false, "ContainersRestarted", "a container has restarted; it must warm up again");
      } else if (verdict.warmth == Warmth::kWarm && readiness_.warm_up) {
        // Said again with a later time: no more values are needed.
        change(pod, true, verdict.reason, verdict.message);
      } else if (verdict.warmth == Warmth::kUnknown) {
        check_at(verdict.warm_at);
      }
    } else if (is_ejected(*pod, now_) && to_spare_ > 0) {
      --to_spare_;
      check_at(ejected_until(*pod->ejection));
      change(pod, false, api::kOutlierReason, pod->ejection->why);
    }
  }

  void look_at_closed(const Pod& pod) {
    if (!readiness_.gate) return change(pod, true, "GateOff", "spec.readiness.gate is false");
    if (!pod->containers_ready) return;
    if (is_ejected(*pod, now_)) return check_at(ejected_until(*pod->ejection));
    if (can_return(*pod)) {
      return pod->ejection && *pod->set_aside_since < ejected_until(*pod->ejection)
                 ? change(pod, true, api::kOutlierRetryReason, "it is given another chance")
                 : change(pod, true, api::kDrainCancelledReason, "it is needed after all");
    }
    WarmUpVerdict verdict = judge(pod);
    if (verdict.warmth == Warmth::kWarm) return warmed_up_.push_back({pod, true, verdict.reason, verdict.message});
    check_at(verdict.warm_at);
    const bool is_long = verdict.warm_at && *verdict.warm_at - now_ >= kLongWait;
    wait(pod, is_long, std::move(verdict.reason), std::move(verdict.message));
  }

  // `is_long`: it is known to be. Else it is once it has lasted for so long.
  void wait(const Pod& pod, bool is_long, std::string reason, std::string message) {
    if (pod->gate_reason == reason) return;
    const WallTime tell_at =
        pod->containers_ready_since.value_or(now_) + seconds{readiness_.min_warm_seconds} + kLongWait;
    if (!is_long && now_ < tell_at) return check_at(tell_at);
    plan_.waits.push_back({pod, false, std::move(reason), std::move(message)});
  }

  void open_warmed_up() {
    if (!readiness_.slow_start) {
      std::ranges::move(warmed_up_, std::back_inserter(plan_.changes));
      return;
    }
    const OpeningRoom room = room_to_open(now_, *readiness_.slow_start, pods_);
    // The oldest first.
    std::ranges::sort(warmed_up_, {}, [](const GateChange& one) {
      return std::tuple(one.pod->containers_ready_since.value_or(WallTime::max()), one.pod->metadata.name);
    });
    int left = room.gates.value_or(std::ssize(warmed_up_));
    for (auto& opening : warmed_up_) {
      if (left-- > 0) {
        plan_.changes.push_back(std::move(opening));
        continue;
      }
      const WallTime next = room.next.value_or(now_ + seconds{readiness_.slow_start->interval_seconds});
      check_at(next);
      wait(opening.pod, next - now_ >= kLongWait, "SlowStart",
           fmt::format("it is warm; {}% more pods may begin to take traffic every {} s",
                       readiness_.slow_start->max_percent, readiness_.slow_start->interval_seconds));
    }
  }

  const WallTime now_;
  const api::ScalableAppSpec& spec_;
  const api::Readiness& readiness_;
  const Pods& pods_;
  const WarmUpFacts& facts_;
  int to_spare_;
  std::vector<GateChange> warmed_up_;  // May open as far as slow start lets them.
  GatePlan plan_;
};

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

bool awaits_warm_up(const api::Readiness& readiness, const api::Pod& pod) {
  return readiness.gate && readiness.warm_up && is_gated(pod) && !pod.draining() && !can_return(pod) &&
         (!pod.warm || restarted_unseen(pod));
}

GatePlan plan_gates(WallTime now, const api::ScalableAppSpec& spec,
                    const std::vector<std::shared_ptr<const api::Pod>>& pods, const WarmUpFacts& facts) {
  return Planner(now, spec, pods, facts).plan();
}

}  // namespace scalableapp::rollout
