#include "workload/load/zipf.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {

// The hat over the bar of k is 1/x from k - 1/2 to k + 1/2, whose area is never less than the bar's
// 1/k, since 1/x is convex. 1's bar gets exactly the area 1, so it is never rejected.
Zipf::Zipf(std::uint64_t highest)
    : highest_(static_cast<double>(highest)),
      area_low_(std::log(1.5) - 1),
      area_high_(std::log(highest_ + 0.5)) {}

std::uint64_t Zipf::operator()(std::mt19937_64& random) const {
  std::uniform_real_distribution<double> spread(0, 1);
  while (true) {
    const double area = area_high_ + spread(random) * (area_low_ - area_high_);
    const double number = std::clamp(std::round(std::exp(area)), 1.0, highest_);
    if (area >= std::log(number + 0.5) - 1 / number) return static_cast<std::uint64_t>(number);
  }
}

}  // namespace scalableapp::workload
