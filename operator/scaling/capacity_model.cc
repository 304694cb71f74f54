#include "operator/scaling/capacity_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "operator/scaling/queueing.h"
#include "operator/scaling/smooth_load.h"

namespace scalableapp::scaling {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
// Fewer requests than these say nothing of a mean, let alone of a quantile.
constexpr double kFewestRequests = 30;
// A wait shorter than this share of the service time is noise.
constexpr double kLeastWait = 0.05;
// A replica is added for when the others would be busier than the first, and then for the second.
constexpr double kMostUtilization = 0.76;
constexpr double kWantedUtilization = 0.63;
// And when the quantile would be over the target, down to this share of it.
constexpr double kWantedQuantile = 0.8;
constexpr double kProbe = 1.25;  // Of the proven rate: how far down a step without a model goes.
constexpr double kCalmSeconds = 30;
constexpr double kTrial = 1.2;
constexpr double kRequestsOver = 10;  // Expected over the quantile, before it is believed.
constexpr double kLongestDoubt = 300;
constexpr double kBusy = 0.5;
constexpr double kIdle = 0.3;
// Of the rate at which they fall behind, where that is all that is known.
constexpr double kWanted = 0.85;
constexpr double kBusyServers = 1.5;   // So many requests per server are served or just come.
constexpr double kQueueSeconds = 10;   // In which what waits should be served.
constexpr double kUsualWarmUp = 10;    // Until it is measured.
constexpr double kMostGrowth = 1.5;
constexpr double kLongestGrowth = 30;  // Nobody knows that a load grows on for longer.
constexpr double kMostVariability = 2;
// The load per replica must have fallen so far to judge a trial.
constexpr double kFewerEach = 0.93;
constexpr double kNoBetter = 0.85;
constexpr double kMoreLoad = 1.25;   // Ends the verdict of a trial.

// How much of the way to a new value `passed` is worth.
double weight(seconds passed, seconds time_constant) {
  return std::min(1.0, static_cast<double>(passed.count()) /
                           static_cast<double>(time_constant.count()));
}

int ceil_count(double count) {
  return static_cast<int>(std::min(std::ceil(count - 1e-9), 1e6));
}

double variability_of(const api::MetricSpec& metric, const api::MetricMemory& memory) {
  const double ratio = memory.quantile_seconds / memory.service_seconds;
  return std::min(kMostVariability, scaling::variability_of(ratio, metric.quantile));
}

// The rate that leaves `allowed_seconds` of the quantile for waiting. A target that is not reached
// even without a wait leaves the utilization to go by.
double rate_within(const api::MetricSpec& metric, const api::MetricMemory& memory, double target,
                   double most_utilization) {
  const double allowed = std::max(target - memory.quantile_seconds, 0.1 * metric.target);
  const Station replica{memory.servers, memory.service_seconds, variability_of(metric, memory)};
  return rate_for_wait(replica, metric.quantile, allowed, most_utilization);
}

// Whether the latency has been over its target for long enough to be no chance: a quantile of few
// requests is mostly chance, so as many must have come meanwhile that several are expected over it.
bool is_lasting(WallTime at, const api::MetricSpec& metric, const ReplicaLoad& load,
                const api::MetricMemory& memory) {
  if (!memory.over_since) return false;
  const double needed = kRequestsOver / (1 - metric.quantile) / std::max(load.total, 1e-3);
  const double longest = std::max(kLongestDoubt, static_cast<double>(metric.window_seconds));
  const auto doubt = seconds{static_cast<std::int64_t>(
      std::clamp(needed, static_cast<double>(metric.window_seconds), longest))};
  return at >= *memory.over_since + doubt;
}

// Requests in progress per replica, by Little's law. With hardly ever one, none waits for another.
bool is_busy(const ReplicaLoad& load) { return load.rate * load.mean_seconds >= kBusy; }

void end_trial(api::MetricMemory& memory) {
  memory.trial_since.reset();
  memory.trial_seconds = memory.trial_rate = 0;
  memory.trial_replicas = 0;
  memory.not_capacity_bound = false;
}

// Requests in the app that wait though every server is busy: more than the pods serve at a time, by
// what was known of that before the latency got worse.
double queue_of(const ReplicaLoad& load, const Fleet& fleet, const api::MetricMemory& memory) {
  const double servers = memory.over_since ? memory.servers_before : memory.servers;
  if (servers == 0 && !load.backs_up) return 0;
  if (servers == 0) return (load.in_flight - load.rate * load.mean_seconds) * fleet.serving;
  return std::max(0.0, load.in_flight - kBusyServers * servers) * fleet.serving;
}

// Whether the replicas that were added have made a difference.
void judge_trial(WallTime now, const api::MetricSpec& metric, const ReplicaLoad& load,
                 const Fleet& fleet, bool has_queue, api::MetricMemory& memory) {
  if (!memory.trial_since) return;
  if (memory.not_capacity_bound) {
    if (load.rate > kMoreLoad * memory.trial_rate) end_trial(memory);
    return;
  }
  if (!fleet.all_measured || fleet.current <= memory.trial_replicas || has_queue ||
      now < *memory.trial_since + 2 * seconds{metric.window_seconds}) {
    return;
  }
  const bool fell = load.rate < kFewerEach * memory.trial_rate;
  const bool helped = load.best_quantile_seconds <=
                      std::max(metric.target, kNoBetter * memory.trial_seconds);
  if (fell && !helped && !load.backs_up) {
    memory.not_capacity_bound = true;
    memory.servers = 0;  // What explained the latency as waiting was wrong.
  } else {
    end_trial(memory);
  }
}

}  // namespace

void learn(WallTime sample_at, const api::MetricSpec& metric, const ReplicaLoad& load,
           api::MetricMemory& memory) {
  if (memory.learned_until && sample_at <= *memory.learned_until) return;
  const seconds passed = memory.learned_until
                             ? std::chrono::ceil<seconds>(sample_at - *memory.learned_until)
                             : seconds{1};
  memory.learned_until = sample_at;
  smooth_load(load.total, metric.window_seconds / 3.0, kCalmSeconds, passed, memory);
  if (!memory.over_since && load.quantile_seconds > metric.target) {
    // What was known before the latency got worse: this sample is the first that must not be in it.
    memory.servers_before = memory.servers;
    memory.proven_rate_before = memory.proven_rate;
  }
  if (load.requests < kFewestRequests || !(load.rate > 0) || !(load.mean_seconds > 0)) return;
  const bool met = load.quantile_seconds <= metric.target;
  double& service = memory.service_seconds;
  if (service == 0) {
    service = load.mean_seconds;
    memory.quantile_seconds = load.quantile_seconds;
  } else if (load.mean_seconds < service) {
    const double before = service;
    service += weight(passed, seconds{5}) * (load.mean_seconds - service);
    memory.quantile_seconds *= service / before;
  } else if (met && load.rate * service < 0.5 * memory.servers) {
    service += weight(passed, seconds{1800}) * (load.mean_seconds - service);
  }
  if (memory.not_capacity_bound) return;

  const double wait = load.mean_seconds - service;
  const double noise = service * std::max(kLeastWait, 3 / std::sqrt(load.requests));
  const bool is_overloaded = load.backs_up && is_lasting(sample_at, metric, load, memory);
  const auto approach = [&](double& value, double goal, seconds time_constant) {
    value += weight(passed, time_constant) * (goal - value);
  };
  if (memory.servers > 0 && memory.servers < load.rate * service) {
    approach(memory.servers, load.rate * service, seconds{5});
  }
  if (wait > noise) {
    const double fitted = fit_servers(load.rate, service, variability_of(metric, memory), wait);
    if (memory.servers == 0) {
      // Of a window that mixes two loads it is too few; better that than to wait for a whole one.
      if (load.is_steady || load.backs_up) memory.servers = fitted;
    } else if (load.is_steady) {
      approach(memory.servers, fitted, seconds{60});
    } else if (is_overloaded) {  // For the whole window: what was finished is all that it can do.
      approach(memory.servers, fitted, seconds{3});
    }
  } else if (load.is_steady) {
    approach(memory.quantile_seconds, load.quantile_seconds, seconds{60});
    // Fewer would have made it wait.
    const double fewest = fit_servers(load.rate, service, variability_of(metric, memory), noise);
    if (memory.servers > 0 && memory.servers < fewest) {
      approach(memory.servers, fewest, seconds{10});
    }
  }
  if (met && load.rate > memory.proven_rate && load.is_steady) {
    const double share = memory.proven_rate == 0 ? 1 : weight(passed, seconds{15});
    memory.proven_rate += share * (load.rate - memory.proven_rate);
  } else if (!met && is_busy(load) && is_lasting(sample_at, metric, load, memory)) {
    memory.proven_rate = std::min(memory.proven_rate, 0.95 * load.rate);
  }
}

CapacityProposal propose(WallTime now, const api::MetricSpec& metric, const api::Behavior& behavior,
                         const ReplicaLoad& load, const Fleet& fleet, api::MetricMemory& memory) {
  const int current = fleet.current;
  const bool over = load.quantile_seconds > metric.target * (1 + behavior.scale_up.tolerance);
  if (load.quantile_seconds <= metric.target) {
    if (memory.not_capacity_bound) {  // What was learned meanwhile was of something else.
      memory.servers = memory.servers_before;
      memory.proven_rate = memory.proven_rate_before;
    }
    memory.over_since.reset();
    end_trial(memory);
  } else if (!memory.over_since || *memory.over_since > now) {
    memory.over_since = now;
  }
  const double queue = queue_of(load, fleet, memory);
  judge_trial(now, metric, load, fleet, queue > 0, memory);

  // Where no limit has been seen, a replica that seldom has a request in progress is one too many.
  const double idle_rate = load.mean_seconds > 0 ? kIdle / load.mean_seconds : 0;
  double most = kInfinite, wanted = std::max(kProbe * memory.proven_rate, idle_rate);
  if (memory.servers > 0) {
    const double capacity = memory.servers / memory.service_seconds;
    const double proven = std::min(memory.proven_rate, kMostUtilization * capacity);
    most = std::max(proven, rate_within(metric, memory, metric.target, kMostUtilization));
    const double wanted_quantile = kWantedQuantile * metric.target;
    wanted = std::max(kWantedUtilization * proven / kMostUtilization,
                      rate_within(metric, memory, wanted_quantile, kWantedUtilization));
  }
  if (load.backs_up && over && memory.servers == 0) most = load.rate, wanted = kWanted * load.rate;
  // A new count lies halfway between what would raise it and what would lower it again.
  const double landing = std::isfinite(most) ? (most + wanted) / 2 : wanted;
  CapacityProposal proposal{
      .replicas = current, .rate_per_replica = landing, .most_per_replica = most};
  if (memory.not_capacity_bound) {
    proposal.rate_per_replica = memory.trial_rate;
    const double needed = load.total / memory.trial_rate;
    proposal.within_tolerance = needed >= (1 - behavior.scale_down.tolerance) * current;
    if (!proposal.within_tolerance) proposal.replicas = std::clamp(ceil_count(needed), 1, current);
    return proposal;
  }
  const double certain = certain_load(load.total, metric.window_seconds / 3.0, memory);
  // What it will be by the time a new replica serves, and what waits is to be done as well. A
  // figure is half its window late.
  const double warm_up = fleet.warm_up_seconds > 0 ? fleet.warm_up_seconds : kUsualWarmUp;
  const double horizon = std::min(warm_up, kLongestGrowth) + metric.window_seconds / 6.0;
  const double to_come =
      std::min(certain + horizon * load_growth(load.total, metric.window_seconds / 3.0, memory),
               kMostGrowth * certain);
  const double to_serve = to_come + (over ? std::max(0.0, queue) / kQueueSeconds : 0);
  // Until there are more replicas nothing is tried: what was asked for may have been held up.
  const bool is_tried = memory.trial_since && current > memory.trial_replicas;
  const bool waits_for_trial = is_tried && !load.backs_up && queue <= 0;
  const bool unexplained = over && is_busy(load) && is_lasting(now, metric, load, memory);
  if (ceil_count(to_serve / most) > current) {
    if (!waits_for_trial) {
      proposal.replicas = std::max(current + 1, ceil_count(to_serve / landing));
    }
  } else if (unexplained && !is_tried) {
    proposal.replicas = std::max(current + 1, ceil_count(kTrial * current));
  } else if (!(over && is_busy(load)) && wanted > 0 && certain < wanted * current) {
    const double needed = certain / wanted;
    proposal.within_tolerance = needed >= (1 - behavior.scale_down.tolerance) * current;
    if (!proposal.within_tolerance) proposal.replicas = std::max(1, ceil_count(needed));
  } else {
    proposal.within_tolerance = !over;
  }
  if (proposal.replicas > current && over && !is_tried) {
    memory.trial_since = now;
    memory.trial_seconds = load.quantile_seconds;
    memory.trial_rate = load.rate;
    memory.trial_replicas = current;
  }
  return proposal;
}

}  // namespace scalableapp::scaling
