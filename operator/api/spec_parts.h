// The parts of a spec that are read in files of their own. For the api library's own .cc files.
#pragma once

#include "operator/api/scalable_app.h"
#include "operator/api/spec_reader.h"

namespace scalableapp::api {

// As many as a ReplicaSet of a large cluster could hold; keeps sums within an int.
inline constexpr int kMostReplicas = 100'000;

// One of spec.metrics.
MetricSpec decode_metric(SpecReader& read, const Field& field);
// spec.readiness
Readiness decode_readiness(SpecReader& read, const Field& field);
// spec.rollout
RolloutSpec decode_rollout(SpecReader& read, const Field& field);
// spec.rollout.analysis, where it is set.
Analysis decode_analysis(SpecReader& read, const Field& field);

}  // namespace scalableapp::api
