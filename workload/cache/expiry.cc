#include "workload/cache/expiry.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {

milliseconds jittered_ttl(milliseconds ttl, double jitter, double chance) {
  const double factor = 1 + jitter * (2 * chance - 1);
  return std::max(milliseconds(1), milliseconds(std::llround(static_cast<double>(ttl.count()) * factor)));
}

bool refreshes_early(milliseconds fresh_left, milliseconds load_time, double chance) {
  return static_cast<double>(load_time.count()) * -std::log(1 - chance) >= static_cast<double>(fresh_left.count());
}

}  // namespace scalableapp::workload
