// Keeps an app's PodDisruptionBudget (spec.disruptionBudget: Managed), or takes it away (None). It has the app's
// name, is owned by it, and lets nobody evict pods below what a rollout would leave: minAvailable is the wanted
// count less maxUnavailable. Pods that are not ready hold up no drain (unhealthyPodEvictionPolicy: AlwaysAllow).
//
// It is to be kept after a step's writes to ReplicaSets. It rises late and falls early then; where it is too high
// for a moment, evictions wait. What it counts are all pods of the app, of whichever revision.
//
// Pods with two budgets cannot be evicted at all, so where another one selects the app's pods none is made. That is
// looked for only then: a budget that comes later is not noticed.
#pragma once

#include <optional>
#include <string>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/kube/client.h"

namespace scalableapp::controller {

// How old what was seen may be before it is looked at again.
inline constexpr seconds kBudgetRecheck{300};
// A number that rises is written so often at most.
inline constexpr seconds kBudgetPause{5};
// The budget of an earlier app of this name is on its way out: looked at again so soon.
inline constexpr seconds kBudgetLeftover{10};

// How many pods must stay when `desired` are wanted.
int min_available(const api::RolloutSpec& spec, int desired);

// What the reconciler keeps of an app between calls.
struct BudgetMemory {
  std::optional<api::DisruptionBudget> mode;  // That was last seen to; absent: none yet.
  MonotonicTime look_at{};                    // When it is looked at again.
  bool may_write = false;                     // There is ours, or nothing in the way of it.
  std::string uid;                            // Of ours; empty: there is none.
  std::optional<int> min_available;           // That it has; absent: it is to be written whatever the number.
  std::optional<MonotonicTime> written_at;
  std::string reason;
  std::string problem;
};

struct BudgetState {
  // Why there is none, for a person; the reason is PodDisruptionBudgetConflict or PodDisruptionBudgetRefused.
  std::string reason;
  std::string problem;
  milliseconds next = milliseconds::max();  // When it wants to be looked at again.
};

// An error is one that may pass and asks for a retry. Not to be called with dryRun.
Result<BudgetState> keep_disruption_budget(kube::Client& client, MonotonicTime now, const api::ScalableApp& app,
                                           int desired, BudgetMemory& memory);

}  // namespace scalableapp::controller
