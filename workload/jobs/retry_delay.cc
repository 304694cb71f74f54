#include "workload/jobs/retry_delay.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {

milliseconds retry_delay(int failures, milliseconds base, milliseconds cap, double chance) {
  const double doubled = std::ldexp(static_cast<double>(base.count()), std::clamp(failures - 1, 0, 40));
  const double longest = std::min(doubled, static_cast<double>(cap.count()));
  return milliseconds(static_cast<long long>(longest * (0.5 + chance / 2)));
}

}  // namespace scalableapp::workload
