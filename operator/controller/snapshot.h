// Everything one reconcile of one app looks at, gathered once and then constant: the app, its
// ReplicaSets and Pods as the caches (and our own latest writes) have them, and the metric readings.
// Pure data; the decide and act steps never go back to the caches.
#pragma once

#include <memory>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/rollout/topology.h"
#include "operator/rollout/warm_up.h"
#include "operator/scaling/observation.h"

namespace scalableapp::controller {

struct Snapshot {
  std::shared_ptr<const api::ScalableApp> app;
  // As we last wrote it, which may be ahead of app->status; outlives the snapshot.
  const api::ScalableAppStatus* status = nullptr;
  std::string updated_revision;  // Of app->spec.template.
  std::vector<std::shared_ptr<const api::ReplicaSet>> replica_sets;  // Owned by the app, by name.
  std::vector<std::shared_ptr<const api::Pod>> pods;                 // Owned by those, by name.
  std::vector<scaling::MetricReading> readings;                      // One for each of spec.metrics.
  rollout::Topology topology;  // Of the nodes that the pods are on.
  bool unasked = false;  // A metric has neither been answered nor failed yet.
  rollout::WarmUpFacts warm_up;
};

}  // namespace scalableapp::controller
