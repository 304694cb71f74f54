// What must hold for every decision, whatever the app, the load and the faults: random apps live
// through thousands of decisions with pods that start slowly, readings that go missing, rollouts
// and restarts. A failure prints its seed; SCALABLEAPP_SEEDS=100 tries a hundred times as many.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "operator/scaling/limits.h"
#include "operator/scaling/queueing.h"
#include "operator/scaling/record.h"
#include "operator/scaling/stabilize.h"
#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;

unsigned seeds(unsigned count) {
  const char* factor = std::getenv("SCALABLEAPP_SEEDS");
  return count * (factor != nullptr ? static_cast<unsigned>(std::atoi(factor)) : 1);
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int integer(int low, int high) { return std::uniform_int_distribution<>(low, high)(engine_); }
  double real(double low, double high) {
    return std::uniform_real_distribution<>(low, high)(engine_);
  }
  bool chance(double share) { return real(0, 1) < share; }
  template <typename List>
  void shuffle(List& list) {
    std::shuffle(list.begin(), list.end(), engine_);
  }

 private:
  std::mt19937 engine_;
};

api::ScalingRules random_rules(Random& random, int longest_window) {
  api::ScalingRules rules;
  rules.stabilization_window_seconds = random.chance(0.4) ? 0 : random.integer(1, longest_window);
  rules.tolerance = random.chance(0.3) ? 0 : random.real(0, 0.3);
  rules.select_policy = random.chance(0.05)  ? api::SelectPolicy::kDisabled
                        : random.chance(0.3) ? api::SelectPolicy::kMin
                                             : api::SelectPolicy::kMax;
  for (int i = random.integer(0, 3); i > 0; --i) {
    const int period = random.integer(1, 60);
    rules.policies.push_back(random.chance(0.5) ? test::pods(random.integer(1, 6), period)
                                                : test::percent(random.integer(5, 200), period));
  }
  return rules;
}

api::ScalableAppSpec random_app(Random& random) {
  auto spec = test::app({}, {random_rules(random, 60), random_rules(random, 300)});
  spec.min_replicas = random.integer(0, 4);
  spec.max_replicas = spec.min_replicas + random.integer(1, 60);
  spec.interval_seconds = random.integer(1, 4);
  spec.metrics = {
      test::cpu(random.real(0.3, 0.9)), test::latency(random.real(0.05, 0.5)),
      test::backlog(random.integer(1, 50)),
      test::metric("custom", api::MetricType::kPrometheus, random.real(1, 100),
                   random.chance(0.5) ? api::TargetType::kValue : api::TargetType::kAverageValue)};
  for (auto& metric : spec.metrics) {
    if (random.chance(0.3)) metric.latency_model = api::LatencyModel::kRatio;
  }
  random.shuffle(spec.metrics);
  spec.metrics.resize(static_cast<std::size_t>(random.integer(1, 4)));
  return spec;
}

// What goes beyond HPA. Of these only a burst may pass over a policy.
void add_features(Random& random, api::ScalableAppSpec& spec) {
  if (random.chance(0.3)) spec.burst = api::Burst{random.integer(110, 400), random.integer(1, 120)};
  if (random.chance(0.3)) {
    spec.brownout = api::Brownout{random.integer(1, 9), random.integer(1, 60), random.integer(1, 60)};
  }
  if (random.chance(0.3)) spec.min_replicas = 0;
  spec.idle_seconds = random.integer(0, 300);
  if (random.chance(0.5)) spec.prediction = api::Prediction{15, random.integer(1, 100)};
  for (auto& metric : spec.metrics) {
    if (random.chance(0.3)) {
      metric.fallback = api::Fallback{random.integer(0, 300), random.integer(1, 80)};
    }
    if (metric.target_type != api::TargetType::kAverageValue) continue;
    if (random.chance(0.3)) metric.activation_threshold = random.real(0, 3 * metric.target);
    if (metric.type == api::MetricType::kQueueLength && random.chance(0.3)) {
      metric.drain_seconds = random.integer(1, 600);
    }
  }
}

// Replicas of `metric` as stations, `load` of which are as busy as they should be. With a bad pod,
// perhaps.
void add_loads(Random& random, const api::MetricSpec& metric, double load,
               const Observation& observation, MetricReading& reading) {
  const Station station{.servers = 4, .service_seconds = metric.target / 4};
  const double total = 0.9 * station.capacity() * load;
  const auto count = static_cast<double>(std::ranges::count_if(observation.pods, &PodState::serving));
  const bool has_bad_pod = random.chance(0.05);
  double in_progress = 0, quantile = 0;
  for (const auto& pod : observation.pods) {
    if (!pod.serving) continue;
    const double slower = has_bad_pod && in_progress == 0 ? 10 : 1;
    const double rate = std::min(total / count, 0.97 * station.capacity());
    PodLoad& pod_load = reading.loads[pod.name];
    pod_load.requests_per_second = rate;
    pod_load.errors_per_second = random.chance(0.02) ? rate : 0;
    pod_load.concurrency = rate * slower * (station.service_seconds + mean_wait(station, rate));
    pod_load.quantile_seconds =
        slower * (2 * station.service_seconds + wait_quantile(station, rate, metric.quantile));
    in_progress += pod_load.concurrency;
    quantile += *pod_load.quantile_seconds / count;
  }
  if (count == 0) return;
  reading.value = quantile;
  reading.arrivals_per_second = total;
  reading.in_flight = in_progress + (total / count > station.capacity() ? total : 0);
}

// How the world answers: `load` is the number of replicas that would be right on target.
MetricReading random_reading(Random& random, const api::MetricSpec& metric, double load,
                             const Observation& observation) {
  MetricReading reading;
  reading.name = metric.name;
  reading.age = milliseconds{random.integer(0, 3000)};
  const double count = std::max<double>(1, static_cast<double>(observation.pods.size()));
  switch (metric.type) {
    case api::MetricType::kCpu:
      for (const auto& pod : observation.pods) {
        if (random.chance(0.05)) continue;
        reading.per_pod[pod.name] = pod.cpu_request_cores * metric.target * load / count;
      }
      break;
    case api::MetricType::kQueueLength:
      reading.value = load * metric.target;
      if (!metric.drain_seconds || random.chance(0.1)) break;
      reading.arrivals_per_second = 0.8 * load;
      reading.completions_per_second = std::min(load, count);
      break;
    default:
      reading.value = metric.type == api::MetricType::kPrometheus &&
                              metric.target_type == api::TargetType::kAverageValue
                          ? load * metric.target
                          : load * metric.target / count;
      if (metric.type != api::MetricType::kLatency) break;
      reading.idle = load == 0;
      add_loads(random, metric, load, observation, reading);
  }
  return reading;
}

void spoil(Random& random, MetricReading& reading) {
  reading.idle = false;
  reading.per_pod.clear();
  switch (random.integer(0, 3)) {
    case 0:
      reading.value.reset();
      reading.missing = "HTTP 503";
      break;
    case 1:
      reading.value = test::kNan;
      break;
    case 2:
      reading.value = -1;
      break;
    default:
      reading.value = 1;
      reading.age = seconds{60};
  }
}

Observation random_observation(Random& random, const api::ScalableAppSpec& spec, int replicas,
                               double load, bool& partial) {
  const int starting = random.chance(0.3) ? random.integer(0, replicas) : 0;
  Observation observation = test::observe(replicas - starting, {}, starting);
  observation.rollout_in_flight = random.chance(0.1);
  partial = false;
  for (const auto& metric : spec.metrics) {
    observation.readings.push_back(random_reading(random, metric, load, observation));
    if (random.chance(0.05)) {
      spoil(random, observation.readings.back());
      partial = true;
    }
  }
  return observation;
}

// What Foresight may have to say, whether it makes sense or not.
void add_foresight(Random& random, const api::ScalableAppSpec& spec, Observation& observation) {
  const auto some = [&]() -> std::optional<int> {
    if (random.chance(0.5)) return std::nullopt;
    return random.integer(0, 70);
  };
  if (random.chance(0.3)) {
    for (int i = random.integer(1, 3); i > 0; --i) {
      observation.schedules.push_back({fmt::format("schedule-{}", i), some(), some()});
    }
  }
  if (!spec.prediction) return;
  for (const auto& metric : spec.metrics) {
    if (random.chance(0.3)) continue;
    observation.forecasts.push_back({metric.name, kNow, random.real(0, 5000), random.real(0, 2), "chance"});
  }
}
struct Bounds {
  int min, max;
};
Bounds bounds_of(const api::ScalableAppSpec& spec, const Observation& observation) {
  int floor = 0, ceiling = spec.max_replicas;
  for (const auto& schedule : observation.schedules) {
    floor = std::max(floor, schedule.min_replicas.value_or(0));
    ceiling = std::min(ceiling, schedule.max_replicas.value_or(ceiling));
  }
  Bounds bounds{std::clamp(floor, spec.min_replicas, spec.max_replicas), ceiling};
  bounds.max = std::max(bounds.max, bounds.min);
  return bounds;
}

// What a status that was edited, truncated or written under another clock may hold.
api::ScalingHistory random_history(Random& random, const api::ScalableAppSpec& spec) {
  const auto time = [&] {
    return kNow + seconds{random.integer(-600, random.chance(0.2) ? 600 : 0)};
  };
  api::ScalingHistory history;
  for (int n = random.integer(0, 200); n > 0; --n) {
    history.recommendations.push_back({random.integer(0, 100), time(), time()});
  }
  for (int n = random.integer(0, 200); n > 0; --n) {
    history.scale_events.push_back({random.integer(-100, 100), time()});
  }
  for (const auto& metric : spec.metrics) {
    api::MetricMemory memory;
    memory.name = metric.name;
    if (random.chance(0.2)) memory.missing_since = time();
    if (random.chance(0.2)) memory.fallback_ended = time();
    if (random.chance(0.2)) memory.jobs_per_second = random.real(0, 50);
    for (double* value : {&memory.service_seconds, &memory.quantile_seconds, &memory.servers,
                          &memory.proven_rate, &memory.servers_before, &memory.proven_rate_before,
                          &memory.trial_seconds, &memory.trial_rate}) {
      if (random.chance(0.3)) *value = random.chance(0.1) ? random.real(0, 1e6) : random.real(0, 10);
    }
    for (auto* when : {&memory.learned_until, &memory.over_since, &memory.trial_since}) {
      if (random.chance(0.3)) *when = time();
    }
    memory.trial_replicas = random.integer(0, 30);
    memory.not_capacity_bound = random.chance(0.2);
    history.metrics.push_back(std::move(memory));
  }
  if (random.chance(0.2)) history.burst_over = time();
  if (random.chance(0.2)) history.idle_since = time();
  history.brownout.level = random.integer(0, 3);
  history.brownout.relapses = random.integer(0, 8);
  for (auto* when : {&history.brownout.since, &history.brownout.missed_since, &history.brownout.room_since,
                     &history.brownout.lowered_at}) {
    if (random.chance(0.3)) *when = time();
  }
  return history;
}

struct Situation {
  api::ScalableAppSpec spec;
  Observation observation;
  api::ScalingHistory history;
  bool partial = false;
};
Situation random_situation(Random& random) {
  Situation situation;
  situation.spec = random_app(random);
  add_features(random, situation.spec);
  situation.observation = random_observation(random, situation.spec, random.integer(0, 40),
                                             random.real(0, 60), situation.partial);
  add_foresight(random, situation.spec, situation.observation);
  situation.history = random_history(random, situation.spec);
  return situation;
}

void shift(std::optional<WallTime>& time, seconds by) {
  if (time) *time += by;
}
void shift(Observation& observation, seconds by) {
  for (auto& pod : observation.pods) {
    for (auto* time : {&pod.ready_since, &pod.created, &pod.started_at}) shift(*time, by);
  }
  shift(observation.observing_since, by);
}
void shift(api::ScalingHistory& history, seconds by) {
  for (auto& run : history.recommendations) run.from += by, run.until += by;
  for (auto& event : history.scale_events) event.time += by;
  for (auto& metric : history.metrics) {
    for (auto* time : {&metric.missing_since, &metric.fallback_ended, &metric.learned_until,
                       &metric.over_since, &metric.trial_since}) {
      shift(*time, by);
    }
  }
  for (auto* time : {&history.burst_over, &history.idle_since, &history.warm_up_seen, &history.brownout.since,
                     &history.brownout.missed_since, &history.brownout.room_since, &history.brownout.lowered_at}) {
    shift(*time, by);
  }
}

// The policies, told from the log of all changes since the beginning of time.
struct Change {
  WallTime time;
  int replicas;  // After it.
};
int replicas_at(const std::vector<Change>& log, WallTime time) {
  for (auto change = log.rbegin(); change != log.rend(); ++change) {
    if (change->time <= time) return change->replicas;
  }
  return log.front().replicas;
}
int allowed(const std::vector<Change>& log, WallTime now, int current,
            const api::ScalingRules& rules, bool up) {
  if (rules.select_policy == api::SelectPolicy::kDisabled) return current;
  std::vector<int> reach;
  for (const auto& policy : rules.policies) {
    const int base = replicas_at(log, now - seconds{policy.period_seconds});
    const int change = policy.type == api::PolicyType::kPods
                           ? policy.value
                           : (std::max(base, 1) * policy.value + 99) / 100;
    reach.push_back(up ? base + change : base - change);
  }
  if (reach.empty()) return up ? 1 << 20 : 0;
  std::ranges::sort(reach);
  const bool highest = up == (rules.select_policy == api::SelectPolicy::kMax);
  const int limit = highest ? reach.back() : reach.front();
  return up ? std::max(limit, current) : std::min(limit, current);
}

// A recovery forgets its events where no policy needs them, and a trial of the capacity model is
// asked for only once: to be taken out with the cases of both that are disabled.
bool is_known_to_differ(const Decision& decision) {
  return std::ranges::any_of(decision.history.metrics, [](const auto& memory) {
    return memory.trial_since.has_value() || memory.fallback_ended.has_value();
  });
}

TEST(Properties, HoldThroughoutALife) {
  for (unsigned seed = 1; seed <= seeds(15); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto spec = random_app(random);
    // Without what passes over the policies: bursts, schedules, zero.
    add_features(random, spec);
    spec.burst.reset();
    spec.min_replicas = std::max(1, spec.min_replicas);
    int replicas = random.integer(spec.min_replicas, spec.max_replicas);
    api::ScalingHistory history, persisted;
    WallTime now = kNow, observing_since = test::kLongAgo;
    std::vector<Change> log{{kNow - std::chrono::hours{1}, replicas}};
    double load = replicas;
    for (int step = 0; step < 1000; ++step) {
      now += milliseconds{random.integer(500, 4000)};
      load = std::max(0.0, random.chance(0.02) ? random.real(0, 80) : load + random.real(-2, 2));
      const bool restarted = random.chance(0.005);
      if (restarted) {
        now += seconds{random.integer(1, 400)};
        observing_since = now;
        history = persisted;
      }
      bool partial = false;
      Observation observation = random_observation(random, spec, replicas, load, partial);
      observation.observing_since = observing_since;
      add_foresight(random, spec, observation);
      observation.schedules.clear();

      const Decision decision = decide(now, spec, observation, history);
      const int to = decision.replicas;
      SCOPED_TRACE(testing::Message() << "step " << step << ": " << decision.message);
      ASSERT_GE(to, spec.min_replicas);
      ASSERT_LE(to, spec.max_replicas);
      if (partial || observation.rollout_in_flight || now < observing_since + kMinRestartHold) {
        ASSERT_GE(to, replicas);
      }
      // The minimum and maximum hold from the first decision on, so that they never force a step.
      if (to > replicas && replicas > 0) {
        ASSERT_LE(to, allowed(log, now, replicas, spec.behavior.scale_up, true));
      } else if (to < replicas) {
        ASSERT_GE(to, allowed(log, now, replicas, spec.behavior.scale_down, false));
      }
      ASSERT_LE(decision.history.recommendations.size(), kMostRuns);
      ASSERT_LE(decision.history.scale_events.size(), kMostEvents);
      ASSERT_EQ(decision.steps.front().before, replicas);
      ASSERT_EQ(decision.steps.back().after, to);
      for (std::size_t i = 1; i < decision.steps.size(); ++i) {
        ASSERT_EQ(decision.steps[i].before, decision.steps[i - 1].after);
      }
      ASSERT_EQ(decision.clamps.size() + 1, decision.steps.size());
      ASSERT_EQ(decide(now, spec, observation, history), decision) << "the same twice";
      if (!is_known_to_differ(decision)) {
        auto dry = spec;
        dry.dry_run = true;  // Nobody acts, or what was tried has failed.
        const Decision first = decide(now, dry, observation, history);
        ASSERT_EQ(first.replicas, to);
        ASSERT_EQ(decide(now, dry, observation, first.history).replicas, to)
            << "the same samples again";
      }

      history = decision.history;
      if (decision.history_changed_materially) persisted = history;
      if (to != replicas) log.push_back({now, to});
      replicas = to;
    }
  }
}

TEST(Properties, TheSameArgumentsGiveTheSameBytes) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const auto record = [&] {
      Random random(seed);
      api::ScalableApp object;
      object.metadata.name = "web";
      object.spec = random_app(random);
      bool partial = false;
      const Observation observation = random_observation(random, object.spec, random.integer(0, 30),
                                                         random.real(0, 60), partial);
      return render_record(kNow, object, observation, {},
                           decide(kNow, object.spec, observation, {}));
    };
    EXPECT_EQ(record(), record());
  }
}

TEST(Properties, DecidingAgainWithoutActingChangesNothing) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto spec = random_app(random);
    add_features(random, spec);
    spec.dry_run = true;
    bool partial = false;
    Observation observation =
        random_observation(random, spec, random.integer(0, 30), random.real(0, 60), partial);
    add_foresight(random, spec, observation);
    const Decision first = decide(kNow, spec, observation, {});
    Decision second = decide(kNow, spec, observation, first.history);
    EXPECT_FALSE(second.history_changed_materially);
    second.history_changed_materially = first.history_changed_materially;
    EXPECT_EQ(second, first);
  }
}

TEST(Properties, MoreLoadNeverMeansFewerReplicas) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    int before = 0;
    Random outer(seed);
    double load = 0;
    for (int i = 0; i < 30; ++i) {
      load += outer.real(0, 2);
      Random random(
          seed);  // The same app, pods, gaps and history each time; only the load differs.
      const auto spec = random_app(random);
      const int current = random.integer(1, 40);
      api::ScalingHistory history;
      for (int n = random.integer(0, 5); n > 0; --n) {
        const WallTime at = kNow - seconds{random.integer(1, 60)};
        history.recommendations.push_back({random.integer(1, 40), at, at});
        history.scale_events.push_back({random.integer(-3, 3), at});
      }
      bool partial = false;
      Observation observation = random_observation(random, spec, current, load, partial);
      for (auto& reading : observation.readings) reading.idle = false;
      const int to = decide(kNow, spec, observation, history).replicas;
      ASSERT_GE(to, before) << "at load " << load;
      before = to;
    }
  }
}

TEST(Properties, TheOrderOfMetricsReadingsAndPodsDoesNotMatter) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto spec = random_app(random);
    add_features(random, spec);
    bool partial = false;
    Observation observation =
        random_observation(random, spec, random.integer(0, 30), random.real(0, 60), partial);
    const Decision first = decide(kNow, spec, observation, {});
    random.shuffle(spec.metrics);
    random.shuffle(observation.readings);
    random.shuffle(observation.pods);
    Decision second = decide(kNow, spec, observation, {});
    const auto place = [&](const auto& metric) {
      return std::ranges::find(first.metrics, metric.name, &api::MetricStatus::name) -
             first.metrics.begin();
    };
    std::ranges::sort(second.metrics, {}, place);
    std::ranges::sort(second.history.metrics, {}, place);
    EXPECT_EQ(second, first);
  }
}

// The history may be the one of the last moment, an older one, or lost with the status.
TEST(Properties, ARestartInTheMiddleNeverLowersReplicasAtOnce) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto spec = random_app(random);
    add_features(random, spec);
    int replicas = random.integer(std::max(1, spec.min_replicas), spec.max_replicas);
    std::vector<api::ScalingHistory> histories(1);
    WallTime now = kNow;
    const double load = random.real(0, 60);
    bool partial = false;
    const auto live = [&](WallTime observing_since, const api::ScalingHistory& history) {
      Observation observation = random_observation(random, spec, replicas, load, partial);
      observation.observing_since = observing_since;
      if (spec.prediction) add_foresight(random, spec, observation);
      observation.schedules.clear();  // One that ends may take replicas away at once.
      now += seconds{spec.interval_seconds};
      return decide(now, spec, observation, history);
    };
    for (int step = random.integer(0, 100); step > 0; --step) {
      const Decision decision = live(test::kLongAgo, histories.back());
      replicas = decision.replicas;
      histories.push_back(decision.history);
    }
    now += seconds{random.integer(0, 600)};
    const WallTime restart = now;
    const int survivor = random.integer(0, static_cast<int>(histories.size()) - 1);
    api::ScalingHistory history = histories[static_cast<std::size_t>(survivor)];
    const seconds hold =
        std::clamp(seconds{spec.behavior.scale_down.stabilization_window_seconds}, kMinRestartHold,
                   kMaxRestartHold);
    while (now + seconds{spec.interval_seconds} < restart + hold) {
      const Decision decision = live(restart, history);
      ASSERT_GE(decision.replicas, replicas) << decision.message;
      replicas = decision.replicas;
      history = decision.history;
    }
  }
}

TEST(Properties, HoldWhateverTheHistorySays) {
  for (unsigned seed = 1; seed <= seeds(300); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Situation situation = random_situation(random);
    const auto& [spec, observation, history, partial] = situation;
    const int current = observation.current_replicas;
    const Decision decision = decide(kNow, spec, observation, history);
    const Bounds bounds = bounds_of(spec, observation);
    EXPECT_GE(decision.replicas, bounds.min);
    EXPECT_LE(decision.replicas, bounds.max);
    if (partial || observation.rollout_in_flight) {
      EXPECT_GE(decision.replicas, std::min(current, bounds.max)) << decision.message;
    }
    EXPECT_LE(decision.history.recommendations.size(), kMostRuns);
    EXPECT_LE(decision.history.scale_events.size(), kMostEvents);
    for (const auto& run : decision.history.recommendations) {
      EXPECT_LE(run.from, run.until);
      EXPECT_LE(run.until, kNow);
    }
    EXPECT_TRUE(std::ranges::is_sorted(decision.history.recommendations, {},
                                       &api::RecommendationRun::until));
    EXPECT_FALSE(decision.reason.empty());
    EXPECT_FALSE(decision.message.empty());
  }
}

TEST(Properties, WhatTimeItIsDoesNotMatter) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Situation situation = random_situation(random);
    Decision first = decide(kNow, situation.spec, situation.observation, situation.history);
    const seconds by{random.integer(-1'000'000, 1'000'000)};
    shift(situation.observation, by);
    shift(situation.history, by);
    shift(first.history, by);
    EXPECT_EQ(decide(kNow + by, situation.spec, situation.observation, situation.history), first);
  }
}

TEST(Properties, AHigherMinimumOrMaximumNeverMeansFewerReplicas) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Situation situation = random_situation(random);
    const auto answer = [&](int min, int max) {
      situation.spec.min_replicas = min;
      situation.spec.max_replicas = max;
      return decide(kNow, situation.spec, situation.observation, situation.history).replicas;
    };
    const int min = situation.spec.min_replicas, max = situation.spec.max_replicas;
    const int before = answer(min, max);
    EXPECT_GE(answer(min, max + random.integer(1, 20)), before);
    EXPECT_GE(answer(random.integer(min, max), max), before);
  }
}

// A metric that is lost may hold replicas, never take some away.
TEST(Properties, LosingAMetricNeverLowersReplicas) {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Situation situation = random_situation(random);
    const int current = std::min(situation.observation.current_replicas,
                                 bounds_of(situation.spec, situation.observation).max);
    for (auto& reading : situation.observation.readings) {
      spoil(random, reading);
      const Decision decision =
          decide(kNow, situation.spec, situation.observation, situation.history);
      EXPECT_GE(decision.replicas, current) << decision.message;
    }
  }
}

// With the load steady and every metric answering, an app finds its size and stays there.
void expect_to_settle(unsigned count, api::LatencyModel model) {
  for (unsigned seed = 1; seed <= seeds(count); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto spec = random_app(random);
    for (auto& metric : spec.metrics) metric.latency_model = model;
    spec.behavior.scale_up.select_policy = spec.behavior.scale_down.select_policy =
        api::SelectPolicy::kMax;
    const double load = random.real(1, 60);
    int replicas = random.integer(std::max(1, spec.min_replicas), spec.max_replicas);
    api::ScalingHistory history;
    int last_change = 0;
    for (int second = 0; second < 7200; second += 10) {
      Observation observation = test::observe(replicas, {});
      for (const auto& metric : spec.metrics) {
        Random whole(1);
        MetricReading reading = random_reading(whole, metric, load, observation);
        if (metric.type == api::MetricType::kCpu) {
          for (const auto& pod : observation.pods) {
            reading.per_pod[pod.name] = pod.cpu_request_cores * metric.target * load / replicas;
          }
        }
        observation.readings.push_back(reading);
      }
      const Decision decision = decide(kNow + seconds{second}, spec, observation, history);
      history = decision.history;
      if (decision.replicas != replicas) last_change = second;
      replicas = decision.replicas;
    }
    EXPECT_LT(last_change, 5400);
    const int right = static_cast<int>(std::ceil(load - 1e-6));
    EXPECT_GE(replicas,
              std::min(spec.max_replicas,
                       static_cast<int>(right / (1.01 + spec.behavior.scale_up.tolerance))));
  }
}

TEST(Properties, ASteadyLoadSettles) { expect_to_settle(15, api::LatencyModel::kRatio); }

TEST(Properties, ASteadyLoadSettlesByTheCapacityModel) {
  expect_to_settle(100, api::LatencyModel::kCapacity);
}

}  // namespace
}  // namespace scalableapp::scaling
