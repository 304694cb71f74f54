// Brings a rollout's routing about (rollout::Routing): which pods the Services of spec.rollout send traffic to,
// and the weights in the HTTPRoute. IO, and nothing else: what is wanted, rollout::plan says.
//
//   Service    spec.selector["scalableapp.io/revision"] is set by a merge patch; its other keys stay. A later
//              kubectl apply of the manifest, which does not have that key, leaves it. Server-side apply does
//              not: there a selector is one field, so that kubectl says "conflict", and whoever forces it
//              (Flux) takes the key away until the next look.
//   HTTPRoute  in each rule with backendRefs to both Services theirs get the weights 100-w and w; all else
//              stays. An apply of the manifest brings its own weights back until the next look.
//
// The order is such that no Service is sent traffic before its pods are meant to have it: stable Service; weights
// that fall; canary Service; weights that rise. What cannot be done ends the step there.
//
// A Service that the strategy does not name any more is let go: the key is taken out if it is as we left it. That
// is known for as long as the process leads; a Service that an earlier one has left behind keeps the key and, once
// that revision is gone, no pods (kubectl patch service NAME --type=merge
// -p '{"spec":{"selector":{"scalableapp.io/revision":null}}}'). Weights of an HTTPRoute stay as they are.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/kube/client.h"
#include "operator/rollout/plan.h"

namespace scalableapp::controller {

// How old what was seen may be before it is looked at again: others may have changed it.
inline constexpr seconds kTrafficRecheck{60};
// What is missing is looked for again so soon.
inline constexpr seconds kTrafficRetry{10};

// What a strategy's routing is about; empty names: none.
struct TrafficTargets {
  std::string stable_service;
  std::string updated_service;
  std::string http_route;
  std::string stable_field;  // Where the spec has them: "spec.rollout.canary.stableService".
  std::string updated_field;
  bool operator==(const TrafficTargets&) const = default;
};
TrafficTargets traffic_targets(const api::RolloutSpec& spec);

// What the reconciler keeps of an app between calls.
struct TrafficMemory {
  TrafficTargets targets;
  rollout::Routing routing;
  std::optional<MonotonicTime> checked_at;      // When all of that was last looked at; absent: not yet.
  std::string problem;                          // What came of it.
  std::map<std::string, std::string> revisions;  // By Service: what we set, or found as it should be.
};

struct TrafficState {
  // Why the traffic does not go where it should, for a person, with the field of the spec; empty: it does. Until it
  // does no pods are to be taken away: they may be the ones that are sent traffic.
  std::string problem;
  milliseconds next = milliseconds::max();  // When it wants to be looked at again.
};

// An error is one that may pass (no connection, a conflict) and asks for a retry; it too says that the traffic is
// not known to go where it should. Not to be called with dryRun.
Result<TrafficState> route_traffic(kube::Client& client, MonotonicTime now, const api::ScalableApp& app,
                                   const rollout::Routing& routing, TrafficMemory& memory);

}  // namespace scalableapp::controller
