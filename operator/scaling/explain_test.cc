#include "operator/scaling/explain.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::app;
using test::kNow;
using test::percent;
using test::reading;
using test::rules;
using test::Timeline;
using testing::EndsWith;
using testing::MatchesRegex;

MetricReading cpu_of(int pod_count, double utilization) {
  MetricReading reading{.name = "cpu"};
  for (int i = 0; i < pod_count; ++i) reading.per_pod[fmt::format("pod-{}", i)] = utilization * 0.1;
  return reading;
}
std::string said(const api::ScalableAppSpec& spec, const Observation& observation) {
  return decide(kNow, spec, observation, {}).message;
}

TEST(FormatValue, UsesTheUnitOfTheMetric) {
  using enum api::MetricType;
  EXPECT_EQ(format_value(kLatency, 0.34), "340ms");
  EXPECT_EQ(format_value(kLatency, 0.00345), "3.45ms");
  EXPECT_EQ(format_value(kLatency, 1.5), "1.5s");
  EXPECT_EQ(format_value(kLatency, 0.9999), "1s");
  EXPECT_EQ(format_value(kLatency, 0), "0ms");
  EXPECT_EQ(format_value(kCpu, 0.716), "72%");
  EXPECT_EQ(format_value(kQueueLength, 120), "120");
  EXPECT_EQ(format_value(kPrometheus, 1234567), "1234567");
  EXPECT_EQ(format_value(kPrometheus, 0.12345), "0.1235");
  EXPECT_EQ(format_value(kPrometheus, 1e300), "1e+300");
}

TEST(Sentence, OfAScaleUpNamesWhoNeedsIt) {
  EXPECT_EQ(said(app({test::latency(), test::cpu()}),
                 test::observe(3, {reading("latency", 0.3), cpu_of(3, 1.2)})),
            "3 -> 6: cpu 120% over 60% needs 6; latency 300ms over 200ms needs 5");
  EXPECT_EQ(said(app({test::latency(), test::cpu()}),
                 test::observe(3, {reading("latency", 0.1), cpu_of(3, 1.2)})),
            "3 -> 6: cpu 120% over 60% needs 6");
  EXPECT_EQ(said(app({test::backlog()}), test::observe(1, {reading("backlog", 101)})),
            "1 -> 6: backlog 101 over 20 per replica needs 6");
}

TEST(Sentence, OfAScaleDownNamesThemAll) {
  EXPECT_EQ(said(app({test::latency(), test::cpu()}),
                 test::observe(6, {reading("latency", 0.05), cpu_of(6, 0.3)})),
            "6 -> 3: cpu 30% under 60% needs 3; latency 50ms under 200ms needs 2");
  EXPECT_EQ(said(app({test::latency()}), test::observe(6, {test::idle("latency")})),
            "6 -> 1: latency idle needs 1");
}

TEST(Sentence, OfALimitedScaleUpNamesTheLimit) {
  const auto spec = app({test::latency()}, {rules(0, {percent(50, 15)}), rules(0, {})}, 1, 100);
  EXPECT_EQ(said(spec, test::observe(12, {reading("latency", 0.34)})),
            "12 -> 18: latency 340ms over 200ms needs 21; held to 18 by scaleUp policy 50%/15s");
}

TEST(Sentence, OfAHoldSaysWhatItWaitsFor) {
  Timeline timeline(app({test::latency()}, {rules(0, {}), rules(30, {})}, 1, 100), 6);
  EXPECT_EQ(timeline.at(0, {reading("latency", 0.1)}).message,
            "held at 6: scale-down to 3 waits for the 30s stabilization window");
  timeline.spec.max_replicas = 6;
  EXPECT_EQ(timeline.at(2, {reading("latency", 0.4)}).message,
            "held at 6: scale-up to 12 stops at the maximum of 6");
  timeline.spec.min_replicas = 6;
  timeline.spec.behavior = test::unlimited_behavior();
  EXPECT_EQ(timeline.at(4, {reading("latency", 0.1)}).message,
            "held at 6: scale-down to 3 stops at the minimum of 6");
  timeline.spec.min_replicas = 1;
  timeline.rollout_in_flight = true;
  EXPECT_EQ(timeline.at(6, {reading("latency", 0.1)}).message,
            "held at 6: scale-down to 3 waits for the rollout in flight");
  timeline.rollout_in_flight = false;
  timeline.observing_since = kNow + seconds{7};
  EXPECT_EQ(timeline.at(8, {reading("latency", 0.1)}).message,
            "held at 6: scale-down to 3 waits for the operator's first 10s of watching");
  timeline.spec.metrics.push_back(test::backlog());
  EXPECT_EQ(
      timeline.at(10, {reading("latency", 0.1), test::missing("backlog", "HTTP 503")}).message,
      "held at 6: scale-down to 3 waits for missing metrics: backlog (HTTP 503)");
}

TEST(Sentence, OfAQuietAppSaysHowItStands) {
  EXPECT_EQ(said(app({test::latency(), test::cpu()}),
                 test::observe(3, {reading("latency", 0.21), cpu_of(3, 0.58)})),
            "stays at 3: cpu 58% near 60%; latency 210ms near 200ms");
  EXPECT_EQ(said(app({test::latency()}), test::observe(3, {test::missing("latency", "HTTP 503")})),
            "stays at 3: latency missing (HTTP 503)");
  EXPECT_EQ(said(app({test::cpu()}), test::observe(0, {}, 2)),
            "stays at 2: cpu missing (no pod serves yet)");
  EXPECT_EQ(said(app({}), test::observe(3, {})), "stays at 3: spec.metrics is empty");
}

TEST(Sentence, OfBoundsAndOverrides) {
  EXPECT_EQ(said(app({test::latency()}, test::unlimited_behavior(), 2, 9), test::observe(0, {})),
            "0 -> 2: latency missing (no reading yet); raised to 2 by the minimum of 2");
  auto spec = app({test::latency()});
  spec.override_replicas = 5;
  EXPECT_EQ(said(spec, test::observe(3, {})), "3 -> 5: spec.replicas.override");
  EXPECT_EQ(said(spec, test::observe(5, {})), "held at 5 by spec.replicas.override");
}

TEST(Sentence, SaysWhenNobodyActs) {
  auto spec = app({test::latency()});
  spec.dry_run = true;
  EXPECT_EQ(said(spec, test::observe(3, {reading("latency", 0.4)})),
            "dry run: 3 -> 6: latency 400ms over 200ms needs 6");
  spec.paused = true;
  EXPECT_EQ(said(spec, test::observe(3, {reading("latency", 0.4)})),
            "paused: 3 -> 6: latency 400ms over 200ms needs 6");
}

MetricReading served(double rate, double quantile, double mean = 0.05) {
  MetricReading latency = reading("latency", quantile);
  for (int i = 0; i < 4; ++i) {
    latency.loads[fmt::format("pod-{}", i)] = {.requests_per_second = rate / 4,
                                               .concurrency = rate / 4 * mean,
                                               .quantile_seconds = quantile};
  }
  return latency;
}
api::MetricMemory experience(double servers = 4) {
  api::MetricMemory memory{.name = "latency"};
  memory.service_seconds = 0.05;
  memory.quantile_seconds = 0.1;
  memory.servers = servers;
  memory.proven_rate = 50;
  memory.learned_until = kNow - seconds{60};
  return memory;
}

TEST(Sentence, OfALatencyByItsModelNamesTheLoad) {
  api::ScalingHistory history;
  history.metrics = {experience()};
  const auto spec = app({test::latency()});
  const auto message = [&](const MetricReading& latency) {
    return decide(kNow, spec, test::observe(4, {latency}), history).message;
  };
  EXPECT_THAT(message(served(800, 0.34)), MatchesRegex("4 -> [0-9]+: latency 340ms over 200ms needs [0-9]+ "
                                                       "at 800 req/s"));
  EXPECT_THAT(message(served(20, 0.11)), MatchesRegex("4 -> [0-9]+: latency 110ms within 200ms needs [0-9]+ "
                                                      "at 20 req/s"));
  EXPECT_EQ(message(served(190, 0.13)), "stays at 4: latency 130ms within 200ms at 190 req/s");
}

TEST(Sentence, OfALatencyThatReplicasDoNotMendSaysSo) {
  api::ScalingHistory history;
  history.metrics = {experience(0)};
  api::MetricMemory& memory = history.metrics[0];
  memory.not_capacity_bound = true;
  memory.trial_rate = 50;
  memory.trial_since = memory.over_since = kNow - seconds{60};
  const Decision decision =
      decide(kNow, app({test::latency()}), test::observe(4, {served(200, 0.9, 0.5)}), history);
  EXPECT_EQ(decision.replicas, 4);
  EXPECT_EQ(decision.message, "stays at 4: latency 900ms over 200ms is not for want of replicas");
}

TEST(Sentence, OfADrainNamesBacklogArrivalsAndTime) {
  auto spec = app({test::backlog()});
  spec.metrics[0].drain_seconds = 60;
  MetricReading backlog = reading("backlog", 600);
  backlog.arrivals_per_second = 4;
  api::ScalingHistory history;
  history.metrics = {{.name = "backlog", .jobs_per_second = 2}};
  EXPECT_EQ(decide(kNow, spec, test::observe(1, {backlog}), history).message,
            "1 -> 7: backlog 600 and 4 more a second, to be gone within 1m, needs 7");
}

TEST(Sentence, OfSchedulesZeroAndFallback) {
  auto spec = app({test::backlog()}, test::unlimited_behavior(), 0, 20);
  spec.idle_seconds = 0;
  EXPECT_EQ(said(spec, test::observe(3, {reading("backlog", 0)})),
            "3 -> 0: backlog 0 under 20 per replica needs 0");
  EXPECT_EQ(said(spec, test::observe(0, {reading("backlog", 30)})),
            "0 -> 2: backlog 30 over 20 per replica needs 2");
  Observation scheduled = test::observe(0, {reading("backlog", 0)});
  scheduled.schedules = {{"dinner", 3, std::nullopt}};
  EXPECT_THAT(said(spec, scheduled), EndsWith("raised to 3 by the minimum of 3 of schedule dinner"));
  scheduled.schedules = {{"night", std::nullopt, 1}};
  scheduled.readings = {reading("backlog", 100)};
  EXPECT_EQ(said(spec, scheduled), "0 -> 1: backlog 100 over 20 per replica needs 5; held to 1 by the maximum "
                                   "of 1 of schedule night");
  spec.metrics[0].fallback = api::Fallback{0, 5};
  EXPECT_EQ(said(spec, test::observe(3, {test::missing("backlog", "HTTP 503")})),
            "3 -> 5: backlog missing (HTTP 503), its fallback is 5");
}

TEST(Sentence, NamesThreeMetricsAtMost) {
  api::ScalableAppSpec spec = app({});
  std::vector<MetricReading> readings;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    spec.metrics.push_back(test::needed(name));
    readings.push_back(reading(name, 9));
  }
  EXPECT_EQ(said(spec, test::observe(3, readings)),
            "3 -> 9: a 9 over 1 per replica needs 9; b 9 over 1 per replica needs 9; "
            "c 9 over 1 per replica needs 9; and 2 more");
}

}  // namespace
}  // namespace scalableapp::scaling
