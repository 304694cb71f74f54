#include "operator/scaling/drain.h"

#include <algorithm>
#include <cmath>

#include "operator/scaling/queueing.h"
#include "operator/scaling/smooth_load.h"

namespace scalableapp::scaling {
namespace {

constexpr double kSmoothing = 0.2;
// By so much a window, of what is known, a worker may be found to be faster while others that are
// gone may have done a part of it.
constexpr double kMostRaise = 0.25;
// Of the jobs, so many wait no longer than drainSeconds.
constexpr double kQuantile = 0.99;
// Workers that are busier than this fall behind with every fluctuation; scaling down leaves more
// room than scaling up asks for.
constexpr double kMostUtilization = 0.9;
constexpr double kWantedUtilization = 0.72;
// Of the mean of arrivals: what comes in bursts waits a little, which a queue is for.
constexpr double kCalmSeconds = 90;

// Workers as one station with many servers: the fewest that keep up with `rate`.
double workers_for(double rate, double jobs_per_second, double drain_seconds, double utilization) {
  double workers = std::ceil(rate / (jobs_per_second * utilization) - 1e-9);
  workers = std::max(workers, 1.0);
  const double service = 1 / jobs_per_second;
  while (wait_quantile({workers, service}, rate, kQuantile) > drain_seconds) ++workers;
  return workers;
}

}  // namespace

void learn_throughput(WallTime sample_at, const MetricReading& reading, seconds window,
                      const std::vector<PodState>& pods, api::MetricMemory& memory) {
  if (memory.learned_until && sample_at <= *memory.learned_until) return;
  const seconds passed = memory.learned_until
                             ? std::chrono::ceil<seconds>(sample_at - *memory.learned_until)
                             : seconds{1};
  const auto window_seconds = static_cast<double>(window.count());
  memory.learned_until = sample_at;
  if (reading.arrivals_per_second && std::isfinite(*reading.arrivals_per_second)) {
    smooth_load(std::max(0.0, *reading.arrivals_per_second), window_seconds, kCalmSeconds, passed,
                memory);
  }
  if (!reading.completions_per_second || !std::isfinite(*reading.completions_per_second) ||
      !(*reading.completions_per_second > 0)) {
    return;
  }
  int workers = 0;
  bool same_all_along = true;
  for (const PodState& pod : pods) {
    if (pod.finished || !(pod.serving || pod.terminating)) continue;
    ++workers;
    same_all_along &= !pod.terminating && pod.ready_since && *pod.ready_since <= sample_at - window;
  }
  if (workers == 0) return;
  const double each = *reading.completions_per_second / workers;
  // What waited when the window began: arrivals are completions and what the queue grew by.
  const double growth = reading.arrivals_per_second.value_or(0) - *reading.completions_per_second;
  const double waited = *reading.value - growth * window_seconds;
  const bool all_were_busy = same_all_along && std::min(waited, *reading.value) > workers;
  double& known = memory.jobs_per_second;
  if (known == 0) {
    // An idle worker's first figure would say that it is slow: until it is busy nothing is known.
    if (all_were_busy) known = each;
  } else if (all_were_busy) {
    known += kSmoothing * (each - known);
  } else if (same_all_along) {
    // Workers that are gone leave their jobs in the window, so that the others look faster than
    // they are. Where some have just joined they all look slower, so that more of it is true.
    const double windows = std::min(1.0, static_cast<double>(passed.count()) / window_seconds);
    known = std::max(known, std::min(each, known * (1 + kMostRaise * windows)));
  } else {
    known = std::max(known, std::min(each, 2 * known));
  }
}

std::optional<DrainProposal> replicas_to_drain(const api::MetricSpec& metric,
                                               const MetricReading& reading, int current,
                                               const api::Behavior& behavior,
                                               const api::MetricMemory& memory) {
  const double each = memory.jobs_per_second;
  if (!(each > 0) || !reading.arrivals_per_second || !std::isfinite(*reading.arrivals_per_second)) {
    return std::nullopt;
  }
  const double rate = memory.load_per_second;
  const double drain = *metric.drain_seconds;
  const double for_backlog = *reading.value / (drain * each);
  const double needed = for_backlog + rate / each;
  const auto count = [&](double utilization) {
    return static_cast<int>(std::min(
        1e6, std::max(std::ceil(needed - 1e-9), workers_for(rate, each, drain, utilization))));
  };
  DrainProposal proposal{.replicas = count(kMostUtilization),
                         .jobs_per_replica = kWantedUtilization * each};
  if (proposal.replicas >= current) {
    proposal.within_tolerance = proposal.replicas == current;
    return proposal;
  }
  proposal.replicas = std::min(current, count(kWantedUtilization));
  proposal.within_tolerance = proposal.replicas >= (1 - behavior.scale_down.tolerance) * current;
  if (proposal.within_tolerance) proposal.replicas = current;
  return proposal;
}

}  // namespace scalableapp::scaling
