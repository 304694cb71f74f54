// Which pods go when a ReplicaSet gets smaller, and that they leave service first. Pure.
//
// plan() says how many; here are chosen the ones that cost least:
//   1 pods that do not serve (not started first, then those on cordoned nodes, then the newest)
//   2 pods that were chosen before, the earliest first: a new process goes on with the same ones
//   3 pods on cordoned nodes, which would have to move soon
//   4 pods of the zone that has the most of the app's pods, then of the node that has (spread.h)
//   5 pods with clearly less load than the others (under half of the mean), where every load is known
//   6 the newest
// A chosen pod is marked: with the time, and with a deletion cost by which the ReplicaSet controller
// takes exactly it. Its gate is closed then (gates.h), so that endpoints drop it, and spec.replicas is
// lowered by it once its gate was closed for drainSeconds. Pods that do not serve, or have no gate, go
// at once. A chosen pod that is needed after all is released: warm as it is it serves again at once, and
// before any new pod is made. While it drains it counts as gone (kept_replicas): a rollout's next step
// waits for it no more than for a terminating pod.
//
// All state is on the pods and in spec.replicas: killed after any write, the next run goes on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/workload.h"
#include "operator/rollout/plan.h"
#include "operator/rollout/topology.h"

namespace scalableapp::rollout {

// At most so many pods are marked, and so many released, in one step: an app does not keep a worker to
// itself. The rest follows in the next one.
inline constexpr int kMostMarks = 16;
// A gate that cannot be closed holds up a scale-down for no longer than so.
inline constexpr seconds kDrainPatience{10};

struct Mark {
  std::shared_ptr<const api::Pod> pod;
  WallTime since{};
  int deletion_cost = 0;
};

struct ScaleDownPlan {
  std::vector<std::shared_ptr<const api::Pod>> releases;  // To lose their marks, before anything else.
  std::vector<Mark> marks;                                // To be set before `actions`.
  std::vector<Action> actions;                            // Those of the plan, as far as they go now.
  std::optional<WallTime> next_check;                     // When time alone changes this.
};

using Pods = std::vector<std::shared_ptr<const api::Pod>>;

// spec.replicas without those of `pods` (of any ReplicaSet) that drain.
int kept_replicas(const api::ReplicaSet& replica_set, const Pods& pods);

// `actions` of plan(), where every count is one of kept replicas. `loads`: requests per second by pod.
ScaleDownPlan plan_scale_down(WallTime now, seconds drain,
                              const std::vector<std::shared_ptr<const api::ReplicaSet>>& replica_sets, const Pods& pods,
                              const std::map<std::string, double>& loads, const Topology& topology,
                              const std::vector<Action>& actions);

}  // namespace scalableapp::rollout
