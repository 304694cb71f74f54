// What one reconcile writes to an app's pods: the condition of their gate, and its annotations (that they
// are to go, that they were ejected). What is to be written, rollout/ says. Blocking; the answers go to
// `pending`, so that the next look at the pods knows of them. One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/controller/pending_writes.h"
#include "operator/controller/snapshot.h"
#include "operator/kube/client.h"
#include "operator/platform/clock.h"
#include "operator/rollout/ejections.h"
#include "operator/rollout/gates.h"
#include "operator/rollout/scale_down.h"

namespace scalableapp::controller {

// The soonest that an app is looked at again, save on an error.
inline constexpr milliseconds kSoonest{50};
milliseconds from_now(WallTime now, WallTime at);

// Not now and not by repeating it: the object is wrong, or quota, RBAC or a webhook say no.
bool is_refusal(const Error& error);

// The strategic merge patch of pods/status that makes the change at `now`; with `version`, only while the pod
// is as it was then.
std::string gate_patch(const rollout::GateChange& change, WallTime now, const std::string& version = {});

class PodWrites {
 public:
  // Tells a Warning event: its reason and its message.
  using Warn = std::function<void(std::string reason, std::string message)>;
  // All references must outlive it.
  PodWrites(kube::Client& client, const Clock& clock, const Snapshot& snapshot, PendingWrites& pending, Warn warn)
      : client_(client), clock_(clock), snapshot_(snapshot), pending_(pending), warn_(std::move(warn)) {}

  // Opens and closes readiness gates, of the pods as our own writes have left them.
  void keep_gates();
  // Lets pods say why their gate stays closed, as far as the last keep_gates left it to be said. Nothing depends
  // on it, so it comes last, and its errors are nobody's.
  void tell_waits();
  // Pods that were to go and are needed after all serve again: no new pod could so soon.
  void release(const rollout::Pods& pods);
  // Tells every pod of the app at what level it is to leave work out; 0: none, which needs no annotation. What does
  // not fit into one look is told at the next ones.
  void tell_degrade_level(int level);
  // Marks the pods that are to go, and the outliers, and takes them out of service. False if a pod that is
  // to go is not marked.
  bool set_aside(const std::vector<rollout::Mark>& marks, const std::vector<rollout::Eject>& ejects);

  milliseconds next = milliseconds::max();  // When a gate will have to change.
  std::optional<Error> error;               // The first one that asks for a retry.

 private:
  // No value: the annotation goes. kConflict if the pod is gone, or is not as it was seen any more.
  using Annotations = std::map<std::string, std::optional<std::string>>;
  Result<void> annotate(const api::Pod& pod, const Annotations& annotations);
  // To whatever pod of this uid there is now.
  Result<void> write_gate(const rollout::GateChange& change);

  kube::Client& client_;
  const Clock& clock_;
  const Snapshot& snapshot_;
  PendingWrites& pending_;
  Warn warn_;
  std::vector<rollout::GateChange> waits_;  // To be told.
};

}  // namespace scalableapp::controller
