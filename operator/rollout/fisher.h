// Fisher's exact test of a table of two by two counts, one-sided (R. A. Fisher, "On the interpretation of
// chi-squared from contingency tables", 1922): if the hits had fallen on the tries of both sides by chance, how
// likely is it that the first side has as many of them as it has, or more. Exact for small counts as for large
// ones, in some microseconds for a million tries. Pure; shares nothing with other threads (lgamma does).
#pragma once

#include <cstdint>

namespace scalableapp::rollout {

struct Tally {
  std::int64_t hits = 0;   // 0 to `tries`.
  std::int64_t tries = 0;
};

// 0 to 1; 1 where one side has no tries.
double fisher_more(const Tally& suspect, const Tally& reference);

}  // namespace scalableapp::rollout
