// How many workers empty a queue in time: the backlog within drainSeconds, and what keeps coming so
// that it hardly ever waits longer than that. Needs to know what one busy worker gets done, which
// is learned while there is more to do than workers. Pure.
#pragma once

#include <optional>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// Once a sample. Completions are those of `window`: workers that joined or left meanwhile, or that
// had nothing to do, could have done more than they did, so then it only ever raises what is known;
// by little at a time, unless some have just joined, because some that are gone may have helped.
void learn_throughput(WallTime sample_at, const MetricReading& reading, seconds window,
                      const std::vector<PodState>& pods, api::MetricMemory& memory);

struct DrainProposal {
  int replicas = 0;  // At least 1.
  bool within_tolerance = false;
  double jobs_per_replica = 0;  // That a replica should get done, 1/s.
};
// Unset while a worker's throughput or what keeps coming is not known: the target per replica is
// left to go by. `current` > 0; metric.drain_seconds is set.
std::optional<DrainProposal> replicas_to_drain(const api::MetricSpec& metric,
                                               const MetricReading& reading, int current,
                                               const api::Behavior& behavior,
                                               const api::MetricMemory& memory);

}  // namespace scalableapp::scaling
