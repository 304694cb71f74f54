#include "operator/simulation/simulation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "operator/scaling/explain.h"
#include "operator/simulation/columns.h"
#include "operator/simulation/fleet.h"
#include "operator/simulation/metrics_model.h"
#include "operator/simulation/peers.h"
#include "operator/simulation/production.h"
#include "operator/simulation/run_setup.h"

namespace scalableapp::simulation {
namespace {

constexpr std::size_t kUncountedSeconds = 10;
constexpr std::size_t kGoodSecondsThatEnd = 10;  // An episode of violations.
constexpr double kTurnShare = 0.2;      // Of the load's range, and
constexpr double kTurnShareOfMost = 0.1;  // of its highest: what hardly changes has no turns.
constexpr std::size_t kTurnWindow = 60;

// Keeps the plot's points and the counts of changes while the run goes on.
class Record {
 public:
  Record(PolicyResult& result, std::size_t stretch, const Options& options)
      : result_(result), stretch_(stretch), most_messages_(std::max(2, options.max_messages)) {}

  void second(std::size_t second, int desired, int serving, std::int64_t waiting) {
    const auto queue = static_cast<int>(std::min<std::int64_t>(waiting, 2'000'000'000));
    if (second % stretch_ == 0) {
      Point point;
      point.replicas_serving = serving;
      result_.points.push_back(point);
    }
    Point& point = result_.points.back();
    point.replicas_desired = std::max(point.replicas_desired, desired);
    point.replicas_serving = std::min(point.replicas_serving, serving);
    point.queue = std::max(point.queue, queue);
    result_.worst_queue = std::max(result_.worst_queue, queue);
    result_.max_replicas = std::max(result_.max_replicas, desired);
  }

  void decision(double at, int from, const Choice& choice) {
    if (choice.replicas != from) {
      const int direction = choice.replicas > from ? 1 : -1;
      ++result_.scale_events;
      result_.max_replicas = std::max(result_.max_replicas, choice.replicas);
      if (direction == -direction_) ++result_.direction_changes;
      direction_ = direction;
    } else if (choice.reason == reason_ || choice.message.empty()) {
      reason_ = choice.reason;
      return;
    }
    reason_ = choice.reason;
    auto& messages = result_.messages;
    if (messages.size() >= static_cast<std::size_t>(most_messages_)) {
      messages.erase(messages.begin() + most_messages_ / 2);
    }
    messages.push_back({at, from, choice.replicas, choice.reason, choice.message});
  }

 private:
  PolicyResult& result_;
  const std::size_t stretch_;
  const int most_messages_;
  int direction_ = 0;
  std::string reason_;
};

double fine_quantile(const std::uint32_t* buckets, double quantile) {
  double total = 0;
  for (std::size_t i = 0; i < kFineBuckets; ++i) total += buckets[i];
  if (total == 0) return 0;
  double below = 0;
  for (std::size_t i = 0; i < kFineBuckets; ++i) {
    if (buckets[i] > 0 && below + buckets[i] >= quantile * total) {
      const double begin = i == 0 ? 0 : fine_bucket_begin(i);
      const double end = fine_bucket_begin(i + 1);
      return begin + (end - begin) * (quantile * total - below) / buckets[i];
    }
    below += buckets[i];
  }
  return 0;
}

// What the seconds say once everything that arrived has been judged.
void conclude(const Outcomes& outcomes, const Level& level, double end, std::size_t stretch,
              double first_second, PolicyResult& result) {
  const auto total = static_cast<std::size_t>(std::ceil(end));
  std::size_t episode_begin = 0, last_bad = 0, longest = 0;
  bool in_episode = false;
  for (std::size_t i = kUncountedSeconds; i < total; ++i) {
    const auto& second = outcomes.seconds[i];
    const double length = std::min(1.0, end - static_cast<double>(i));
    result.measured_seconds += length;
    // Counted as a share, so that rounding is no miss: 1 of 100 is within 99 %.
    if (second.missed == 0 ||
        second.missed <= (1 - level.quantile) * second.arrived * (1 + 1e-9)) {
      continue;
    }
    result.slo_violation_seconds += length;
    if (!in_episode || i > last_bad + kGoodSecondsThatEnd) episode_begin = i;
    in_episode = true;
    last_bad = i;
    longest = std::max(longest, last_bad + 1 - episode_begin);
  }
  result.recovery_seconds = static_cast<double>(longest);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    Point& point = result.points[i];
    const auto begin = static_cast<double>(i * stretch);
    const double length = std::min(static_cast<double>(stretch), end - begin);
    point.seconds = first_second + begin;
    std::int64_t arrived = 0;
    for (std::size_t s = i * stretch; s < std::min((i + 1) * stretch, total); ++s) {
      arrived += outcomes.seconds[s].arrived;
    }
    if (length > 0) point.arrivals_per_second = static_cast<double>(arrived) / length;
    point.latency_seconds = fine_quantile(&outcomes.fine[i * kFineBuckets], level.quantile);
  }
  result.arrived = outcomes.total_arrived;
  result.served = outcomes.served;
  result.failed = outcomes.failed;
  result.unfinished = outcomes.unfinished;
  const double answered = static_cast<double>(outcomes.finished_count);
  if (answered > 0) result.mean_latency_seconds = outcomes.duration_seconds / answered;
}

}  // namespace

const char* to_string(Policy policy) {
  switch (policy) {
    case Policy::kScalableApp:
      return "scalableapp";
    case Policy::kHpa:
      return "hpa";
    case Policy::kKeda:
      return "keda";
    case Policy::kKpa:
      return "kpa";
  }
  return "";
}

Result<PolicyResult> simulate(const api::ScalableApp& app, const Trace& trace,
                              const Workload& workload, Policy policy, const Options& options) {
  if (const auto ok = check_run(app, workload, trace); !ok) return tl::unexpected(ok.error());
  const api::ScalableAppSpec& spec = app.spec;
  const bool is_queue = has_metric(spec, api::MetricType::kQueueLength);
  const Level level = level_of(spec, workload);
  const double length = end_seconds(trace) - trace.seconds[0];
  const auto total_seconds = static_cast<std::size_t>(std::ceil(length));
  const auto most_points = static_cast<std::size_t>(std::max(1, options.max_points));
  const std::size_t stretch =
      std::max<std::size_t>(1, (total_seconds + most_points - 1) / most_points);

  PolicyResult result;
  result.name = to_string(policy);
  result.slo = level.text;
  result.slo_seconds = level.seconds;
  result.load_direction_changes = load_turns(trace);

  const PrometheusColumns columns(trace, in_ticks(workload.scrape_seconds));
  const std::unique_ptr<Scaler> scaler = policy == Policy::kScalableApp
                                             ? make_production(spec, workload, columns, options)
                                             : make_peer(policy, spec, workload, columns);
  result.settings = scaler->settings();

  const auto origin = static_cast<std::size_t>(kPreRoll / seconds{1});
  const double end = length + in_seconds(kPreRoll);
  Outcomes outcomes(level.seconds, level.is_wait, end, stretch, origin);
  Fleet fleet({.app = app.metadata.name.empty() ? "app" : app.metadata.name,
               .times = times_of(spec, workload),
               .concurrency = workload.concurrency,
               .queue_limit = workload.queue_limit,
               .is_queue = is_queue,
               .takes_back = policy == Policy::kScalableApp,
               .cpu_seconds_per_request = workload.cpu_seconds_per_request,
               .seed = workload.seed},
              outcomes);
  MetricsModel metrics(in_ticks(workload.scrape_seconds), scaler->longest_window());
  Fleet* const fleets[] = {&fleet};
  const int initial = initial_replicas(spec, trace, workload, policy, options.initial_replicas);
  Arrivals arrivals(trace, workload, carried_by(initial, trace, workload));
  Record record(result, stretch, options);
  fleet.begin(initial);

  const milliseconds end_time = in_milliseconds(end);
  milliseconds next_decision = scaler->first();
  double before = 0;  // Replica-seconds that do not count.
  for (milliseconds now{0}; now < end_time; now += kTick) {
    fleet.step(now);
    metrics.scrape(now, fleets);
    if (now % seconds{1} == milliseconds{0}) {
      fleet.advance(in_seconds(now));
      scaler->each_second(now, fleet);
    }
    if (now == kPreRoll) before = fleet.replica_seconds(now);
    if (now >= kPreRoll && now % seconds{1} == milliseconds{0}) {
      record.second(static_cast<std::size_t>((now - kPreRoll) / seconds{1}), fleet.desired(),
                    fleet.serving(), fleet.waiting());
    }
    if (now >= next_decision) {
      next_decision += scaler->interval();
      const int from = fleet.desired();
      const Choice& choice = scaler->decide(now, fleet, metrics, now >= kPreRoll);
      if (now >= kPreRoll) {
        record.decision(in_seconds(now - kPreRoll) + trace.seconds[0], from, choice);
        if (choice.replicas != from) fleet.scale(now, choice.replicas);
      }
    }
    arrivals.generate(in_seconds(now), std::min(in_seconds(now + kTick), end),
                      [&](const Request& request, std::uint64_t chance) {
                        fleet.arrive(request, chance);
                      });
  }
  result.replica_seconds = fleet.replica_seconds(end_time) - before;
  fleet.finish(end_time);
  conclude(outcomes, level, length, stretch, trace.seconds[0], result);
  return result;
}

int load_turns(const Trace& trace) {
  if (trace.seconds.empty()) return 0;
  // The rate by seconds, then its mean over the window that ends there.
  const double end = end_seconds(trace) - trace.seconds[0];
  const auto total = static_cast<std::size_t>(std::ceil(end));
  std::vector<double> sums(total + 1);
  std::size_t row = 0;
  for (std::size_t second = 0; second < total; ++second) {
    // Rows shorter than a second count with what they last.
    const auto begin = static_cast<double>(second);
    double sum = 0, at = begin;
    while (at < begin + 1) {
      const auto begin_of = [&](std::size_t i) { return trace.seconds[i] - trace.seconds[0]; };
      while (row + 1 < trace.seconds.size() && begin_of(row + 1) <= at) ++row;
      const double next =
          row + 1 < trace.seconds.size() ? std::min(begin + 1, begin_of(row + 1)) : begin + 1;
      sum += trace.requests_per_second[row] * (next - at);
      at = next;
    }
    sums[second + 1] = sums[second] + sum;
  }
  const std::size_t window = std::min(kTurnWindow, total);
  std::vector<double> means;
  means.reserve(total);
  for (std::size_t i = window; i <= total; ++i) {
    means.push_back((sums[i] - sums[i - window]) / static_cast<double>(window));
  }
  const auto [lowest, highest] = std::ranges::minmax(means);
  const double step = std::max(kTurnShare * (highest - lowest), kTurnShareOfMost * highest);
  if (!(step > 1e-9)) return 0;
  int turns = 0, direction = 0;
  double low = means.front(), high = means.front();
  for (const double mean : means) {
    low = std::min(low, mean);
    high = std::max(high, mean);
    const bool rises = direction <= 0 && mean >= low + step;
    const bool falls = direction >= 0 && mean <= high - step;
    if (!rises && !falls) continue;
    turns += direction != 0 ? 1 : 0;
    direction = rises ? 1 : -1;
    low = high = mean;
  }
  return turns;
}

}  // namespace scalableapp::simulation
