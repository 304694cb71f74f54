#include "operator/scaling/brownout.h"

#include <algorithm>

#include "operator/scaling/explain.h"
#include "operator/scaling/text.h"

namespace scalableapp::scaling {
namespace {

// 2^5 times lowerSeconds; kLongestWait ends most waits sooner.
constexpr int kMostRelapses = 5;

bool is_live(const PodState& pod) { return !pod.terminating && !pod.finished; }

// Since when pods that are wanted have not come.
std::optional<WallTime> awaited_since(const Observation& observation) {
  std::optional<WallTime> since = observation.pods_refused_since;
  for (const PodState& pod : observation.pods) {
    if (is_live(pod) && pod.pending && pod.created && (!since || *pod.created < *since)) since = pod.created;
  }
  return since;
}

// A queue with a time to drain has no other target than the count that drains it in time.
bool is_missed(const Signal& signal, int current, double tolerance) {
  if (!signal.value || signal.fallback || !signal.missing.empty()) return false;
  return signal.by_drain ? signal.proposal.value_or(0) > current : signal.ratio > 1 + tolerance;
}

// How many replicas the load needs, and parts of one.
double needed_replicas(const Signal& signal, int current) {
  const bool has_model = signal.by_capacity || signal.by_drain;
  if (has_model && signal.load_per_replica > 0) return signal.load / signal.load_per_replica;
  return signal.ratio * current;
}

void keep_since(WallTime now, bool holds, std::optional<WallTime>& since) {
  if (!holds) {
    since.reset();
  } else if (!since) {
    since = now;
  }
}

void change_level(WallTime now, int level, std::string why, api::BrownoutMemory& memory) {
  memory.level = level;
  memory.since = now;
  memory.why = std::move(why);
  memory.missed_since.reset();
  memory.room_since.reset();
}

}  // namespace

BrownoutFacts look_for_brownout(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                                std::span<const Signal> signals, int replicas, int most) {
  BrownoutFacts facts;
  if (replicas >= most) {
    facts.limit_reason = "AtMaxReplicas";
    facts.limit = text_of("at the maximum of ", most);
  }
  const auto awaited = awaited_since(observation);
  if (awaited && now >= *awaited + kPodsAwaited) {
    most = std::min(most, static_cast<int>(std::ranges::count_if(
                              observation.pods, [](const PodState& pod) { return is_live(pod) && !pod.pending; })));
    facts.limit_reason = "PodsUnavailable";
    facts.limit = text_of("no more than ", most, " of ", replicas, " pods could be had for ",
                          format_duration(std::chrono::floor<seconds>(now - *awaited)));
  }
  const int current = observation.current_replicas;
  bool all_known = !signals.empty();
  double needed = 0;
  for (const Signal& signal : signals) {
    const bool is_known = signal.proposal && !signal.fallback && signal.missing.empty();
    all_known = all_known && is_known;
    if (!is_known) continue;
    if (!signal.idle) needed = std::max(needed, needed_replicas(signal, current));
    if (!is_missed(signal, current, spec.behavior.scale_up.tolerance)) continue;
    const api::MetricSpec& metric = *signal.metric;
    append(facts.missed, facts.missed.empty() ? "" : ", ", metric.name, " ", format_value(metric.type, *signal.value));
    if (signal.by_drain) {
      append(facts.missed, " not to be gone within ", format_duration(seconds{*metric.drain_seconds}));
    } else {
      append(facts.missed, " over ", format_value(metric.type, metric.target), is_total(metric) ? " per replica" : "");
    }
  }
  const bool is_limited = !facts.limit.empty();
  if (all_known && facts.missed.empty() && (!is_limited || needed <= kRoom * most)) {
    facts.room = text_of(Significant{needed}, " of at most ", most, " replicas are needed");
  }
  return facts;
}

seconds lowering_wait(const api::Brownout& brownout, int relapses) {
  const seconds shortest{brownout.lower_seconds};
  return std::max(shortest, std::min(kLongestWait, shortest * (1 << std::clamp(relapses, 0, kMostRelapses))));
}

void step_brownout(WallTime now, const api::Brownout& brownout, const BrownoutFacts& facts,
                   std::optional<WallTime> observing_since, api::BrownoutMemory& memory) {
  for (auto* time : {&memory.since, &memory.missed_since, &memory.room_since, &memory.lowered_at}) {
    if (*time && **time > now) *time = now;  // The clock was set back.
  }
  memory.level = std::max(memory.level, 0);
  if (memory.level > brownout.max_level) {
    change_level(now, brownout.max_level, text_of("spec.brownout.maxLevel is ", brownout.max_level), memory);
  }
  keep_since(now, !facts.limit.empty() && !facts.missed.empty(), memory.missed_since);
  keep_since(now, !facts.room.empty(), memory.room_since);
  const auto lasts = [&](std::optional<WallTime> since, seconds wait) {
    return since && now - std::max(*since, observing_since.value_or(*since)) >= wait;
  };
  const seconds wait = lowering_wait(brownout, memory.relapses);
  const seconds raising_wait{brownout.raise_seconds};
  if (memory.level < brownout.max_level && lasts(memory.missed_since, raising_wait)) {
    const bool is_relapse = memory.lowered_at && now < *memory.lowered_at + 2 * wait;
    if (is_relapse) {
      memory.relapses = std::min(memory.relapses + 1, kMostRelapses);
    } else if (memory.lowered_at) {
      memory.relapses = 0;
    }
    memory.lowered_at.reset();
    memory.reason = facts.limit_reason;
    change_level(now, memory.level + 1,
                 text_of(facts.limit, " with ", facts.missed, ", for ", format_duration(raising_wait)), memory);
    memory.missed_since = now;
  } else if (memory.level > 0 && lasts(memory.room_since, wait)) {
    memory.lowered_at = now;
    change_level(now, memory.level - 1, text_of(facts.room, ", for ", format_duration(wait)), memory);
    memory.room_since = now;
  }
}

void keep_brownout(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation,
                   std::span<const Signal> signals, int replicas, int most, api::BrownoutMemory& memory) {
  if (!spec.brownout) {
    memory = {};
  } else if (spec.paused || spec.dry_run) {
    memory.missed_since.reset();
    memory.room_since.reset();
  } else {
    const BrownoutFacts facts = look_for_brownout(now, spec, observation, signals, replicas, most);
    step_brownout(now, *spec.brownout, facts, observation.observing_since, memory);
  }
}

void meet_lower_level(WallTime now, const api::ScalableAppSpec& spec, api::ScalingHistory& history) {
  const auto& lowered_at = history.brownout.lowered_at;
  if (!lowered_at) return;
  for (std::size_t i = 0; i < spec.metrics.size(); ++i) {
    // Until the window holds no request of before.
    if (now > *lowered_at + seconds{spec.metrics[i].window_seconds}) continue;
    history.metrics[i].service_seconds = history.metrics[i].quantile_seconds = 0;
  }
}

api::Condition brownout_condition(const api::Brownout& brownout, const api::BrownoutMemory& memory) {
  std::string message;
  if (memory.level > 0) {
    message = text_of("level ", memory.level, " of ", brownout.max_level, ": ", memory.why);
  } else if (memory.missed_since) {
    message = text_of("a target is missed at the limit; after ", format_duration(seconds{brownout.raise_seconds}),
                      " of that the level is raised");
  } else {
    message = "nothing is to be left out: the app is not at its limit with a target missed";
  }
  return {.type = "Brownout",
          .status = memory.level > 0 ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse,
          .reason = memory.level > 0 ? memory.reason : "NotNeeded",
          .message = std::move(message)};
}

}  // namespace scalableapp::scaling
