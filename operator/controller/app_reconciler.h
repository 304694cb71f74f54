// Observe, decide, act for one ScalableApp: the one place where scaling and rollout meet.
//
//   1 observe   caches (with our own latest writes over them) and metric readings -> Snapshot
//   2 gates     pods that became warm take traffic now, before anything slower
//   3 decide    scaling::decide -> how many; rollout::plan -> of which revision, in which steps
//   4 act       the plan's actions in order; the first error ends the step and is retried
//   5 report    status (only when it says something new), events, metrics, one log line a decision
//
// Level-based and idempotent: killed after any write, the next run finds the world and goes on.
// What must outlive the process is in status.history; the per-app memory here only saves work.
// Thread-safe as long as no key is reconciled twice at once, which the work queue ensures.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "operator/controller/pending_writes.h"
#include "operator/controller/snapshot.h"
#include "operator/kube/client.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/store.h"
#include "operator/metrics/exporter.h"
#include "operator/metrics/sampler.h"
#include "operator/platform/clock.h"
#include "operator/rollout/plan.h"
#include "operator/scaling/decide.h"

namespace scalableapp::controller {

class AppReconciler {
 public:
  // All referenced objects must outlive the reconciler.
  struct Parts {
    const Clock& clock;
    kube::Client& client;
    const kube::Store<api::ScalableApp>& apps;
    const kube::Store<api::ReplicaSet>& replica_sets;  // Indexed by "namespace/app".
    const kube::Store<api::Pod>& pods;                 // Indexed by "namespace/app".
    metrics::Sampler& sampler;
    kube::EventRecorder& events;
    metrics::Exporter& exporter;
  };
  explicit AppReconciler(Parts parts) : parts_(parts) {}

  // The delay after which the app wants to be looked at again though nothing changed; an error asks
  // for a retry with backoff.
  Result<milliseconds> reconcile(const api::ObjectKey& key);

  // Forgets all per-app memory: a new leader knows only what status tells it.
  void forget_all();

  // The last decisions of an app as a JSON array, newest last; kNotFound for an unknown app.
  Result<std::string> decisions_json(const api::ObjectKey& key) const;

 private:
  struct Memory;
  std::shared_ptr<Memory> memory_of(const api::ScalableApp& app);
  Snapshot observe(std::shared_ptr<const api::ScalableApp> app, Memory& memory);
  Result<milliseconds> keep_gates(const Snapshot& snapshot, Memory& memory);
  Result<void> act(const Snapshot& snapshot, const rollout::RolloutPlan& plan, Memory& memory);
  Result<void> create_replica_set(const Snapshot& snapshot, const rollout::CreateReplicaSet& action,
                                  Memory& memory);
  Result<void> write_status(const api::ScalableApp& app, const api::ScalableAppStatus& status,
                            Memory& memory);
  void subscribe_metrics(const api::ScalableApp& app, bool sample_warm_up, Memory& memory);
  void forget(const api::ObjectKey& key);
  void warn(const api::ScalableApp& app, std::string reason, std::string message);
  void note(const api::ScalableApp& app, std::string reason, std::string message);

  Parts parts_;
  mutable std::mutex mutex_;
  std::map<api::ObjectKey, std::shared_ptr<Memory>> memory_;  // Guarded by mutex_.
};

}  // namespace scalableapp::controller
