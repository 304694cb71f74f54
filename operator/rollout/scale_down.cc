#include "operator/rollout/scale_down.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <tuple>
#include <utility>

#include "operator/rollout/gates.h"
#include "operator/rollout/spread.h"

namespace scalableapp::rollout {
namespace {

using PodPtr = std::shared_ptr<const api::Pod>;

// What goes at once is the cheapest of all; then the longer a pod has drained the cheaper. A cost is
// an int32: seconds since 2020 are under 0 with this base until 2088.
constexpr int kCheapest = std::numeric_limits<int>::min();
constexpr seconds kCostsBegin{1577836800};

int cost_of_drain(WallTime since) {
  const auto age = std::chrono::floor<seconds>(since.time_since_epoch()) - kCostsBegin;
  return static_cast<int>(std::clamp<std::int64_t>(age.count() + kCheapest + 1, kCheapest + 1, -1));
}

Pods live_pods_of(const api::ReplicaSet& replica_set, const Pods& pods) {
  Pods live;
  for (const auto& pod : pods) {
    if (pod->terminating() || pod->finished()) continue;
    if (api::is_controlled_by(pod->metadata, replica_set.metadata.uid)) live.push_back(pod);
  }
  return live;
}

int kept_of(const api::ReplicaSet& replica_set, const Pods& live) {
  const auto marked = static_cast<int>(std::ranges::count_if(live, [](const auto& pod) { return pod->draining(); }));
  // Those that a lowered spec.replicas has condemned are not in it any more.
  const int condemned = std::max(0, static_cast<int>(live.size()) - replica_set.spec_replicas);
  return replica_set.spec_replicas - std::clamp(marked - condemned, 0, replica_set.spec_replicas);
}

constexpr int kServes = 2;
int rank_of(const api::Pod& pod) {
  const bool comes_back = pod.draining() && (can_return(pod) || in_service(pod));
  return comes_back ? 1 : pod.draining() || !in_service(pod) ? 0 : kServes;
}

// Orders pods by what their loss costs.
class Cost {
 public:
  Cost(const Pods& live, const std::map<std::string, double>& loads, const Topology& topology)
      : loads_(loads), topology_(topology) {
    int serving = 0;
    double total = 0;
    for (const auto& pod : live) {
      if (pod->draining() || !in_service(*pod)) continue;
      const auto load = loads.find(pod->metadata.name);
      if (load == loads.end()) return;
      ++serving;
      total += load->second;
    }
    if (serving > 0) clearly_less_ = total / serving / 2;
  }

  auto key(const api::Pod& pod) const {
    const int rank = rank_of(pod);
    double load = 0;
    if (rank == kServes) {
      const auto found = loads_.find(pod.metadata.name);
      load = found != loads_.end() && found->second < clearly_less_ ? found->second
                                                                   : std::numeric_limits<double>::infinity();
    }
    return std::tuple(rank, pod.draining_since.value_or(WallTime::max()), rank == 0 && pod.phase != "Pending",
                      !is_leaving(topology_, pod), load,
                      -pod.metadata.creation_time.time_since_epoch().count(), std::string_view(pod.metadata.name));
  }

  // The cheapest first.
  void sort(Pods& pods) const {
    std::vector<std::pair<decltype(key(*pods[0])), PodPtr>> keyed;
    keyed.reserve(pods.size());
    for (auto& pod : pods) keyed.emplace_back(key(*pod), std::move(pod));
    std::ranges::sort(keyed, {}, [](const auto& one) -> const auto& { return one.first; });
    std::ranges::transform(keyed, pods.begin(), [](auto& one) { return std::move(one.second); });
  }

 private:
  const std::map<std::string, double>& loads_;
  const Topology& topology_;
  double clearly_less_ = 0;
};

// When the chosen pod's gate was closed. That has whole seconds, and is a node's time where its clock is
// ahead of ours.
WallTime closed_at(const api::Pod& pod, WallTime chosen, WallTime now) {
  const WallTime closed = *pod.set_aside_since;
  return closed > now ? chosen : std::max(closed, std::min(chosen, closed + seconds{1}));
}

// From when on a chosen pod may be killed; nothing: at once. One that fails while it drains waits all the
// same: by its cost the ReplicaSet controller cannot tell it from the others.
std::optional<WallTime> drained_at(const api::Pod& pod, seconds drain, WallTime now) {
  if (drain == seconds{0} || !pod.has_warm_gate) return std::nullopt;
  const WallTime chosen = pod.draining_since.value_or(now);
  if (pod.draining()) {
    if (pod.warm) return chosen + drain + kDrainPatience;
    if (pod.set_aside_since) return closed_at(pod, chosen, now) + drain;
    return std::nullopt;
  }
  if (in_service(pod)) return now + drain;
  if (can_return(pod)) return closed_at(pod, chosen, now) + drain;
  return std::nullopt;
}

class Planner {
 public:
  Planner(WallTime now, seconds drain, const Pods& pods, const std::map<std::string, double>& loads,
          const Topology& topology)
      : now_(now), drain_(drain), pods_(pods), loads_(loads), topology_(topology), kept_(topology) {
    for (const auto& pod : pods) {
      if (!pod->terminating() && !pod->finished() && !pod->draining()) kept_.add(*pod);
    }
  }

  // The ReplicaSet is to keep `kept` pods; returns the spec.replicas for now.
  int step(const api::ReplicaSet& replica_set, int kept) {
    Pods live = live_pods_of(replica_set, pods_);
    const bool grows = kept > kept_of(replica_set, live);
    const int surplus = std::max(0, static_cast<int>(live.size()) - kept);
    const auto victims = std::min(live.size(), static_cast<std::size_t>(surplus));
    sort(live, victims);
    count_out(live, victims);

    std::vector<bool> goes(live.size(), false);
    WallTime first_waits = WallTime::max();  // Of those that drain the first goes first, as their costs say.
    for (std::size_t i = 0; i < victims; ++i) {
      const auto at = drained_at(*live[i], drain_, now_);
      goes[i] = !at || now_ >= *at;
      if (goes[i] || !live[i]->draining()) continue;
      first_waits = std::min(first_waits, *live[i]->draining_since);
      check_at(*at);
    }
    for (std::size_t i = 0; i < victims; ++i) {
      if (live[i]->draining() && live[i]->set_aside_since && *live[i]->draining_since >= first_waits) goes[i] = false;
    }
    // Where all that stay are Ready, the ReplicaSet controller takes what is not without being told.
    bool is_ambiguous = false;
    for (std::size_t i = 0; i < live.size(); ++i) {
      is_ambiguous |= !goes[i] && (i < victims || live[i]->draining() || !live[i]->ready);
    }
    int waiting = 0;
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (i >= victims) {
        if (live[i]->draining()) release(live[i]);
        continue;
      }
      const bool needs_mark = !live[i]->draining() && (!goes[i] || is_ambiguous || live[i]->ready);
      const bool is_marked = !needs_mark || mark(live[i], goes[i] ? kCheapest : cost_of_drain(now_));
      if (!goes[i] || !is_marked) ++waiting;
    }
    const int target = kept + waiting;
    return grows ? target : std::min(target, replica_set.spec_replicas);
  }

  ScaleDownPlan plan;

 private:
  // Whoever goes first comes first.
  void sort(Pods& live, std::size_t victims) {
    Cost(live, loads_, topology_).sort(live);
    const auto serving = std::ranges::find(live, kServes, [](const auto& pod) { return rank_of(*pod); });
    if (std::cmp_less_equal(victims, serving - live.begin())) return;
    const auto staying =
        std::find_if(serving, live.end(), [&](const auto& pod) { return !is_leaving(topology_, *pod); });
    Spread left = kept_;
    const auto take = [&](const auto& pod) {
      if (!pod->draining()) left.take(*pod);
    };
    std::for_each(live.begin(), serving, take);
    left.sort({serving, staying});
    std::for_each(serving, staying, take);
    left.sort({staying, live.end()});
  }
  // For the ReplicaSets that come after this one.
  void count_out(const Pods& live, std::size_t victims) {
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (i < victims && !live[i]->draining()) kept_.take(*live[i]);
      if (i >= victims && live[i]->draining()) kept_.add(*live[i]);
    }
  }
  void check_at(WallTime at) {
    if (!plan.next_check || at < *plan.next_check) plan.next_check = at;
  }
  bool mark(const PodPtr& pod, int cost) {
    if (std::ssize(plan.marks) >= kMostMarks) return check_at(now_), false;
    plan.marks.push_back({pod, now_, cost});
    if (drain_ > seconds{0}) check_at(now_ + drain_);
    return true;
  }
  void release(const PodPtr& pod) {
    if (std::ssize(plan.releases) >= kMostMarks) return check_at(now_);
    plan.releases.push_back(pod);
  }

  WallTime now_;
  seconds drain_;
  const Pods& pods_;
  const std::map<std::string, double>& loads_;
  const Topology& topology_;
  Spread kept_;  // What the ReplicaSets keep, with the steps so far.
};

}  // namespace

int kept_replicas(const api::ReplicaSet& replica_set, const Pods& pods) {
  return kept_of(replica_set, live_pods_of(replica_set, pods));
}

ScaleDownPlan plan_scale_down(WallTime now, seconds drain,
                              const std::vector<std::shared_ptr<const api::ReplicaSet>>& replica_sets, const Pods& pods,
                              const std::map<std::string, double>& loads, const Topology& topology,
                              const std::vector<Action>& actions) {
  Planner planner(now, drain, pods, loads, topology);
  std::vector<Action>& result = planner.plan.actions;
  const auto add = [&](const api::ReplicaSet& replica_set, int kept, const std::string& why) {
    const int to = planner.step(replica_set, kept);
    if (to == replica_set.spec_replicas) return;
    result.push_back(ScaleReplicaSet{.name = replica_set.metadata.name,
                                     .uid = replica_set.metadata.uid,
                                     .resource_version = replica_set.metadata.resource_version,
                                     .from = replica_set.spec_replicas,
                                     .to = to,
                                     .why = why});
  };
  std::vector<std::string> seen;
  for (const Action& action : actions) {
    const auto* scale = std::get_if<ScaleReplicaSet>(&action);
    if (scale == nullptr) {
      result.push_back(action);
      continue;
    }
    const auto found = std::ranges::find_if(
        replica_sets, [&](const auto& replica_set) { return replica_set->metadata.uid == scale->uid; });
    if (found == replica_sets.end()) continue;
    seen.push_back(scale->uid);
    add(**found, scale->to, scale->why);
  }
  // What the plan leaves as it is may still have pods that drain.
  for (const auto& replica_set : replica_sets) {
    if (std::ranges::find(seen, replica_set->metadata.uid) != seen.end()) continue;
    add(*replica_set, kept_replicas(*replica_set, pods), "its pods have drained");
  }
  return std::move(planner.plan);
}

}  // namespace scalableapp::rollout
