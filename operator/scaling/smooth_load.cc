#include "operator/scaling/smooth_load.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::scaling {
namespace {

constexpr double kRecentSeconds = 4;
constexpr double kDeviations = 3;  // Of 700 figures one is further off by chance, so a few an hour.
// What is multiplied by the time ahead must be no chance at all.
constexpr double kGrowthDeviations = 5;

double deviation_of(double per_second, double window_seconds) {
  return std::sqrt(per_second / window_seconds);
}
double noise_of(double per_second, double window_seconds) {
  return kDeviations * deviation_of(per_second, window_seconds);
}

}  // namespace

void smooth_load(double per_second, double window_seconds, double calm_seconds, seconds passed,
                 api::MetricMemory& memory) {
  double& load = memory.load_per_second;
  const double share = std::min(1.0, static_cast<double>(passed.count()) / calm_seconds);
  load = load == 0 ? per_second : load + share * (per_second - load);
  const double noise = noise_of(std::max(per_second, load), window_seconds);
  load = std::clamp(load, per_second - noise, per_second + noise);
  double& recent = memory.recent_load_per_second;
  const double recent_share = 1 - std::exp(-static_cast<double>(passed.count()) / kRecentSeconds);
  recent = recent == 0 ? per_second : recent + recent_share * (per_second - recent);
}

// The mean of an exponential window of T seconds is T seconds late behind a steady growth.
double load_growth(double per_second, double window_seconds, const api::MetricMemory& memory) {
  const double behind = per_second - memory.recent_load_per_second;
  if (!(behind > kGrowthDeviations * deviation_of(per_second, window_seconds))) return 0;
  return std::min(behind, memory.recent_load_per_second) / kRecentSeconds;
}

double certain_load(double per_second, double window_seconds, const api::MetricMemory& memory) {
  return std::max(memory.load_per_second, per_second - noise_of(per_second, window_seconds));
}

}  // namespace scalableapp::scaling
