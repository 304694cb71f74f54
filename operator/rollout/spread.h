// Which of the pods that may go leave the others spread best over zones and nodes. Pure.
//
// The next one to go is from the zone that has the most of the app's pods, and there from the node that has
// the most: the loss of a zone, and then of a node, takes as few as can be. Where that says nothing, the
// order that the pods came in does.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string_view>

#include "operator/api/workload.h"
#include "operator/rollout/topology.h"

namespace scalableapp::rollout {

bool is_leaving(const Topology& topology, const api::Pod& pod);

// Counts the app's pods that are to stay, of all its ReplicaSets, by zone and by node.
class Spread {
 public:
  // `topology` and all pods must outlive it.
  explicit Spread(const Topology& topology) : topology_(&topology) {}

  void add(const api::Pod& pod) { count(pod, 1); }
  void take(const api::Pod& pod) { count(pod, -1); }
  // Orders `pods`, all of them counted, by who goes first. O(n log n).
  void sort(std::span<std::shared_ptr<const api::Pod>> pods) const;

 private:
  void count(const api::Pod& pod, int change);
  std::string_view zone_of(const api::Pod& pod) const;

  const Topology* topology_;
  std::map<std::string_view, int> zones_;  // Pods by zone; "" is all that are in none.
  std::map<std::string_view, int> nodes_;
};

}  // namespace scalableapp::rollout
