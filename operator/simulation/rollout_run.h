// Plays a rollout in the simulator: two revisions of a service that differ in what the case says, the load
// of a trace, and the production code on top, scaling::decide() and rollout::plan() with the analysis
// between them. Says whether the new revision was promoted or rolled back, when, and how many pods served at
// each moment beside how many scaling wanted.
//
// Pure and deterministic, as simulation.h, whose model of pods, load and Prometheus it uses; what that leaves
// out, this leaves out too. For services only: a queue has no traffic to be split.
#pragma once

#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/simulation/simulation.h"
#include "operator/simulation/trace.h"

namespace scalableapp::simulation {

// What a revision is like, beside the workload of the case.
struct Version {
  double error_ratio = 0;     // Of its requests that fail.
  double service_factor = 1;  // How many times as long a request takes.
  double cpu_factor = 1;      // How many times as much CPU it takes.
  bool crashes = false;       // Its containers never get ready.
  bool operator==(const Version&) const = default;
};

struct RolloutCase {
  Workload workload;
  Version stable;
  Version updated;
  double begin_seconds = 60;  // In the trace's time, when the template changes.
  int initial_replicas = 0;   // As in Options.
};

struct RolloutPoint {
  double seconds = 0;  // In the trace's time; one each second.
  double arrivals_per_second = 0;
  int desired = 0;
  int stable_available = 0;
  int updated_available = 0;
  int stable_pods = 0;
  int updated_pods = 0;
  int weight = 0;
  bool operator==(const RolloutPoint&) const = default;
};

enum class RolloutEnd { kNone, kPromoted, kRolledBack, kPaused };
const char* to_string(RolloutEnd end);

struct RolloutResult {
  RolloutEnd end = RolloutEnd::kNone;  // kNone: still at it when the trace ended.
  std::string reason;                  // status.rollout.failureReason or pauseReason.
  std::string message;
  // From the change of the template to the decision (the failure, or the completion).
  double seconds = 0;
  // From the updated revision's first available pod to it, in intervals of the analysis, rounded up.
  int intervals = 0;
  // The most by which fewer pods were available than scaling wanted, while as many had been before: what
  // the rollout took away. 0: it never did.
  int worst_shortfall = 0;
  std::int64_t arrived = 0;
  std::int64_t failed = 0;      // Errors of a version, and requests that found no pod or lost theirs.
  std::int64_t bad_served = 0;  // Requests that the updated revision answered.
  double replica_seconds = 0;
  std::vector<RolloutPoint> points;
  std::vector<Message> messages;  // The planner's notes; from and to are the desired count.
  bool operator==(const RolloutResult&) const = default;
};

// kInvalid for a spec with problems, a workload or a trace that makes no sense; names the field.
Result<RolloutResult> simulate_rollout(const api::ScalableApp& app, const Trace& trace, const RolloutCase& rollout);

}  // namespace scalableapp::simulation
