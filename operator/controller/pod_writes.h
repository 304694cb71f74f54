// What the operator writes to pods: the condition of their gate, and its annotations (that they are to
// go, that they were ejected). Blocking; the answers go to `pending`, so that the next look at the pods
// knows of them.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "operator/controller/pending_writes.h"
#include "operator/kube/client.h"
#include "operator/platform/clock.h"
#include "operator/rollout/gates.h"

namespace scalableapp::controller {

// To whatever pod of this uid there is now.
Result<void> write_gate(kube::Client& client, const Clock& clock, const rollout::GateChange& change,
                        PendingWrites& pending);

// No value: the annotation goes. kConflict if the pod is gone, or is not as it was
// seen any more.
using Annotations = std::map<std::string, std::optional<std::string>>;
Result<void> annotate(kube::Client& client, const Clock& clock, const api::Pod& pod, const Annotations& annotations,
                      PendingWrites& pending);

// The pod is gone, or another one bears its name, or it has changed: the cache will say so.
bool is_late(const Error& error);

}  // namespace scalableapp::controller
