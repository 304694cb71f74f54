// Stands in for an operator that is away, in one respect: opens the gates of pods that ask for it
// (spec.readiness.failOpenSeconds; rollout/fail_open.h says which and when). Runs as a process of its own
// (scalableapp-operator fail-open), so that whatever ended the operator need not have ended it. It never
// closes a gate, and changes nothing else.
//
// It reads the operator's Lease every kLeaseLook. Whether somebody leads it judges as the elector does
// (kube/leader_elector.h): by when it saw the Lease change, never by the times in it. A Lease that cannot
// be read is no sign of anything, since then no operator can renew it either: it counts anew after that.
// Only while the Lease has not changed for kLeaseDoubt are pods watched, so at rest it costs the API
// server one read. An operator that runs without an election has no Lease: do not run this beside it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "operator/api/workload.h"
#include "operator/controller/manager.h"
#include "operator/kube/client.h"
#include "operator/kube/store.h"
#include "operator/platform/clock.h"
#include "operator/rollout/fail_open.h"

namespace scalableapp::controller {

inline constexpr milliseconds kLeaseLook{2'000};
// A standby takes over sooner than that.
inline constexpr milliseconds kLeaseDoubt{5'000};

// One thread.
class FailOpen {
 public:
  // `clock` and `client` must outlive it.
  FailOpen(const Clock& clock, kube::Client& client, api::ObjectKey lease)
      : clock_(clock), client_(client), lease_(std::move(lease)) {}

  // Looks at the Lease and opens the gates that are due. `pods`: null while they are not watched. Returns
  // when to look again.
  milliseconds look(const kube::Store<api::Pod>* pods);
  bool in_doubt() const { return in_doubt_; }  // The pods are to be watched.
  bool knows_lease() const { return record_.has_value(); }

 private:
  void read_lease();
  bool open(const rollout::GateChange& change);

  const Clock& clock_;
  kube::Client& client_;
  const api::ObjectKey lease_;
  std::optional<std::string> record_;  // What the Lease says of its holder; "": there is none.
  MonotonicTime unled_since_{};        // When record_ was first seen so.
  bool in_doubt_ = false;
  bool failing_ = false;  // As the log told it.
  rollout::WaitingSince waiting_since_;
};

// Runs until `stop` is asked for; an error means it could not start. Of the options it uses kubeconfig,
// watch_namespace, lease_name, lease_namespace and http_port.
Result<void> run_fail_open(const ManagerOptions& options, std::stop_token stop);

}  // namespace scalableapp::controller
