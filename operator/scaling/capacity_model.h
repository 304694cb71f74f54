// How many replicas meet a latency target: from what a replica was seen to do, not from the ratio of
// latency to target, which says little. Below saturation the latency hardly depends on the count;
// above it no ratio is large enough. Pure.
//
// Learned from every sample, and kept in api::MetricMemory (so also over a restart):
//   service_seconds   the mean response time without waiting: the lowest of late; it rises slowly,
//                     and only while little waits
//   quantile_seconds  the quantile at such times
//   servers           how many requests a replica serves at a time, effectively: what explains the
//                     mean wait (response time by Little's law: requests in progress / rate, J. D. C.
//                     Little, Operations Research 9, 1961) at this rate; see queueing.h
//   proven_rate       the rate per replica at which the target was met
// While the load changes, a window mixes rates and waits of different times: then only the least that
// the figures prove, that so many servers were busy, is learned.
//
// From these follows the rate that a replica can serve within the target, quantile_seconds + wait
// quantile <= target. A count is left alone while the load is between what it should carry and what
// it can carry. Where no wait has been seen, so that the limit is not known, the count goes down by
// steps, to 1.25 times the proven rate each.
//
// A latency over its target that the model does not explain leads to a trial: a fifth more replicas;
// but only once enough requests have come to tell it from chance, and where there is a request in
// progress at most times, without which none can wait for another.
// If then the load per replica has fallen and the pods, new ones too, are as slow as before, replicas
// do not help (a slow dependency, say): not_capacity_bound, and nothing is added until the latency is
// back within the target or the load has grown.
#pragma once

#include <string>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// What the pods did that served for the whole window.
struct ReplicaLoad {
  int pods = 0;
  double rate = 0;             // Requests a second per pod.
  double mean_seconds = 0;     // Response time.
  double requests = 0;         // In the window, by all of them.
  double total = 0;            // Requests a second that come to the app, the pods left out included.
  bool backs_up = false;       // More come than are finished.
  double in_flight = 0;        // Requests in the app now, per pod that serves.
  bool is_steady = false;      // As many come as are finished, and as many are in progress as before.
  double quantile_seconds = 0;  // Of the response time.
  double best_quantile_seconds = 0;  // A quarter of the pods have no more.
};

struct CapacityProposal {
  int replicas = 0;
  bool within_tolerance = false;
  double rate_per_replica = 0;  // That a replica should carry; 0: not known.
  double most_per_replica = 0;  // Over which one more is wanted; infinite: not known.
};

void learn(WallTime sample_at, const api::MetricSpec& metric, const ReplicaLoad& load,
           api::MetricMemory& memory);

// Comes after learn(). `current` > 0; `all_measured`: every one of them is among load.pods.
// `serving` replicas share the load now; a new one needs `warm_up_seconds`, 0 if that is not known.
struct Fleet {
  int current = 0;
  int serving = 0;
  bool all_measured = false;
  double warm_up_seconds = 0;
};
CapacityProposal propose(WallTime now, const api::MetricSpec& metric, const api::Behavior& behavior,
                         const ReplicaLoad& load, const Fleet& fleet, api::MetricMemory& memory);

}  // namespace scalableapp::scaling
