#include "operator/rollout/spread.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace scalableapp::rollout {
namespace {

using PodPtr = std::shared_ptr<const api::Pod>;

// A pod, and how many there are in its zone and on its node when it is its turn to go.
struct Turn {
  PodPtr pod;
  int in_zone = 0;
  int on_node = 0;
};

}  // namespace

bool is_leaving(const Topology& topology, const api::Pod& pod) {
  const auto node = topology.find(pod.node);
  return node != topology.end() && node->second.leaving;
}

std::string_view Spread::zone_of(const api::Pod& pod) const {
  const auto node = topology_->find(pod.node);
  return node == topology_->end() ? std::string_view() : node->second.zone;
}

void Spread::count(const api::Pod& pod, int change) {
  zones_[zone_of(pod)] += change;
  nodes_[pod.node] += change;
}

// "Always from the fullest" needs no search for it: the turns of each node fall one by one from its count, so
// that a sort by them merges the nodes of a zone as taking would; and those of each zone likewise.
void Spread::sort(std::span<PodPtr> pods) const {
  std::vector<Turn> turns;
  turns.reserve(pods.size());
  auto nodes = nodes_;
  for (const PodPtr& pod : pods) turns.push_back({.pod = pod, .on_node = nodes[pod->node]--});
  std::ranges::stable_sort(turns, {}, [](const Turn& turn) { return -turn.on_node; });
  auto zones = zones_;
  for (Turn& turn : turns) turn.in_zone = zones[zone_of(*turn.pod)]--;
  // Turns that are equal in both come in the order of `pods` still.
  std::ranges::stable_sort(turns, {}, [](const Turn& turn) { return std::tuple(-turn.in_zone, -turn.on_node); });
  std::ranges::transform(turns, pods.begin(), [](Turn& turn) { return std::move(turn.pod); });
}

}  // namespace scalableapp::rollout
