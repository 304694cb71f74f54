// Whether a pod has warmed up, as spec.readiness asks. Pure.
//
// All that is set must hold at the same time:
//   minWarmSeconds   its containers have been ready for so long
//   warmUp.query     its value has been within the range for forSeconds without a break, as we saw it
//   warmUp.httpGet   the last one succeeded (controller/warm_up_prober.h)
// What is not known yet is not warm, and not cold either: it opens no gate, and closes none. Another pod
// of the same name begins anew, and so does one whose containers have restarted.
//
// Since when a value is within its range is known to this process only: a new one counts from its own
// first look, so that a pod is taken for warm too late rather than too early.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"

namespace scalableapp::rollout {

// What is known of a pod beside what it says itself.
struct WarmUpFact {
  std::optional<double> value;               // Of warmUp.query; unset: none, or too old.
  std::optional<milliseconds> in_range_for;  // Without a break; unset: it is not.
  std::optional<bool> probe_succeeded;       // The last one; unset: none yet.
  std::string probe_failure;                 // Why it did not, for a person.
};
using WarmUpFacts = std::map<std::string, WarmUpFact>;  // By pod name.

// Another one for another pod of the name, and after a restart of its containers.
std::string life_of(const api::Pod& pod);

// Since when values have been within the range, by life_of.
using InRangeSince = std::map<std::string, MonotonicTime>;
// What to remember after a look at `values` (by pod name). A value that is missing, or out of the range, or of
// a pod whose containers are not ready, is a break.
InRangeSince in_range_since(MonotonicTime now, const api::WarmUpCondition& condition,
                            const std::vector<std::shared_ptr<const api::Pod>>& pods,
                            const std::map<std::string, double>& values, const InRangeSince& before);

enum class Warmth { kCold, kUnknown, kWarm };
struct WarmUpVerdict {
  Warmth warmth = Warmth::kUnknown;
  std::optional<WallTime> warm_at;  // Then time alone will have made it warm, as far as is known.
  std::string reason;   // CamelCase word: of the gate that opens, or why it does not.
  std::string message;  // For a person.
};
// Of a pod whose containers are ready. `fact`: null where nothing is known.
WarmUpVerdict judge_warm_up(WallTime now, const api::Readiness& readiness, const api::Pod& pod, const WarmUpFact* fact);

}  // namespace scalableapp::rollout
