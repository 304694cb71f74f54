// Which revision gets how many pods, how much of the traffic, and the next steps there. Pure:
// (now, what exists, how many are wanted, where the rollout is) -> actions, routing, where it is then.
// Does no IO; what it has to remember is api::RolloutStatus, which is written before the actions are
// carried out. A crash after any write costs nothing: the next call starts from what there is.
//
// The goal is the updated revision (of spec.template), or the current one (the last that was rolled out
// completely: "stable") where the updated one has failed or was aborted. A strategy says how many pods
// of each revision are wanted at the moment, mover.h takes the ReplicaSets there:
//
//   Rolling     all of the goal; old pods go as new ones become available
//   Canary      the share that the present step's weight says, by replicas, or, with an HTTPRoute, by its
//               backendRefs while the stable revision stays at full size; past the last step all
//   BlueGreen   all of both; then the active Service switches, then the old ones go
//   Recreate    none of the old, and when they are gone all of the goal
//
// The two bounds, as apps/v1 Deployment has them, on the count wanted *now*:
//   pods asked for <= wanted + maxSurge (percent rounds up); not for BlueGreen, an HTTPRoute, and on the way
//   back, where the stable revision comes up at once
//   available      >= wanted - maxUnavailable (percent rounds down; 1 if both would be 0); not for Recreate
// Pods that drain count as gone, as terminating ones do. A pod is available when it serves (Ready, warm
// gate included) and has for minReadySeconds. A count that rises during a rollout goes to revisions that
// have available pods: capacity is never bet on pods nobody has seen serve.
//
// It ends by itself, and goes back to the stable revision (with automatic_rollback; else it stays where it is
// and says so), when the analysis failed (analysis.h), when a pod of the updated revision crash-loops, when
// nothing got ready for progressDeadlineSeconds, or when its ReplicaSet is refused for so long. Without a
// stable revision there is nothing to go back to. Where it does not go back, a crash loop, the deadline and a refusal
// end with their cause; what the analysis or a person said stays.
//
// Pods that lose traffic by an HTTPRoute's weights, which it takes a little to follow, go spec.drain_seconds
// later. RolloutStatus::available_at is, after a failure, when the stable revision had every replica again.
//
// Node drains: pods on a node that is cordoned are replaced before they go, within maxSurge (at least one),
// while no rollout is in flight.
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
  bool deleted = false;      // Terminating for good: it cannot come back, as one that drains can.
  bool leaving = false;      // Its node is cordoned.
  std::string trouble;  // In the kubelet's words; empty: none.
  int restart_count = 0;
  WallTime created{};
  std::optional<WallTime> unready_since;  // Absent: since it was created.
};

// Whether the pod is of an attempt that began then, as far as clocks, ours and the API server's, may differ: older ones
// say nothing of it.
bool is_of_attempt(const PodFacts& pod, std::optional<WallTime> began);

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

// What people ask for by annotations (api::kPromoteAnnotation and others), as far as it is about this
// updated revision.
struct Controls {
  std::optional<int> promote_past;  // This step, and those before it.
  bool promote_fully = false;
  bool abort = false;
  std::optional<WallTime> retry_of;  // A failure before this time is forgotten.
  bool operator==(const Controls&) const = default;
};
Controls controls_of(const api::ObjectMeta& app, const std::string& updated_revision);

struct RolloutInput {
  const api::ScalableAppSpec& spec;
  int desired_replicas = 0;
  bool in_burst = false;
  std::string updated_revision;
  std::string current_revision;  // Empty: nothing was ever rolled out.
  std::optional<WallTime> refused_since;  // The API server will not have the updated revision's ReplicaSet.
  std::vector<RevisionState> revisions;
  api::RolloutStatus state;  // With what the analysis has said until now.
  Controls controls;
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

// Where traffic should go, for the Services and the HTTPRoute that the strategy names. To be brought about
// before the actions.
struct Routing {
  std::string stable_revision;   // Of stableService or activeService; empty: leave it alone.
  std::string updated_revision;  // Of canaryService or previewService; empty: leave it alone.
  std::optional<int> weight;     // Percent for canaryService in the HTTPRoute, the rest for stableService.
  bool operator==(const Routing&) const = default;
};

// What has just become of the rollout, to be told once.
struct Note {
  bool is_warning = false;
  std::string reason;
  std::string message;
  bool operator==(const Note&) const = default;
};

struct RolloutPlan {
  std::vector<Action> actions;  // In the order to carry them out.
  Routing routing;
  api::RolloutStatus state;     // To be written before anything is carried out.
  std::vector<Note> notes;
  bool in_flight = false;
  bool is_complete = false;     // The updated revision is, from now on, the current one.
  api::Condition progressing;           // Time unset.
  std::optional<WallTime> next_check;   // When time alone changes the plan.
};

// True while revisions still have replicas or live pods beside (or instead of) the goal's, or the updated one, where
// that is the goal, has not proved itself yet. What has gone back completely is at rest.
bool in_flight(const RolloutInput& input);
// While a rollout is in flight serving pods are not scaled down, unless spec.rollout.scaleDown allows it; one that
// waits for a person, or cannot go on, holds nothing.
bool holds_scale_down(WallTime now, const RolloutInput& input);
// Whether its pods carry the app's load; pods of others (a preview) are not measured.
bool carries_load(const RolloutInput& input, const std::string& revision);

// The failure of an analysis, in api::RolloutStatus::failure_reason.
inline constexpr const char* kAnalysisFailed = "AnalysisFailed";
// How many steps the strategy has, that people can promote a rollout past. Canary has those of its spec; Rolling and
// Recreate wait for the verdict of an analysis, if there is one; BlueGreen waits to be promoted, and then for the verdict.
int step_count(const api::RolloutSpec& spec);

// maxSurge and maxUnavailable of `desired`, resolved as Deployment does.
struct Bounds {
  int surge = 0;
  int unavailable = 0;
};
Bounds resolve(const api::RolloutSpec& spec, int desired);

RolloutPlan plan(WallTime now, const RolloutInput& input);

}  // namespace scalableapp::rollout
