// Which revision gets how many pods, and the next steps there. Pure: (now, what exists, how many are
// wanted) -> actions. Knows one strategy, Rolling; does no IO and remembers nothing: each call starts
// from the ReplicaSets and pods as they are, so a crash after any action costs nothing.
//
//   phase      when                                            what happens
//   Complete   only the updated revision has pods              it is scaled to the wanted count
//   Creating   the updated revision has no ReplicaSet          old up if load rose, then it is created, sized
//                                                              by what surge allows
//   Rolling    old revisions have pods                         new up, old down, within the two bounds
//   Stuck      no pod of it got ready for the deadline, or     bounds still hold, and maxUnavailable counts
//              its ReplicaSet is refused                       as 0: nothing is lent to what gives nothing back
//   Paused     spec.paused or spec.dryRun                      nothing
//
// The two bounds, as apps/v1 Deployment has them, on the count wanted *now*:
//   pods asked for <= wanted + maxSurge (percent rounds up)
//   available      >= wanted - maxUnavailable (percent rounds down; 1 if both would be 0)
// Pods that drain count as gone, as terminating ones do. A pod is available when it serves (Ready, warm gate included) and has for minReadySeconds.
// A burst during a rollout goes to the new revision once it has an available pod, before that to the
// old one: capacity is never bet on pods nobody has seen serve.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/time.h"

namespace scalableapp::rollout {

struct PodFacts {
  std::string name;
  bool serving = false;
  std::optional<WallTime> ready_since;
  bool terminating = false;  // Or draining (scale_down.h): on its way out.
  std::string trouble;  // In the kubelet's words; empty: none.
  int restart_count = 0;
  WallTime created{};
  std::optional<WallTime> unready_since;  // Absent: since it was created.
};

struct RevisionState {
  std::string revision;
  std::string name;  // Of the ReplicaSet.
  std::string uid;
  std::string resource_version;
  int spec_replicas = 0;  // Without pods that drain: kept_replicas (scale_down.h).
  WallTime created{};
  std::string failure;  // Why its pods cannot be created (quota, admission); empty: none.
  std::optional<WallTime> failure_since;  // Absent: since the ReplicaSet was created.
  std::vector<PodFacts> pods;
};

struct RolloutInput {
  const api::ScalableAppSpec& spec;
  int desired_replicas = 0;
  std::string updated_revision;
  std::string current_revision;
  bool is_refused = false;  // The API server will not have the updated revision's ReplicaSet.
  std::vector<RevisionState> revisions;
};

struct CreateReplicaSet {
  std::string revision;
  int replicas = 0;
  bool operator==(const CreateReplicaSet&) const = default;
};
struct ScaleReplicaSet {
  std::string name;
  std::string uid;
  std::string resource_version;
  int from = 0;
  int to = 0;
  std::string why;
  bool operator==(const ScaleReplicaSet&) const = default;
};
struct DeleteReplicaSet {
  std::string name;
  std::string uid;
  std::string resource_version;
  bool operator==(const DeleteReplicaSet&) const = default;
};
using Action = std::variant<CreateReplicaSet, ScaleReplicaSet, DeleteReplicaSet>;

struct RolloutPlan {
  std::vector<Action> actions;  // In the order to carry them out.
  bool in_flight = false;
  api::Condition progressing;           // Time unset.
  std::optional<WallTime> next_check;   // When time alone changes the plan.
};

// True while old revisions still have replicas or live pods beside (or instead of) the updated one.
bool in_flight(const RolloutInput& input);

// maxSurge and maxUnavailable of `desired`, resolved as Deployment does.
struct Bounds {
  int surge = 0;
  int unavailable = 0;
};
Bounds resolve(const api::RolloutSpec& spec, int desired);

RolloutPlan plan(WallTime now, const RolloutInput& input);

}  // namespace scalableapp::rollout
