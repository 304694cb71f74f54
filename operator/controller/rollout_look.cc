#include "operator/controller/rollout_look.h"

#include <algorithm>

#include <fmt/format.h>

#include "operator/metrics/analysis_queries.h"
#include "operator/rollout/scale_down.h"

namespace scalableapp::controller {
namespace {

bool is_leaving(const api::Pod& pod, const rollout::Topology& topology) {
  const auto node = topology.find(pod.node);
  return node != topology.end() && node->second.leaving;
}

// The kubelet learns later than we do that a pod is out of service, and that it is back. Until it has said so, the
// Ready of a pod that was taken back is that of before.
constexpr seconds kKubeletLag{3};
std::optional<WallTime> serves_since(const api::Pod& pod) {
  const bool is_of_before = pod.returned && pod.ready_since && pod.warm_since && *pod.ready_since < *pod.warm_since;
  return is_of_before ? *pod.warm_since + kKubeletLag : pod.ready_since;
}

rollout::PodFacts to_facts(const api::Pod& pod, const rollout::Topology& topology) {
  return {.name = pod.metadata.name,
          .serving = pod.ready && !is_going(pod),
          .ready_since = serves_since(pod),
          .terminating = is_going(pod),
          .deleted = pod.terminating(),
          .leaving = is_leaving(pod, topology),
          .trouble = pod.trouble,
          .restart_count = pod.restart_count,
          .created = pod.metadata.creation_time,
          .unready_since = pod.unready_since};
}

rollout::RevisionState to_revision(const api::ReplicaSet& replica_set, const Snapshot& snapshot) {
  rollout::RevisionState revision{
      .revision = revision_of(replica_set.metadata),
      .name = replica_set.metadata.name,
      .uid = replica_set.metadata.uid,
      .resource_version = replica_set.metadata.resource_version,
      .spec_replicas = rollout::kept_replicas(replica_set, snapshot.pods),
      .created = replica_set.metadata.creation_time,
      .failure = replica_set.failure,
      .failure_since = replica_set.failure_since};
  for (const auto& pod : snapshot.pods) {
    // A finished pod (evicted, say) will neither serve nor go by itself: its ReplicaSet counts it
    // no more and has made another one.
    if (pod->finished() || !api::is_controlled_by(pod->metadata, revision.uid)) continue;
    revision.pods.push_back(to_facts(*pod, snapshot.topology));
  }
  return revision;
}

// None where there is nothing to compare.
metrics::AnalysisPods pods_of(const rollout::RolloutInput& input) {
  metrics::AnalysisPods sides;
  if (input.current_revision.empty() || input.current_revision == input.updated_revision ||
      input.state.revision != input.updated_revision || !rollout::in_flight(input)) {
    return sides;
  }
  // Where the current revision has no pods, with the one that has the most.
  const rollout::RevisionState* stable = nullptr;
  const auto rank = [&](const rollout::RevisionState& revision) {
    return std::pair(revision.pods.size() > 0 && revision.revision == input.current_revision, revision.pods.size());
  };
  for (const auto& revision : input.revisions) {
    if (revision.revision == input.updated_revision) {
      sides.updated.push_back(revision.name);
    } else if (stable == nullptr || rank(revision) > rank(*stable)) {
      stable = &revision;
    }
  }
  if (stable != nullptr) sides.stable.push_back(stable->name);
  if (sides.updated.empty() || sides.stable.empty()) return {};
  return sides;
}

}  // namespace

rollout::Topology topology_of(const std::vector<std::shared_ptr<const api::Pod>>& pods,
                              const kube::Store<api::Node>* nodes) {
  rollout::Topology topology;
  if (nodes == nullptr) return topology;
  for (const auto& pod : pods) {
    if (pod->node.empty() || topology.contains(pod->node)) continue;
    if (const auto node = nodes->get({"", pod->node})) {
      topology[pod->node] = {.zone = node->zone, .leaving = node->unschedulable};
    }
  }
  return topology;
}

bool is_going(const api::Pod& pod) { return pod.terminating() || pod.draining(); }

std::string revision_of(const api::ObjectMeta& metadata) {
  const auto found = metadata.labels.find(api::kRevisionLabel);
  return found == metadata.labels.end() ? std::string{} : found->second;
}

rollout::RolloutInput rollout_input(const Snapshot& snapshot, const api::RolloutStatus& state,
                                    std::optional<WallTime> refused_since) {
  rollout::RolloutInput input{.spec = snapshot.app->spec,
                              .updated_revision = snapshot.updated_revision,
                              .current_revision = snapshot.status->current_revision,
                              .refused_since = refused_since,
                              .state = state,
                              .controls = rollout::controls_of(snapshot.app->metadata, snapshot.updated_revision)};
  for (const auto& replica_set : snapshot.replica_sets) input.revisions.push_back(to_revision(*replica_set, snapshot));
  return input;
}

int budgeted_replicas(const rollout::RolloutInput& input, bool in_flight, int desired) {
  int replicas = desired;
  bool leaving = false;
  for (const auto& revision : input.revisions) {
    if (!rollout::carries_load(input, revision.revision)) replicas += revision.spec_replicas;
    leaving |= std::ranges::any_of(revision.pods, [](const auto& pod) { return pod.leaving && !pod.terminating; });
  }
  const bool is_kept = in_flight || input.spec.paused;
  return leaving && is_kept && rollout::resolve(input.spec.rollout, desired).unavailable == 0 ? replicas - 1 : replicas;
}

const api::Analysis& analysis_of(const api::ScalableAppSpec& spec) {
  static const api::Analysis nothing_judged;
  return spec.rollout.analysis ? *spec.rollout.analysis : nothing_judged;
}

std::vector<metrics::Query> analysis_queries(const rollout::RolloutInput& input, const api::ObjectKey& app) {
  const metrics::AnalysisPods pods = pods_of(input);
  if (pods.updated.empty()) return {};
  return metrics::analysis_queries(app, pods, analysis_of(input.spec));
}

std::optional<rollout::Measurement> new_measurement(WallTime now, const Snapshot& snapshot,
                                                    const rollout::RolloutInput& input,
                                                    const api::ScalingHistory& history, const Latest& latest) {
  if (pods_of(input).updated.empty()) return std::nullopt;
  const api::Analysis& analysis = analysis_of(input.spec);
  if (now < rollout::next_measurement(analysis, input.state.analysis, now)) return std::nullopt;
  int restarts = 0;
  for (const auto& revision : input.revisions) {
    if (revision.revision != input.updated_revision) continue;
    for (const auto& pod : revision.pods) {
      if (rollout::is_of_attempt(pod, input.state.started_at)) restarts += pod.restart_count;
    }
  }
  auto measurement = metrics::read_measurement(analysis, latest, restarts, now);
  if (!measurement) return std::nullopt;
  measurement->is_short_of_pods =
      rollout::is_short_of_pods(now, analysis, history, snapshot.status->desired_replicas - snapshot.status->ready_replicas);
  return measurement;
}

std::optional<api::Condition> capacity_condition(const rollout::RolloutInput& input, int desired) {
  constexpr int kEnoughRequests = 100;
  if (pods_of(input).updated.empty()) return std::nullopt;
  const auto change = rollout::capacity_change(input.state.analysis, kEnoughRequests);
  if (!change.cpu && !change.busy) return std::nullopt;
  const bool is_dearer = rollout::needs_more(change);
  std::string words = rollout::describe(change, input.current_revision, desired, input.spec.max_replicas);
  return api::Condition{.type = "RevisionCapacity",
                        .status = is_dearer ? api::ConditionStatus::kFalse : api::ConditionStatus::kTrue,
                        .reason = is_dearer ? "NeedsMoreCapacity" : "CapacitySuffices",
                        .message = words.empty() ? fmt::format("a request costs about what it does in revision {}",
                                                               input.current_revision)
                                                 : std::move(words)};
}

}  // namespace scalableapp::controller
