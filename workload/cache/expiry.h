// When entries expire, and who loads them anew. Pure: chance is an argument, uniform in [0, 1).
#pragma once

#include "operator/base/time.h"

namespace scalableapp::workload {

// The TTL times a factor from [1 - jitter, 1 + jitter]: what was stored together does not expire together.
milliseconds jittered_ttl(milliseconds ttl, double jitter, double chance);

// Whether a reader of an entry that is fresh for `fresh_left` more, and took `load_time` to load, should load it again
// now: load_time * -ln(chance) >= fresh_left. The more readers and the dearer the load, the earlier one of them does,
// and nearly always only one. The formula is XFetch with beta = 1 of Vattani, Chierichetti and Lowenstein, "Optimal
// Probabilistic Cache Stampede Prevention", PVLDB 8(8), 2015.
bool refreshes_early(milliseconds fresh_left, milliseconds load_time, double chance);

}  // namespace scalableapp::workload
