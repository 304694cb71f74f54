#include "operator/scaling/smooth_load.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::scaling {
namespace {

constexpr double kSmoothSeconds = 20;
constexpr double kDeviations = 3;  // Of 700 figures one is further off by chance.

double noise_of(double per_second, double window_seconds) {
  return kDeviations * std::sqrt(per_second / window_seconds);
}

}  // namespace

void smooth_load(double per_second, double window_seconds, seconds passed, api::MetricMemory& memory) {
  double& load = memory.load_per_second;
  const double share = std::min(1.0, static_cast<double>(passed.count()) / kSmoothSeconds);
  load = load == 0 ? per_second : load + share * (per_second - load);
  const double noise = noise_of(std::max(per_second, load), window_seconds);
  load = std::clamp(load, per_second - noise, per_second + noise);
}

double certain_load(double per_second, double window_seconds, const api::MetricMemory& memory) {
  return std::max(memory.load_per_second, per_second - noise_of(per_second, window_seconds));
}

}  // namespace scalableapp::scaling
