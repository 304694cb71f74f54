// Which gates open though no operator leads (spec.readiness.failOpenSeconds, N on the pod). Pure; used only
// by the process that stands in for it (controller/fail_open.h).
//
// A gate opens once nobody has led for N seconds, and the pod's containers have been seen ready for N
// seconds without a break. Both are counted by this process's own clock from its own first look: other machines'
// times are not compared, and a new process opens too late rather than too early. It stays closed
// where the pod does not ask for it, drains, or was ever set aside: an operator said that it should not serve.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/workload.h"
#include "operator/rollout/gates.h"

namespace scalableapp::rollout {

// Since when a pod has been seen waiting with its containers ready. A pod that is not any more is forgotten.
using WaitingSince = std::map<std::string, MonotonicTime>;

struct FailOpenPlan {
  std::vector<GateChange> changes;
  WaitingSince waiting_since;               // To be remembered.
  std::optional<MonotonicTime> next_check;  // When the next one is due.
};
// `unled_since`: since when nobody is known to have led.
FailOpenPlan plan_fail_open(MonotonicTime now, MonotonicTime unled_since,
                            const std::vector<std::shared_ptr<const api::Pod>>& pods, const WaitingSince& before);

}  // namespace scalableapp::rollout
