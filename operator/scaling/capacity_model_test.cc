// Replicas that are stations with a known number of servers (queueing.h), and what the model makes
// of the figures that they show. Numbers are asserted with room: they are tuned elsewhere.
#include "operator/scaling/capacity_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "operator/scaling/queueing.h"
#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;

// 4 requests at a time of 50 ms: 80 a second at most.
constexpr Station kReplica{.servers = 4, .service_seconds = 0.05};
constexpr double kQuantile = 0.12;  // Without a wait.
constexpr int kWindow = 10;

// What `pods` replicas show at `total` requests a second that have been the same for long. `slower`:
// all of a response that is not waiting takes so many times as long.
ReplicaLoad load_of(double total, int pods, double slower = 1, Station replica = kReplica) {
  ReplicaLoad load;
  load.pods = pods;
  load.total = total;
  load.rate = total / pods;
  // Past its capacity a replica finishes what it can, and what waits piles up.
  if (load.rate >= 0.98 * replica.capacity()) {
    load.backs_up = true;
    load.rate = 0.98 * replica.capacity();
  }
  load.is_steady = !load.backs_up;
  load.requests = load.rate * pods * kWindow;
  load.mean_seconds = slower * replica.service_seconds + mean_wait(replica, load.rate);
  load.quantile_seconds = slower * kQuantile + wait_quantile(replica, load.rate, 0.99);
  load.best_quantile_seconds = load.quantile_seconds;
  return load;
}

class Model {
 public:
  explicit Model(double target = 0.3) : metric(test::latency(target)) {
    metric.window_seconds = kWindow;
  }
  // A sample and a decision every two seconds, which nobody acts on.
  CapacityProposal see(const ReplicaLoad& load, int current, int for_seconds = 2) {
    CapacityProposal proposal;
    for (int passed = 0; passed < for_seconds; passed += 2) {
      now += seconds{2};
      learn(now, metric, load, memory);
      const Fleet fleet{.current = current,
                        .serving = load.pods,
                        .all_measured = load.pods >= current,
                        .warm_up_seconds = 8};
      proposal = propose(now, metric, behavior, load, fleet, memory);
    }
    return proposal;
  }
  // Acts on each proposal.
  int live(double total, int replicas, int for_seconds, double slower = 1) {
    for (int passed = 0; passed < for_seconds; passed += 2) {
      replicas = see(load_of(total, replicas, slower), replicas).replicas;
    }
    return replicas;
  }

  api::MetricSpec metric;
  api::Behavior behavior = test::unlimited_behavior();
  api::MetricMemory memory{.name = "latency"};
  WallTime now = kNow;
};
// One that has seen light loads, and loads at which requests wait.
Model experienced(double target = 0.3) {
  Model model(target);
  for (const double rate : {20.0, 40.0, 55.0, 65.0}) model.see(load_of(4 * rate, 4), 4, 60);
  return model;
}

TEST(CapacityModel, FindsTheServersOfAReplica) {
  const Model model = experienced();
  EXPECT_NEAR(model.memory.service_seconds, 0.05, 0.005);
  EXPECT_NEAR(model.memory.servers, 4, 0.6);
  EXPECT_GT(model.memory.quantile_seconds, 0.8 * kQuantile);
  EXPECT_LT(model.memory.quantile_seconds, 2 * kQuantile) << "short waits are in it";
}

TEST(CapacityModel, BelowSaturationACountDoesNotChangeWithLatencyNoise) {
  Model model = experienced();
  const int settled = model.live(200, 6, 600);
  std::mt19937 random(1);
  std::uniform_real_distribution<> noise(0.6, 1.6);
  for (int i = 0; i < 300; ++i) {
    ReplicaLoad load = load_of(200, settled);
    load.quantile_seconds = std::min(load.quantile_seconds * noise(random), 0.29);
    load.best_quantile_seconds = load.quantile_seconds;
    ASSERT_EQ(model.see(load, settled).replicas, settled) << "sample " << i;
  }
}

TEST(CapacityModel, ABurstIsSizedFromTheArrivalsNotFromTheLatencyRatio) {
  for (const double quantile : {0.35, 3.0, 30.0}) {
    Model model = experienced();
    ReplicaLoad burst = load_of(1000, 4);
    burst.quantile_seconds = burst.best_quantile_seconds = quantile;
    const int replicas = model.see(burst, 4).replicas;
    EXPECT_GE(replicas, 13) << "1000 a second at 80 each, with a latency of " << quantile;
    // No more than half as many again as came, at the utilization that is wanted at least.
    EXPECT_LE(replicas, 30) << "with a latency of " << quantile;
  }
}

TEST(CapacityModel, ABurstIsSizedBeforeTheLatencyIsOverTheTarget) {
  Model model = experienced();
  ReplicaLoad burst = load_of(200, 4);  // What the window still shows.
  burst.total = 1000;                   // What comes now.
  burst.is_steady = false;
  ASSERT_LT(burst.quantile_seconds, model.metric.target);
  EXPECT_GE(model.see(burst, 4).replicas, 13);
}

TEST(CapacityModel, TheCountItSettlesAtMeetsTheTargetWithoutWaste) {
  for (const double total : {150.0, 300.0, 1000.0, 3000.0}) {
    for (const int start : {3, 20, 100}) {
      Model model = experienced();
      const int replicas = model.live(total, start, 3600);
      EXPECT_LE(load_of(total, replicas).quantile_seconds, model.metric.target) << total << " from " << start;
      EXPECT_LE(replicas, std::ceil(total / kReplica.capacity() / 0.6) + 1) << total << " from " << start;
    }
  }
}

TEST(CapacityModel, ATighterTargetNeedsMoreReplicas) {
  int before = 1000;
  for (const double target : {0.16, 0.2, 0.3, 0.5}) {
    Model model = experienced(target);
    const int replicas = model.live(1000, 40, 1800);
    EXPECT_LE(replicas, before) << target;
    before = replicas;
  }
}

TEST(CapacityModel, ATargetHardlyOverWhatARequestTakesIsNotBoughtWithAFleet) {
  // 120 ms without a wait: even a fifth of the use leaves more of a wait than 10 ms.
  Model model = experienced(0.13);
  EXPECT_LE(model.live(1000, 40, 1800), 48);
  EXPECT_TRUE(model.memory.not_capacity_bound);
}

// The first sample over the target is of what made it so.
TEST(CapacityModel, WhatIsRememberedFromBeforeTheLatencyGotWorseIsNotOfThatSample) {
  Model model;
  model.see(load_of(4 * 20, 4), 4, 60);
  ASSERT_EQ(model.memory.servers, 0) << "nobody has waited yet";
  model.see(load_of(4 * 20, 4, 8), 4);
  ASSERT_TRUE(model.memory.over_since);
  EXPECT_EQ(model.memory.servers_before, 0);
}

TEST(CapacityModel, ASteadyLoadIsLeftAlone) {
  Model model = experienced();
  const int settled = model.live(400, 10, 1200);
  for (int i = 0; i < 600; ++i) ASSERT_EQ(settled, model.live(400, settled, 2)) << i;
}

TEST(CapacityModel, WhereNoWaitWasSeenItGoesDownByStepsOfTheProvenRate) {
  Model model;
  int replicas = 400;
  model.see(load_of(2000, replicas), replicas, 60);  // 5 a second each: nobody waits.
  ASSERT_EQ(model.memory.servers, 0) << "nothing is known of the limit";
  double proven = 2000.0 / replicas;
  for (int step = 0; step < 4; ++step) {
    const int next = model.see(load_of(2000, replicas), replicas, 2).replicas;
    ASSERT_LT(next, replicas);
    // And what chance may have added to the arrivals.
    EXPECT_LE(2000.0 / next, 1.25 * proven * 1.06) << "no further than is nearly proven";
    EXPECT_GE(2000.0 / next, 1.1 * proven) << "but not in crumbs";
    proven = 2000.0 / next;
    replicas = next;
    model.see(load_of(2000, replicas), replicas, 60);
  }
}

TEST(CapacityModel, ALuckyCountOfFewRequestsScalesNothing) {
  // What comes at random is by chance a little more in one window and less in the next.
  Model model = experienced();
  const int settled = model.live(150, 4, 900);
  for (const double total : {150 + 0.8 * std::sqrt(30.0), 150 - 0.8 * std::sqrt(30.0)}) {
    EXPECT_EQ(model.see(load_of(total, settled), settled).replicas, settled) << total;
  }
}

// --- latency that replicas do not mend

// A dependency makes every request slow; the operator acts on each proposal.
struct Slow {
  Model model = experienced();
  int before = 0, replicas = 0, most = 0;
  void last(int for_seconds, double total = 200) {
    for (int passed = 0; passed < for_seconds; passed += 2) {
      replicas = model.live(total, replicas, 2, 8);
      most = std::max(most, replicas);
    }
  }
  Slow() { before = replicas = most = model.live(200, 5, 600); }
};

TEST(LatencyOfADependency, EndsInNotCapacityBoundAndStopsAdding) {
  Slow slow;
  slow.last(300);
  EXPECT_TRUE(slow.model.memory.not_capacity_bound);
  EXPECT_LE(slow.most, slow.before * 2 + 2) << "a trial, not a fleet";
  const int most = slow.most;
  slow.last(3600);
  EXPECT_EQ(slow.most, most);
  EXPECT_TRUE(slow.model.memory.not_capacity_bound);
}

TEST(LatencyOfADependency, ATrialIsMadeBeforeTheVerdict) {
  Slow slow;
  slow.last(300);
  EXPECT_GT(slow.most, slow.before);
}

TEST(LatencyOfADependency, IsForgottenWhenTheLatencyIsBack) {
  Slow slow;
  const api::MetricMemory known = slow.model.memory;
  slow.last(900);
  ASSERT_TRUE(slow.model.memory.not_capacity_bound);
  slow.replicas = slow.model.live(200, slow.replicas, 60);
  EXPECT_FALSE(slow.model.memory.not_capacity_bound);
  EXPECT_FALSE(slow.model.memory.trial_since);
  EXPECT_FALSE(slow.model.memory.over_since);
  EXPECT_NEAR(slow.model.memory.servers, known.servers, 0.4 * known.servers + 0.01);
  EXPECT_NEAR(slow.model.memory.service_seconds, known.service_seconds, 0.4 * known.service_seconds);
  const int settled = slow.model.live(200, slow.replicas, 1800);
  EXPECT_NEAR(settled, slow.before, 1) << "the size from before";
}

TEST(LatencyOfADependency, ANewLoadMayAddReplicasAgain) {
  Slow slow;
  slow.last(300);
  ASSERT_TRUE(slow.model.memory.not_capacity_bound);
  const int before = slow.replicas;
  slow.replicas = slow.model.live(200 * 4, slow.replicas, 120, 8);
  EXPECT_GT(slow.replicas, before);
}

TEST(LatencyOfADependency, AVerdictStillLetsGoOfWhatALoadThatFellDoesNotNeed) {
  Slow slow;
  slow.last(300);
  ASSERT_TRUE(slow.model.memory.not_capacity_bound);
  const CapacityProposal proposal = slow.model.see(load_of(40, slow.replicas, 8), slow.replicas);
  EXPECT_LT(proposal.replicas, slow.replicas);
  EXPECT_GE(proposal.replicas, 1);
}

TEST(Trial, OnePodMoreThatHelpsIsNoDependency) {
  // The real limit is one that the model has not seen: it starts with too few and must get there.
  Model model;
  const int replicas = model.live(400, 2, 600);
  EXPECT_FALSE(model.memory.not_capacity_bound);
  EXPECT_LE(load_of(400, replicas).quantile_seconds, model.metric.target);
}

// What a trial asks for may be held up: by a policy, a window, the maximum, a write that failed.
TEST(Trial, IsAskedForUntilThereAreMoreReplicas) {
  Model model = experienced();
  model.see(load_of(200, 5), 5, 20);
  int asked = 0;
  for (int i = 0; i < 60; ++i) asked = model.see(load_of(200, 5, 8), 5).replicas;
  EXPECT_GT(asked, 5);
  EXPECT_FALSE(model.memory.not_capacity_bound) << "nothing was tried yet";
}

TEST(Trial, DoesNotHoldUpWhatAShortageNeeds) {
  // 72 a second each, at 80 at most: busy, and slow by that, but nothing piles up.
  Model model = experienced();
  const ReplicaLoad busy = load_of(4 * 72, 4);
  ASSERT_FALSE(busy.backs_up);
  ASSERT_GT(model.see(busy, 4).replicas, 4);
  EXPECT_GT(model.see(busy, 4).replicas, 4) << "as long as there are four";
}

TEST(Trial, AnAppThatIsOverloadedFromTheFirstSampleOnIsHelped) {
  // A scaleUp window of 30 s takes the lowest of what was asked for.
  auto spec = test::app({test::latency(0.3)}, {test::rules(30, {}), test::rules(300, {})}, 1, 100);
  api::ScalingHistory history;
  int replicas = 4;
  for (int second = 0; second < 1200; second += 2) {
    const ReplicaLoad load = load_of(800, replicas);
    MetricReading latency = test::reading("latency", load.quantile_seconds);
    latency.arrivals_per_second = 800;
    latency.in_flight = load.backs_up ? 5000 : load.mean_seconds * 800;
    for (int i = 0; i < replicas; ++i) {
      latency.loads[fmt::format("pod-{}", i)] = {.requests_per_second = load.rate,
                                                 .concurrency = load.rate * load.mean_seconds,
                                                 .quantile_seconds = load.quantile_seconds};
    }
    const Decision decision =
        decide(kNow + seconds{second}, spec, test::observe(replicas, {latency}), history);
    history = decision.history;
    replicas = decision.replicas;
  }
  EXPECT_GE(replicas, 10) << "800 a second at 80 each";
}

TEST(Trial, OverloadIsNotTakenForADependency) {
  Model model = experienced();
  // The pods that were added have not been measured yet, and what piled up keeps all of them slow.
  for (int passed = 0; passed < 120; passed += 2) {
    ReplicaLoad load = load_of(1000, 4);
    model.see(load, 16);
    ASSERT_FALSE(model.memory.not_capacity_bound) << passed;
  }
}

// --- what is learned from

TEST(Learning, ASampleIsLearnedOnce) {
  Model model = experienced();
  const WallTime at = model.now + seconds{2};
  const ReplicaLoad load = load_of(4 * 70, 4, 0.8);
  learn(at, model.metric, load, model.memory);
  const api::MetricMemory once = model.memory;
  learn(at, model.metric, load, model.memory);
  learn(at - seconds{1}, model.metric, load_of(4 * 75, 4), model.memory);
  EXPECT_EQ(model.memory, once);
}

TEST(Learning, NothingComesOfFewerThan30Requests) {
  Model model;
  ReplicaLoad load = load_of(2, 1);
  load.requests = 29;
  model.see(load, 1, 600);
  EXPECT_EQ(model.memory.service_seconds, 0);
  EXPECT_EQ(model.memory.servers, 0);
  EXPECT_EQ(model.memory.proven_rate, 0);
  load.requests = 60;
  model.see(load, 1);
  EXPECT_GT(model.memory.service_seconds, 0);
}

TEST(Learning, AWindowThatMixesTwoLoadsTeachesNothingButALowerBound) {
  Model model = experienced();
  const api::MetricMemory before = model.memory;
  ReplicaLoad mixed = load_of(4 * 40, 4);
  mixed.is_steady = false;
  mixed.mean_seconds = 0.5;  // Of a peak that is over, at the rate of now.
  mixed.quantile_seconds = mixed.best_quantile_seconds = 0.28;
  model.see(mixed, 4, 60);
  EXPECT_EQ(model.memory.servers, before.servers);
  EXPECT_EQ(model.memory.proven_rate, before.proven_rate);
  EXPECT_EQ(model.memory.quantile_seconds, before.quantile_seconds);
  mixed.rate = 200;  // 200 a second of 50 ms: ten were busy.
  model.see(mixed, 4, 60);
  EXPECT_NEAR(model.memory.servers, 10, 1);
}

TEST(Learning, TheFirstWaitsThatAreSeenMustBeOfOneLoadToo) {
  Model model;
  model.see(load_of(4 * 20, 4), 4, 60);
  ASSERT_EQ(model.memory.servers, 0);
  ReplicaLoad mixed = load_of(4 * 20, 4);
  mixed.is_steady = false;
  mixed.mean_seconds = 0.5;
  mixed.quantile_seconds = mixed.best_quantile_seconds = 0.28;
  model.see(mixed, 4);
  EXPECT_TRUE(model.memory.servers == 0 || model.memory.servers > 3)
      << "from a peak's waits at a low rate: " << model.memory.servers;
}

TEST(Learning, TheServiceTimeFallsAtOnceAndRisesSlowly) {
  Model model = experienced();
  model.see(load_of(4 * 20, 4, 0.5), 4, 30);
  EXPECT_LT(model.memory.service_seconds, 0.03);
  const double low = model.memory.service_seconds;
  model.see(load_of(4 * 20, 4), 4, 30);
  EXPECT_LT(model.memory.service_seconds, low * 1.3);
  // At a rate at which hardly anybody can be waiting.
  model.see(load_of(4 * 5, 4), 4, 3 * 3600);
  EXPECT_NEAR(model.memory.service_seconds, 0.05, 0.01) << "a slower version, say";
}

TEST(Learning, AServiceThatGotSlowerIsFoundAgain) {
  // Half as many at a time, a new version, say. Replicas follow.
  Model model = experienced();
  const Station slower{.servers = 2, .service_seconds = 0.05};
  int replicas = model.live(300, 6, 300);
  for (int passed = 0; passed < 1800; passed += 2) {
    replicas = model.see(load_of(300, replicas, 1, slower), replicas).replicas;
  }
  EXPECT_LE(load_of(300, replicas, 1, slower).quantile_seconds, model.metric.target);
  EXPECT_FALSE(model.memory.not_capacity_bound);
}

TEST(Learning, MoreServersThanThoughtAreFoundByLoad) {
  Model model = experienced();
  const Station larger{.servers = 16, .service_seconds = 0.05};
  for (const double rate : {80.0, 120.0, 160.0, 200.0}) {
    model.see(load_of(4 * rate, 4, 1, larger), 4, 120);
  }
  EXPECT_GT(model.memory.servers, 9);
}

TEST(Proposal, StaysInBoundsWhateverTheMemorySays) {
  std::mt19937 random(7);
  const double values[] = {0, 1e-300, 1e-6, 0.05, 1, 50, 1e9, 1e300, test::kNan, HUGE_VAL, -1};
  const auto pick = [&] { return values[random() % std::size(values)]; };
  for (int i = 0; i < 20'000; ++i) {
    Model model;
    api::MetricMemory& memory = model.memory;
    for (double* value : {&memory.service_seconds, &memory.quantile_seconds, &memory.servers,
                          &memory.proven_rate, &memory.servers_before, &memory.proven_rate_before,
                          &memory.trial_seconds, &memory.trial_rate}) {
      *value = pick();
    }
    memory.not_capacity_bound = random() % 3 == 0;
    if (random() % 2 == 0) memory.trial_since = kNow - seconds{random() % 100};
    if (random() % 2 == 0) memory.over_since = kNow - seconds{random() % 100};
    const int current = 1 + static_cast<int>(random() % 20);
    const CapacityProposal proposal = model.see(load_of(static_cast<double>(1 + random() % 2000), current), current, 4);
    ASSERT_GE(proposal.replicas, 1);
    ASSERT_LE(proposal.replicas, 1'000'000);
  }
}

// A quantile of few requests is over its target every other time though nothing waits.
TEST(CapacityModel, AQuantileThatIsMostlyChanceAddsNothing) {
  Model model;
  ReplicaLoad load = load_of(18, 2);
  ASSERT_LT(load.rate * load.mean_seconds, 0.5) << "pods that seldom have a request in progress";
  int replicas = 2;
  for (int i = 0; i < 3000; ++i) {
    load.rate = 18.0 / replicas;
    load.pods = replicas;
    load.quantile_seconds = load.best_quantile_seconds = i % 5 < 3 ? 0.5 : 0.1;
    replicas = model.see(load, replicas).replicas;
  }
  EXPECT_LE(replicas, 3);
}

TEST(CapacityModel, PodsThatHardlyHaveARequestGoThoughTheyProveNothing) {
  Model model;
  ReplicaLoad load = load_of(1, 20);
  load.requests = 10;
  EXPECT_LE(model.see(load, 20, 60).replicas, 2);
}

}  // namespace
}  // namespace scalableapp::scaling
