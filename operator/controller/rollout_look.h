// From a Snapshot to what rollout::plan() is told, and to what the analysis of a rollout asks Prometheus and
// makes of the answers. Pure: answers come in by a function.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "operator/controller/snapshot.h"
#include "operator/kube/store.h"
#include "operator/metrics/query.h"
#include "operator/rollout/analysis.h"
#include "operator/rollout/plan.h"

namespace scalableapp::controller {

// Of the nodes that the pods are on; null: nothing is known of them.
rollout::Topology topology_of(const std::vector<std::shared_ptr<const api::Pod>>& pods,
                              const kube::Store<api::Node>* nodes);

// On its way out: nothing is expected of it any more.
bool is_going(const api::Pod& pod);

std::string revision_of(const api::ObjectMeta& metadata);

// Without the desired count, which is decided after it.
rollout::RolloutInput rollout_input(const Snapshot& snapshot, const api::RolloutStatus& state,
                                    std::optional<WallTime> refused_since);

// How many pods the disruption budget is to count with: those that are wanted, and those beside them that carry no
// load, which may not stand for others. One fewer while pods must leave their nodes and a rollout keeps them from
// being replaced first.
int budgeted_replicas(const rollout::RolloutInput& input, bool in_flight, int desired);

// What the updated revision is judged by; where there is no analysis it is counted all the same, so that it is
// known what its requests cost.
const api::Analysis& analysis_of(const api::ScalableAppSpec& spec);

// Empty while no rollout is in flight that could be compared with anything.
std::vector<metrics::Query> analysis_queries(const rollout::RolloutInput& input, const api::ObjectKey& app);

// A measurement that is due, where every answer for it is there.
using Latest = std::function<std::optional<metrics::QueryResult>(const std::string& id)>;
std::optional<rollout::Measurement> new_measurement(WallTime now, const Snapshot& snapshot,
                                                    const rollout::RolloutInput& input,
                                                    const api::ScalingHistory& history, const Latest& latest);

// The condition RevisionCapacity, while there is something to say: what the updated revision's requests cost
// beside the stable one's.
std::optional<api::Condition> capacity_condition(const rollout::RolloutInput& input, int desired);

}  // namespace scalableapp::controller
