// Where pods run, as far as it matters which of them go first.
#pragma once

#include <map>
#include <string>

namespace scalableapp::rollout {

struct NodeFacts {
  std::string zone;      // Empty: none.
  bool leaving = false;  // Cordoned.
  bool operator==(const NodeFacts&) const = default;
};
// By node name. A node that is not in it is unknown: in no zone, and not leaving.
using Topology = std::map<std::string, NodeFacts>;

}  // namespace scalableapp::rollout
