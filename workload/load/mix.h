// Which requests a run is made of, by weight: "/work=90,/=5,/jobs:POST=5". Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/base/result.h"

namespace scalableapp::workload {

struct MixEntry {
  std::string target;  // Path and query.
  std::string method = "GET";
  double weight = 1;
};

struct Mix {
  std::vector<MixEntry> entries;
  double total_weight = 0;

  // The entry for a number from [0, 1): each as often as its weight says.
  const MixEntry& pick(double number) const;
};

// The part after the last '=' is the weight (1 without one that is a number); GET and POST are
// known.
Result<Mix> parse_mix(const std::string& text);

}  // namespace scalableapp::workload
