// The slices of Pod and ReplicaSet that the operator keeps in its caches: everything else is
// dropped when an object is decoded, which is what keeps the caches small.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/meta.h"

namespace scalableapp::api {

// How the operator notes on a pod that it is to go ("TIME"): it takes no traffic any more, and where
// it served it is given time to finish what it has.
inline constexpr const char* kDrainingSinceAnnotation = "scalableapp.io/draining-since";
// Kubernetes' own: of pods that serve alike the ReplicaSet controller takes the cheapest first.
inline constexpr const char* kDeletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";
// How the operator notes that a pod was taken out of service as an outlier ("COUNT TIME WHY").
inline constexpr const char* kEjectionAnnotation = "scalableapp.io/ejected";
struct Ejection {
  int count = 0;  // How many times in short succession, this one included.
  WallTime time{};
  std::string why;  // For a person.
  bool operator==(const Ejection&) const = default;
};
std::string encode_ejection(const Ejection& ejection);
// Nothing for text of another form.
std::optional<Ejection> decode_ejection(const std::string& text);

// How the operator tells a pod to do less ("1" to "9"): see Brownout. Absent: nothing is to be left out.
inline constexpr const char* kDegradeLevelAnnotation = "scalableapp.io/degrade-level";

// The gate's reasons where it is closed on a pod that was warm and may come back as it is.
inline constexpr const char* kDrainingReason = "Draining";
inline constexpr const char* kOutlierReason = "Outlier";
// And where it was opened again on such a one.
inline constexpr const char* kDrainCancelledReason = "DrainCancelled";
inline constexpr const char* kOutlierRetryReason = "OutlierRetry";

// How a pod says, for the time when no operator leads, after how many seconds its gate opens.
inline constexpr const char* kFailOpenAnnotation = "scalableapp.io/fail-open-seconds";
// Where a node says its zone (well-known label of Kubernetes).
inline constexpr const char* kZoneLabel = "topology.kubernetes.io/zone";

struct Node {
  ObjectMeta metadata;  // Without labels and annotations.
  std::string zone;     // Empty: none.
  bool unschedulable = false;  // Cordoned: its pods are about to be moved.
  bool operator==(const Node&) const = default;
};
Result<Node> decode_node(const nlohmann::json& object);

struct Pod {
  ObjectMeta metadata;  // Labels: only kAppLabel, kRevisionLabel. Annotations: none.
  std::string node;     // Name of its node; empty: not scheduled yet.
  std::string ip;       // Empty: none yet.
  std::optional<int> fail_open_seconds;
  std::string phase;    // "Pending", "Running", "Succeeded", "Failed".
  bool has_warm_gate = false;  // spec.readinessGates names kWarmGate.
  bool containers_ready = false;
  std::optional<WallTime> containers_ready_since;
  bool ready = false;  // The kubelet's word: containers ready and every gate true.
  std::optional<WallTime> ready_since;
  std::optional<WallTime> unready_since;  // When Ready was last said not to be so any more, or yet.
  bool warm = false;                   // The gate's condition is True.
  std::optional<WallTime> warm_since;  // When we opened it.
  std::string gate_reason;             // Of the gate's condition; empty: there is none.
  std::optional<WallTime> set_aside_since;  // When we closed it though the pod was warm.
  bool returned = false;  // The gate was opened again on a pod that was set aside: Ready is not its first.
  std::optional<WallTime> draining_since;   // When it was chosen to go.
  std::optional<Ejection> ejection;         // The last one.
  std::string degrade_level;  // kDegradeLevelAnnotation as it is; empty: none.
  std::optional<WallTime> started_at;  // status.startTime
  int restart_count = 0;               // Sum over containers.
  double cpu_request_cores = 0;        // Sum over containers.
  // Why the pod cannot run, from its containers or its scheduling: "ImagePullBackOff: ...",
  // "CrashLoopBackOff: ...", "Unschedulable: ..."; empty while nothing is wrong.
  std::string trouble;
  bool terminating() const { return metadata.deletion_time.has_value(); }
  bool draining() const { return draining_since.has_value(); }
  bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
  bool operator==(const Pod&) const = default;
};

// A change of the app's size, as its ReplicaSet tells it ("TIME FROM TO" under this annotation). It is
// written together with spec.replicas, so that a process that dies before it has written the status
// has told its successor.
inline constexpr const char* kSizeChangeAnnotation = "scalableapp.io/size-change";
struct SizeChange {
  WallTime time{};
  int from = 0;
  int to = 0;
  bool operator==(const SizeChange&) const = default;
};
std::string encode_size_change(const SizeChange& change);
// Nothing for text of another form.
std::optional<SizeChange> decode_size_change(const std::string& text);

struct ReplicaSet {
  ObjectMeta metadata;
  int spec_replicas = 0;
  // spec.template as canonical JSON without what the operator adds (revision label, gate): equal to
  // ScalableAppSpec::template_json for the revision it came from. Kept as a hash to save memory.
  std::string template_hash;
  std::string failure;  // message of condition ReplicaFailure=True (quota, admission), else empty.
  std::optional<WallTime> failure_since;
  std::optional<SizeChange> size_change;  // The last one that was written to this ReplicaSet first.
  // kRevisionNumberAnnotation. Those before an adoption are 0 and less.
  std::optional<std::int64_t> revision_number;
  bool operator==(const ReplicaSet&) const = default;
};

Result<Pod> decode_pod(const nlohmann::json& object);
Result<ReplicaSet> decode_replica_set(const nlohmann::json& object);

}  // namespace scalableapp::api
