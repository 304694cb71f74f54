#include "workload/protection/gradient_limit.h"

#include <algorithm>
#include <cmath>

namespace scalableapp::workload {
namespace {

constexpr auto kWindow = milliseconds(100);
constexpr std::size_t kFewestSamples = 10;  // In a window; it lasts until it has them.
constexpr std::size_t kMostSamples = 256;
constexpr std::size_t kUncrowdedSamples = 16;
constexpr std::size_t kFewestUncrowded = 4;
constexpr auto kProbeEvery = seconds(10);
constexpr auto kLongestProbe = seconds(2);
constexpr double kTolerance = 1.5;
constexpr auto kNoise = milliseconds(5);
constexpr double kSmoothing = 0.3;
constexpr double kBackoff = 0.9;

Instant::duration median(std::vector<Instant::duration>& samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

}  // namespace

GradientLimit::GradientLimit(const GradientLimitOptions& options)
    : options_(options), limit_(std::clamp(options.initial, options.min, options.max)) {}

void GradientLimit::admitted(int in_flight) { peak_in_flight_ = std::max(peak_in_flight_, in_flight); }

void GradientLimit::refused(Instant now) {
  if (probing_since_) {
    if (now - *probing_since_ >= kLongestProbe) learn_unloaded(now);
  } else if (unloaded_at_ == Instant{} || now - unloaded_at_ >= kProbeEvery) {
    probing_since_ = now;
    uncrowded_.clear();
  }
}

void GradientLimit::served(Instant began, bool uncrowded, Instant now) {
  if (uncrowded && (!probing_since_ || began >= *probing_since_)) {
    uncrowded_.push_back(now - began);
    if (uncrowded_.size() >= kUncrowdedSamples) learn_unloaded(now);
  }
  if (probing_since_) return;  // The latency of a probe is not that of the load.
  if (latencies_.empty()) window_began_ = now;
  if (latencies_.size() < kMostSamples) latencies_.push_back(now - began);
  if (now - window_began_ >= kWindow && latencies_.size() >= kFewestSamples) end_window(now);
}

void GradientLimit::learn_unloaded(Instant now) {
  if (uncrowded_.size() >= kFewestUncrowded) unloaded_ = median(uncrowded_);
  uncrowded_.clear();
  unloaded_at_ = now;
  if (!probing_since_) return;
  probing_since_.reset();
  latencies_.clear();
  peak_in_flight_ = 0;
}

void GradientLimit::end_window(Instant now) {
  double gradient = 1;
  if (unloaded_) {
    const double unloaded = to_seconds(*unloaded_);
    const double allowed = std::max(kTolerance * unloaded, unloaded + to_seconds(kNoise));
    gradient = std::clamp(allowed / to_seconds(median(latencies_)), 0.5, 1.0);
  }
  const double next = dropped_ ? limit_ * kBackoff : gradient * limit_ + std::sqrt(limit_);
  const bool is_used = peak_in_flight_ * 2 >= limit();
  if (next < limit_ || is_used) {
    limit_ = std::clamp(limit_ + kSmoothing * (next - limit_), double(options_.min), double(options_.max));
  }
  latencies_.clear();
  window_began_ = now;
  peak_in_flight_ = 0;
  dropped_ = false;
}

}  // namespace scalableapp::workload
