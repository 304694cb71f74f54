#include "workload/geo/surge.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {

double surge_factor(long long requests, long long drivers) {
  constexpr double kMost = 3.0;
  const double ratio = static_cast<double>(requests) / static_cast<double>(std::max(1LL, drivers));
  return std::round(std::clamp(ratio, 1.0, kMost) * 10) / 10;
}

}  // namespace scalableapp::workload
