// Observe, decide, act for one ScalableApp: the one place where scaling and rollout meet.
//
//   1 observe   caches (with our own latest writes over them) and metric readings -> Snapshot
//   2 gates     pods that became warm take traffic now, before anything slower
//   3 decide    scaling::decide -> how many; rollout::plan -> of which revision, in which steps;
//               rollout::plan_scale_down -> which pods; those that are needed after all serve at once
//   4 report    status (only when it says something new), then events, metrics, one log line
//   5 act       pods that are to go, and outliers, leave service; Services send traffic where the rollout says;
//               then the plan's actions in order, and the disruption budget; the first error ends the step and is
//               retried, save a new ReplicaSet that the API server refuses: that is told and tried again later,
//               the rest goes on; while traffic is not where it should be no pod is taken away; last the pods are
//               told their degrade level
//
// Level-based and idempotent: killed after any write, the next run finds the world and goes on.
// status.desiredReplicas is the app's size. In a rollout it is written, with the scale event, before
// the ReplicaSets are: a run that dies between the two is finished by the next one, and what it did
// is in the history already, so that no rate policy is ever used up twice. Where a change of size is
// one write to one ReplicaSet, that comes first and carries the change with it (SizeChange): it is
// capacity, and costs the API server a third of what the status does. Whoever finds a change that
// the status does not know takes it over. While other apps wait for their turn, the status makes way
// for up to kStatusPatience. What must outlive the process is in status and there; the per-app
// memory here only saves work.
// Thread-safe as long as no key is reconciled twice at once, which the work queue ensures.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "operator/controller/disruption_budget.h"
#include "operator/controller/pending_writes.h"
#include "operator/controller/snapshot.h"
#include "operator/controller/traffic.h"
#include "operator/controller/warm_up_prober.h"
#include "operator/kube/client.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/store.h"
#include "operator/metrics/exporter.h"
#include "operator/metrics/load_history.h"
#include "operator/metrics/metric_source.h"
#include "operator/platform/clock.h"
#include "operator/platform/time_zone.h"
#include "operator/rollout/ejections.h"
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
    metrics::MetricSource& metrics;
    kube::EventRecorder& events;
    metrics::Exporter& exporter;
    // Where pods are; null: not known.
    const kube::Store<api::Node>* nodes = nullptr;
    // What forecasts are made from; null: the newest samples only.
    metrics::LoadHistory* load_history = nullptr;
    // Whether other apps wait for a worker; none: they never do.
    std::function<bool()> is_behind = {};
    // Asks pods whether they are warm; null: none are, and those that are to be asked stay cold.
    WarmUpProbes* probes = nullptr;
  };
  static constexpr milliseconds kStatusPatience{3000};
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
  void subscribe_metrics(const Snapshot& snapshot, const rollout::RolloutInput& input, Memory& memory);
  void unsubscribe(const api::ObjectKey& key);
  std::vector<std::string> foresee(const Snapshot& snapshot, WallTime now, Memory& memory,
                                   scaling::Observation& observation);
  std::vector<rollout::Eject> look_at_outliers(const Snapshot& snapshot, const std::vector<scaling::Outlier>& outliers,
                                               Memory& memory);
  Result<TrafficState> route(const Snapshot& snapshot, const rollout::RolloutPlan& plan, Memory& memory);
  Result<BudgetState> keep_budget(const Snapshot& snapshot, int desired, Memory& memory);
  void add_rollout_conditions(WallTime now, const rollout::RolloutInput& input, Memory& memory,
                              api::ScalableAppStatus& status);
  Result<void> avoid_collision(const Snapshot& snapshot, Memory& memory);
  void take_over_size(const Snapshot& snapshot, Memory& memory);
  Result<void> act(const Snapshot& snapshot, const rollout::RolloutPlan& plan, Memory& memory,
                   const std::optional<api::SizeChange>& change = {});
  Result<void> remember(const Result<std::string>& written, Memory& memory);
  Result<void> keep_number(const Snapshot& snapshot, Memory& memory);
  Result<void> create_replica_set(const Snapshot& snapshot, const rollout::CreateReplicaSet& action,
                                  Memory& memory);
  Result<void> scale_replica_set(const Snapshot& snapshot, const rollout::ScaleReplicaSet& action,
                                 const std::optional<api::SizeChange>& change, Memory& memory);
  enum class Urgency { kAtOnce, kMakesWay };
  Result<milliseconds> write_status(const api::ScalableApp& app, const api::ScalableAppStatus& status,
                                    Memory& memory, Urgency urgency = Urgency::kAtOnce);
  bool makes_way(Memory& memory);
  Result<void> report_invalid(const Snapshot& snapshot, Memory& memory);
  void report_unscaled(const Snapshot& snapshot, api::ScalableAppStatus status, const Error& error,
                       Memory& memory);
  void announce(WallTime now, const Snapshot& snapshot, const rollout::RolloutPlan& plan,
                scaling::Observation observation, api::ScalingHistory before,
                scaling::Decision decision, Memory& memory);
  void announce_degrade_level(const api::ScalableApp& app, const api::BrownoutMemory& brownout, Memory& memory);
  void announce_expectation(const api::ScalableApp& app, const scaling::Decision& decision, Memory& memory);
  void forget(const api::ObjectKey& key);
  void warn(const api::ScalableApp& app, std::string reason, std::string message);
  void note(const api::ScalableApp& app, std::string reason, std::string message);

  Parts parts_;
  TimeZoneCache zones_;
  mutable std::mutex mutex_;
  std::map<api::ObjectKey, std::shared_ptr<Memory>> memory_;  // Guarded by mutex_.
};

}  // namespace scalableapp::controller
