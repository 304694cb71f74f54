// Given the same inputs and equivalent settings, decide() gives the answer that Kubernetes
// documents for the HorizontalPodAutoscaler (autoscaling/v2). The table follows the sections of
// kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale; what that page leaves
// open is taken from KEP-853 (behavior), KEP-2021 (zero), KEP-4951 (tolerance), KEP-5679 (fallback)
// and from what the controller does: it multiplies a ratio by the ready pods, where the page says
// current replicas. Every expected count is computed by hand; the arithmetic is in the row.
//
// Where this engine differs, the row holds both counts and says why. A row that is `open` differs
// though nobody decided that it should.
//
// The suite ends with one line, the score. SCALABLEAPP_PARITY_TABLE=FILE writes the table to FILE:
// that is docs/hpa-parity.md.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::hpa_behavior;
using test::kLongAgo;
using test::kNow;
using test::percent;
using test::pods;
using test::rules;
using test::unlimited_behavior;
using enum api::SelectPolicy;

// --- what a row is made of ---------------------------------------------------------------------

struct Metric {
  api::MetricSpec spec;
  std::optional<double> value;  // Unset: missing, or CPU, whose samples are the pods'.
  bool lost = false;
  int failing_seconds = 0;  // Missing for so long already.
};

enum class Phase { kServing, kUnready, kLapsed, kPending, kTerminating, kFailed, kSucceeded };
struct Pods {
  int count = 1;
  Phase phase = Phase::kServing;
  std::optional<double> cpu_percent;  // Of the request; unset: no sample.
  double request = 1;
  int started_seconds_ago = 86'400;
  int ready_seconds_ago = 86'400;
};

struct Recommended {
  int replicas = 0;
  int seconds_ago = 0;
};
struct Scaled {
  int change = 0;
  int seconds_ago = 0;
};
struct Earlier {  // A decision that did not change the count.
  int seconds_ago = 0;
  std::vector<Metric> metrics;
};

struct Case {
  const char* sentence = "";
  const char* arithmetic = "";
  std::vector<Metric> metrics;
  int current = 1;
  std::vector<Pods> pods;  // Empty: as many serving ones as `current`.
  api::Behavior behavior = unlimited_behavior();
  int min = 1;
  int max = 1000;
  std::vector<Recommended> recommended = {};
  std::vector<Scaled> scaled = {};
  std::vector<Earlier> earlier = {};
  std::optional<int> restarted_seconds_ago = {};
  bool rollout = false;
  int idle_seconds = 0;
  std::optional<int> idle_since_seconds_ago = 3600;

  int hpa = 0;
  std::optional<int> ours = {};  // Set: not the HPA's count.
  const char* why = "";          // Why not.
  bool open = false;             // Not on purpose.

  const char* reason = nullptr;           // Ours, where the rule is about it.
  const char* reported = nullptr;         // The first metric's value in status.
  std::optional<bool> active = {};        // Condition ScalingActive, as the HPA's.
  std::optional<bool> limited = {};       // Condition ScalingLimited, as the HPA's.

  const char* section = "";  // Filled by all_cases().
};
void PrintTo(const Case& row, std::ostream* out) { *out << row.sentence; }

Metric make(std::string name, api::MetricType type, api::TargetType target_type, double target,
            std::optional<double> value) {
  return {test::metric(std::move(name), type, target, target_type), value};
}
// One number for the app against a target: Object or External with Value, Pods with AverageValue.
Metric value(double target, double current) {
  return make("value", api::MetricType::kPrometheus, api::TargetType::kValue, target, current);
}
// A total that the pods share: Object or External with AverageValue.
Metric total(double target, double current) {
  return make("total", api::MetricType::kPrometheus, api::TargetType::kAverageValue, target,
              current);
}
Metric queue(double target, double current) {
  return make("queue", api::MetricType::kQueueLength, api::TargetType::kAverageValue, target,
              current);
}
// A total that asks for just so many replicas.
Metric needs(double replicas) {
  return make("needs", api::MetricType::kPrometheus, api::TargetType::kAverageValue, 1, replicas);
}
Metric latency(double target, double current) {
  Metric metric =
      make("latency", api::MetricType::kLatency, api::TargetType::kValue, target, current);
  metric.spec.latency_model = api::LatencyModel::kRatio;
  return metric;
}
Metric cpu(double target_percent = 60) {
  return make("cpu", api::MetricType::kCpu, api::TargetType::kValue, target_percent / 100, {});
}
Metric lost(std::string name = "lost") {
  Metric metric = make(std::move(name), api::MetricType::kPrometheus,
                       api::TargetType::kAverageValue, 1, {});
  metric.lost = true;
  return metric;
}

// Missing for so long, with a count to fall back to after 180 s.
Metric fallback(int replicas, int failing_seconds) {
  Metric metric = lost("fallback");
  metric.spec.fallback = api::Fallback{.failure_seconds = 180, .replicas = replicas};
  metric.failing_seconds = failing_seconds;
  return metric;
}
Metric active_over(double threshold, Metric metric) {
  metric.spec.activation_threshold = threshold;
  return metric;
}

Pods busy(int count, double cpu_percent, double request = 1) {
  return {.count = count, .cpu_percent = cpu_percent, .request = request};
}
Pods unsampled(int count, double request = 1) { return {.count = count, .request = request}; }
Pods pending(int count, double request = 1) {
  return {.count = count, .phase = Phase::kPending, .request = request};
}
Pods serving(int count) { return {.count = count}; }
Pods of(Phase phase, std::optional<double> cpu_percent = {}) {
  return {.phase = phase, .cpu_percent = cpu_percent};
}
Pods young(double cpu_percent, int started_seconds_ago, int ready_seconds_ago) {
  return {.cpu_percent = cpu_percent,
          .started_seconds_ago = started_seconds_ago,
          .ready_seconds_ago = ready_seconds_ago};
}

api::Behavior up(api::ScalingRules up_rules) { return {std::move(up_rules), rules(0, {})}; }
api::Behavior down(api::ScalingRules down_rules) { return {rules(0, {}), std::move(down_rules)}; }
api::Behavior tolerances(double up_tolerance, double down_tolerance) {
  return {rules(0, {}, kMax, up_tolerance), rules(0, {}, kMax, down_tolerance)};
}
api::Behavior windows(int up_seconds, int down_seconds) {
  return {rules(up_seconds, {}), rules(down_seconds, {})};
}

// --- the table ---------------------------------------------------------------------------------

std::vector<Case> algorithm() {
  return {
      {.sentence = "A value of twice its target doubles the replicas",
       .arithmetic = "ceil(4 * 200 / 100) = 8",
       .metrics = {value(100, 200)},
       .current = 4,
       .hpa = 8,
       .reason = "MetricAboveTarget"},
      {.sentence = "A value of half its target halves the replicas",
       .arithmetic = "ceil(4 * 50 / 100) = 2",
       .metrics = {value(100, 50)},
       .current = 4,
       .hpa = 2,
       .reason = "MetricBelowTarget"},
      {.sentence = "The count is rounded up on the way up",
       .arithmetic = "ceil(3 * 1.5) = ceil(4.5) = 5",
       .metrics = {value(100, 150)},
       .current = 3,
       .hpa = 5},
      {.sentence = "The count is rounded up on the way down as well",
       .arithmetic = "ceil(5 * 0.7) = ceil(3.5) = 4",
       .metrics = {value(100, 70)},
       .current = 5,
       .hpa = 4},
      {.sentence = "A value at its target changes nothing",
       .arithmetic = "ratio 1",
       .metrics = {value(100, 100)},
       .current = 3,
       .hpa = 3,
       .reason = "WithinTolerance"},
      {.sentence = "A ratio of 1.1 is close enough to 1",
       .arithmetic = "1.1 <= 1 + 0.1, else ceil(11) = 11",
       .metrics = {value(100, 110)},
       .current = 10,
       .hpa = 10,
       .reason = "WithinTolerance"},
      {.sentence = "A ratio over 1.1 is acted on",
       .arithmetic = "ceil(10 * 1.11) = ceil(11.1) = 12",
       .metrics = {value(100, 111)},
       .current = 10,
       .hpa = 12},
      {.sentence = "A ratio of 0.9 is close enough to 1",
       .arithmetic = "0.9 >= 1 - 0.1, else ceil(9) = 9",
       .metrics = {value(100, 90)},
       .current = 10,
       .hpa = 10},
      {.sentence = "A ratio under 0.9 is acted on",
       .arithmetic = "ceil(10 * 0.89) = ceil(8.9) = 9",
       .metrics = {value(100, 89)},
       .current = 10,
       .hpa = 9},
      {.sentence = "A ratio at the edge is compared as decimals are written",
       .arithmetic = "0.66 / 0.6 = 1.1",
       .metrics = {value(0.6, 0.66)},
       .current = 10,
       .hpa = 10},
      {.sentence = "A product that is whole is not rounded up by binary noise",
       .arithmetic = "ceil(10 * 0.42 / 0.3) = ceil(14) = 14",
       .metrics = {value(0.3, 0.42)},
       .current = 10,
       .hpa = 14},
      {.sentence = "One replica at five times its target becomes five",
       .arithmetic = "ceil(1 * 5) = 5",
       .metrics = {value(100, 500)},
       .current = 1,
       .hpa = 5},
      {.sentence = "A trace of load needs one replica",
       .arithmetic = "ceil(3 * 0.01) = 1",
       .metrics = {value(100, 1)},
       .current = 3,
       .hpa = 1},
      {.sentence = "A value of zero goes to the minimum",
       .arithmetic = "ceil(3 * 0) = 0, minimum 1",
       .metrics = {value(100, 0)},
       .current = 3,
       .hpa = 1},
      {.sentence = "A latency taken as a ratio follows the same rule",
       .arithmetic = "ceil(3 * 0.34 / 0.2) = ceil(5.1) = 6",
       .metrics = {latency(0.2, 0.34)},
       .current = 3,
       .hpa = 6},
      {.sentence = "Utilization is averaged over the pods on the way up",
       .arithmetic = "(30 + 50 + 70) / 3 = 50; ceil(3 * 50 / 30) = 5",
       .metrics = {cpu(30)},
       .current = 3,
       .pods = {busy(1, 30), busy(1, 50), busy(1, 70)},
       .hpa = 5},
      {.sentence = "Utilization is averaged over the pods on the way down",
       .arithmetic = "(10 + 30 + 50 + 25 + 25) / 5 = 28; ceil(5 * 28 / 50) = ceil(2.8) = 3",
       .metrics = {cpu(50)},
       .current = 5,
       .pods = {busy(1, 10), busy(1, 30), busy(1, 50), busy(2, 25)},
       .hpa = 3},
      {.sentence = "A busy and an idle pod may be at the target together",
       .arithmetic = "(20 + 100) / 2 = 60",
       .metrics = {cpu(60)},
       .current = 2,
       .pods = {busy(1, 20), busy(1, 100)},
       .hpa = 2},
      {.sentence = "Utilization is the usage of all pods over the requests of all pods",
       .arithmetic = "(1 * 1.0 + 3 * 0.2) / 4 = 40 %; ceil(2 * 40 / 80) = 1; the mean of 100 % and "
                     "20 % would give 2",
       .metrics = {cpu(80)},
       .current = 2,
       .pods = {busy(1, 100, 1), busy(1, 20, 3)},
       .hpa = 1},
      {.sentence = "A target above the request is allowed",
       .arithmetic = "ceil(2 * 300 / 150) = 4",
       .metrics = {cpu(150)},
       .current = 2,
       .pods = {busy(2, 300)},
       .hpa = 4},
      {.sentence = "Pods without any usage go to the minimum",
       .arithmetic = "ceil(3 * 0) = 0, minimum 1",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(3, 0)},
       .hpa = 1},
      {.sentence = "Without a CPU request no action is taken for the metric",
       .arithmetic = "utilization is not defined",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120), busy(1, 120, 0)},
       .hpa = 3,
       .reason = "MetricsUnavailable",
       .active = false},
      {.sentence = "Too few ready pods do not turn a load over target into a scale down",
       .arithmetic = "ceil(3 ready * 1.5) = 5 of 9",
       .metrics = {value(100, 150)},
       .current = 9,
       .pods = {serving(3), pending(6)},
       .hpa = 5,
       .ours = 9,
       .why = "a proposal never goes against its ratio's direction"},
      {.sentence = "Too many ready pods do not turn a load under target into a scale up",
       .arithmetic = "ceil(6 ready * 0.8) = ceil(4.8) = 5 of 3",
       .metrics = {value(100, 80)},
       .current = 3,
       .pods = {serving(6)},
       .hpa = 5,
       .ours = 3,
       .why = "a proposal never goes against its ratio's direction"},
      {.sentence = "Pods that were not even created yet do not turn up into down",
       .arithmetic = "ceil(4 pods * 90 / 60) = 6 of 10",
       .metrics = {cpu()},
       .current = 10,
       .pods = {busy(4, 90)},
       .hpa = 6,
       .ours = 10,
       .why = "a proposal never goes against its ratio's direction"},
      {.sentence = "With no pod ready a value means nothing",
       .arithmetic = "ceil(0 ready * 2) = 0, minimum 1",
       .metrics = {value(100, 200)},
       .current = 4,
       .pods = {pending(4)},
       .hpa = 1,
       .ours = 4,
       .why = "no pod serves: what was measured is not this app's work",
       .reason = "WaitingForPods"},
      {.sentence = "A terminating pod that is still ready is not counted for a value",
       .arithmetic = "ceil((4 + 1) * 1.5) = ceil(7.5) = 8; without it ceil(4 * 1.5) = 6",
       .metrics = {value(100, 150)},
       .current = 4,
       .pods = {serving(4), of(Phase::kTerminating)},
       .hpa = 8,
       .ours = 6,
       .why = "a pod on its way out takes no new work"},
  };
}

std::vector<Case> readiness() {
  return {
      {.sentence = "Terminating pods are ignored",
       .arithmetic = "ceil(2 * 90 / 60) = 3; with it 180 / 3 = 60 would be the target",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(2, 90), of(Phase::kTerminating, 0)},
       .hpa = 3},
      {.sentence = "Failed pods are discarded",
       .arithmetic = "ceil(2 * 90 / 60) = 3; with it 180 / 3 = 60 would be the target",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(2, 90), of(Phase::kFailed, 0)},
       .hpa = 3},
      {.sentence = "Neither terminating nor failed pods are missing ones",
       .arithmetic = "ceil(2 * 30 / 60) = 1",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(2, 30), of(Phase::kTerminating), of(Phase::kFailed)},
       .hpa = 1},
      {.sentence = "A missing pod counts as 100 % of the target on the way down",
       .arithmetic = "(3 * 30 + 60) / 4 = 37.5; ceil(4 * 0.625) = ceil(2.5) = 3",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 30), unsampled(1)},
       .hpa = 3},
      {.sentence = "A missing pod counts as nothing on the way up",
       .arithmetic = "(3 * 120 + 0) / 4 = 90; ceil(4 * 1.5) = 6",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 120), unsampled(1)},
       .hpa = 6},
      {.sentence = "The original utilization is reported though missing pods dampen it",
       .arithmetic = "120 % reported; (120 + 0) / 2 = 60 is the target",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(1, 120), unsampled(1)},
       .hpa = 2,
       .reported = "120%"},
      {.sentence = "Missing pods may bring a scale up into the tolerance",
       .arithmetic = "(3 * 80 + 0) / 4 = 60",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 80), unsampled(1)},
       .hpa = 4},
      {.sentence = "Missing pods may bring a scale down into the tolerance",
       .arithmetic = "(48 + 3 * 60) / 4 = 57; ratio 0.95",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(1, 48), unsampled(3)},
       .hpa = 4},
      {.sentence = "Missing pods never reverse a scale up",
       .arithmetic = "ratio 1.5 becomes (2 * 90 + 0) / 4 / 60 = 0.75",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(2, 90), unsampled(2)},
       .hpa = 4},
      {.sentence = "A ratio within the tolerance stays whatever is missing",
       .arithmetic = "ratio 63 / 60 = 1.05; with the missing one 0.79, reversed",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 63), unsampled(1)},
       .hpa = 4},
      {.sentence = "Missing pods count as the target even where it is above the request",
       .arithmetic = "(75 + 2 * 150) / 3 = 125; ceil(3 * 125 / 150) = 3; at 100 % of the request "
                     "it would be ceil(1.83) = 2",
       .metrics = {cpu(150)},
       .current = 3,
       .pods = {busy(1, 75), unsampled(2)},
       .hpa = 3},
      {.sentence = "A missing pod weighs as much as it requests",
       .arithmetic = "(1 * 0.2 + 3 * 0.6) / 4 = 50 %; ceil(2 * 50 / 60) = ceil(1.67) = 2",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(1, 20, 1), unsampled(1, 3)},
       .hpa = 2},
      {.sentence = "With every sample missing nothing is done",
       .arithmetic = "no pod to average",
       .metrics = {cpu()},
       .current = 3,
       .pods = {unsampled(3)},
       .hpa = 3,
       .reason = "MetricsUnavailable",
       .active = false},
      {.sentence = "More pods than asked for do not reverse a scale down once some are missing",
       .arithmetic = "(3 * 45 + 60) / 4 = 48.75; ceil(4 * 0.8125) = 4 over 2: skipped",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(3, 45), unsampled(1)},
       .hpa = 2},
      {.sentence = "Fewer pods than asked for do not reverse a scale up once some are missing",
       .arithmetic = "(3 * 120 + 0) / 4 = 90; ceil(4 * 1.5) = 6 under 10: skipped",
       .metrics = {cpu()},
       .current = 10,
       .pods = {busy(3, 120), unsampled(1)},
       .hpa = 10},
      {.sentence = "A pending pod counts as nothing on the way up",
       .arithmetic = "(2 * 120 + 0) / 3 = 80; ceil(3 * 1.33) = 4",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120), pending(1)},
       .hpa = 4},
      {.sentence = "The sample of a pod that is not ready yet counts as nothing on the way up",
       .arithmetic = "(2 * 120 + 0) / 3 = 80; ceil(3 * 1.33) = 4; with its 300 it would be 9",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120),
                {.phase = Phase::kUnready, .cpu_percent = 300, .started_seconds_ago = 40}},
       .hpa = 4},
      {.sentence = "A pod that never became ready is set aside however old it is",
       .arithmetic = "(2 * 120 + 0) / 3 = 80; ceil(3 * 1.33) = 4; with its 300 it would be 9",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120), of(Phase::kUnready, 300)},
       .hpa = 4},
      {.sentence = "Pods that are not ready yet dampen a scale up without stopping it",
       .arithmetic = "(4 * 150 + 2 * 0) / 6 = 100; ceil(6 * 1.67) = 10",
       .metrics = {cpu()},
       .current = 6,
       .pods = {busy(4, 150), pending(2)},
       .hpa = 10},
      {.sentence = "Pods that are not ready yet may bring a scale up into the tolerance",
       .arithmetic = "(3 * 80 + 0) / 4 = 60",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 80), pending(1)},
       .hpa = 4},
      {.sentence = "Pods that are not ready yet never reverse a scale up",
       .arithmetic = "ratio 1.5 becomes (2 * 90 + 4 * 0) / 6 / 60 = 0.5",
       .metrics = {cpu()},
       .current = 6,
       .pods = {busy(2, 90), pending(4)},
       .hpa = 6},
      {.sentence = "Pods that are not ready yet are set aside on the way down",
       .arithmetic = "ceil(6 * 40 / 60) = 4; with their requests 240 / 8 = 30 it would be 3",
       .metrics = {cpu()},
       .current = 8,
       .pods = {busy(6, 40), pending(2)},
       .hpa = 4},
      {.sentence = "Missing and not yet ready pods add up on the way up",
       .arithmetic = "(3 * 180 + 0 + 0) / 5 = 108; ceil(5 * 1.8) = 9",
       .metrics = {cpu()},
       .current = 5,
       .pods = {busy(3, 180), unsampled(1), pending(1)},
       .hpa = 9},
      {.sentence = "Only the missing ones of them count on the way down",
       .arithmetic = "(2 * 15 + 60) / 3 = 30; ceil(3 * 0.5) = ceil(1.5) = 2",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(2, 15), unsampled(1), pending(1)},
       .hpa = 2},
      {.sentence = "A sample from before a new pod became ready is set aside on the way up",
       .arithmetic = "ready for 5 s, window 10 s: (2 * 120 + 0) / 3 = 80; ceil(3 * 1.33) = 4",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120), young(300, 60, 5)},
       .hpa = 4},
      {.sentence = "A sample from before a new pod became ready is set aside on the way down",
       .arithmetic = "ceil(2 * 30 / 60) = 1",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 30), young(300, 60, 5)},
       .hpa = 1},
      {.sentence = "A sample from after a new pod became ready counts",
       .arithmetic = "ready for 20 s, window 10 s: (2 * 60 + 180) / 3 = 100; ceil(3 * 1.67) = 5",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 60), young(180, 60, 20)},
       .hpa = 5},
      {.sentence = "Five minutes after its start a pod counts as soon as it is ready",
       .arithmetic = "started 400 s ago, ready for 3 s: (2 * 60 + 180) / 3 = 100; ceil(3 * 1.67) "
                     "= 5",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 60), young(180, 400, 3)},
       .hpa = 5},
      {.sentence = "With every pod still starting nothing is done",
       .arithmetic = "no pod to average",
       .metrics = {cpu()},
       .current = 3,
       .pods = {pending(3)},
       .hpa = 3,
       .reason = "WaitingForPods",
       .active = false},
      {.sentence = "A pod that was ready and lost it counts with its sample on the way up",
       .arithmetic = "(2 * 80 + 200) / 3 = 120; ceil(3 * 2) = 6; set aside it leaves 160 / 3 = 53, "
                     "reversed",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 80), of(Phase::kLapsed, 200)},
       .hpa = 6},
      {.sentence = "A pod that was ready and lost it counts with its sample on the way down",
       .arithmetic = "(2 * 30 + 120) / 3 = 60 is the target; set aside it leaves ceil(2 * 0.5) = 1",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 30), of(Phase::kLapsed, 120)},
       .hpa = 3},
      {.sentence = "A running pod that is neither ready nor sampled is a missing one",
       .arithmetic = "(2 * 30 + 60) / 3 = 40; ceil(3 * 0.67) = 2; set aside it leaves ceil(1) = 1",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 30), of(Phase::kUnready)},
       .hpa = 2},
      {.sentence = "A pod that succeeded is as gone as one that failed",
       .arithmetic = "as a missing one: (2 * 30 + 60) / 3 = 40, ceil(3 * 0.67) = 2; discarded: "
                     "ceil(2 * 0.5) = 1",
       .metrics = {cpu()},
       .current = 2,
       .pods = {busy(2, 30), of(Phase::kSucceeded)},
       .hpa = 2,
       .ours = 1,
       .why = "a finished pod will never have a sample"},
      {.sentence = "A pending pod without a CPU request makes utilization undefined",
       .arithmetic = "no action; here it adds to the pods but not to the requests: 240 / 2 = 120, "
                     "ceil(3 * 2) = 6",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(2, 120), pending(1, 0)},
       .hpa = 3},
  };
}

std::vector<Case> rolling_update() {
  return {
      {.sentence = "A rollout does not stop a scale up",
       .arithmetic = "ceil(4 * 2) = 8",
       .metrics = {value(100, 200)},
       .current = 4,
       .rollout = true,
       .hpa = 8},
      {.sentence = "The surge pods of a rollout are averaged like the others",
       .arithmetic = "5 pods at 90: ceil(5 * 1.5) = ceil(7.5) = 8",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(5, 90)},
       .rollout = true,
       .hpa = 8},
      {.sentence = "A rollout does not lose pods to a scale down",
       .arithmetic = "ceil(4 * 0.5) = 2",
       .metrics = {value(100, 50)},
       .current = 4,
       .rollout = true,
       .hpa = 2,
       .ours = 4,
       .why = "nothing is scaled down while a rollout is in flight",
       .reason = "RolloutHold"},
  };
}

std::vector<Case> multiple() {
  return {
      {.sentence = "The largest of several proposals is taken on the way up",
       .arithmetic = "max(3, 9, 6) = 9",
       .metrics = {needs(3), value(100, 225), total(10, 60)},
       .current = 4,
       .hpa = 9},
      {.sentence = "The largest of several proposals is taken on the way down",
       .arithmetic = "max(3, 5) = 5",
       .metrics = {needs(3), total(10, 50)},
       .current = 9,
       .hpa = 5},
      {.sentence = "One metric within its tolerance stops the scale down of another",
       .arithmetic = "max(10 for 0.95, 4) = 10",
       .metrics = {value(100, 95), needs(4)},
       .current = 10,
       .hpa = 10},
      {.sentence = "One metric within its tolerance does not stop the scale up of another",
       .arithmetic = "max(10 for 1.05, 14) = 14",
       .metrics = {value(100, 105), needs(14)},
       .current = 10,
       .hpa = 14},
      {.sentence = "A resource metric and an external one are compared as replicas",
       .arithmetic = "max(ceil(4 * 30 / 60) = 2, ceil(70 / 10) = 7) = 7",
       .metrics = {cpu(), total(10, 70)},
       .current = 4,
       .pods = {busy(4, 30)},
       .hpa = 7},
      {.sentence = "The maximum bounds the largest proposal",
       .arithmetic = "min(max(3, 50), 20) = 20",
       .metrics = {needs(3), total(10, 500)},
       .current = 4,
       .max = 20,
       .hpa = 20,
       .limited = true},
      {.sentence = "A missing metric skips the scale down that the others suggest",
       .arithmetic = "3 < 8: skipped",
       .metrics = {lost(), needs(3)},
       .current = 8,
       .hpa = 8,
       .reason = "PartialMetrics"},
      {.sentence = "A missing metric does not stop a scale up",
       .arithmetic = "9 > 4",
       .metrics = {lost(), needs(9)},
       .current = 4,
       .hpa = 9,
       .active = true},
      {.sentence = "Two missing metrics do not stop a scale up by a third",
       .arithmetic = "9 > 4",
       .metrics = {lost("first"), needs(9), lost("second")},
       .current = 4,
       .hpa = 9},
      {.sentence = "A missing metric beside one at its target changes nothing",
       .arithmetic = "ratio 1",
       .metrics = {lost(), needs(4)},
       .current = 4,
       .hpa = 4},
      {.sentence = "With every metric missing nothing is done",
       .arithmetic = "no proposal",
       .metrics = {lost("first"), lost("second")},
       .current = 4,
       .hpa = 4,
       .reason = "MetricsUnavailable",
       .active = false},
      {.sentence = "CPU without a request is a missing metric to the others on the way up",
       .arithmetic = "9 > 4",
       .metrics = {cpu(), needs(9)},
       .current = 4,
       .pods = {busy(4, 30, 0)},
       .hpa = 9},
      {.sentence = "CPU without a request is a missing metric to the others on the way down",
       .arithmetic = "2 < 4: skipped",
       .metrics = {cpu(), needs(2)},
       .current = 4,
       .pods = {busy(4, 30, 0)},
       .hpa = 4},
      {.sentence = "A scale up beside a missing metric still obeys the policies",
       .arithmetic = "max(4 + 4, 4 * 2) = 8 of 50",
       .metrics = {lost(), needs(50)},
       .current = 4,
       .behavior = hpa_behavior(),
       .hpa = 8,
       .limited = true},
  };
}

std::vector<Case> policies() {
  // The page's own example, and KEP-853's.
  const auto four_or_ten = down(rules(0, {pods(4, 60), percent(10, 60)}));
  const auto ten_percent = down(rules(0, {percent(10, 60)}));
  const auto five_at_most = down(rules(0, {percent(10, 60), pods(5, 60)}, kMin));
  const auto up_largest = up(rules(0, {pods(4, 60), percent(50, 60)}));
  const auto up_smallest = up(rules(0, {pods(4, 60), percent(50, 60)}, kMin));
  return {
      {.sentence = "Of 4 pods and 10 % the larger goes from 80",
       .arithmetic = "80 - max(4, 8) = 72",
       .metrics = {needs(10)},
       .current = 80,
       .behavior = four_or_ten,
       .hpa = 72,
       .reason = "LimitedByPolicy",
       .limited = true},
      {.sentence = "Ten percent of 72 is rounded up to 8",
       .arithmetic = "72 - max(4, ceil(7.2) = 8) = 64",
       .metrics = {needs(10)},
       .current = 72,
       .behavior = four_or_ten,
       .scaled = {{-8, 60}},
       .hpa = 64},
      {.sentence = "Just over 40 replicas the percentage is still the larger",
       .arithmetic = "41 - max(4, ceil(4.1) = 5) = 36",
       .metrics = {needs(10)},
       .current = 41,
       .behavior = four_or_ten,
       .hpa = 36},
      {.sentence = "At 40 replicas both policies allow the same",
       .arithmetic = "40 - max(4, 4) = 36",
       .metrics = {needs(10)},
       .current = 40,
       .behavior = four_or_ten,
       .hpa = 36},
      {.sentence = "Below 40 replicas 4 pods go at a time",
       .arithmetic = "20 - max(4, 2) = 16",
       .metrics = {needs(10)},
       .current = 20,
       .behavior = four_or_ten,
       .hpa = 16},
      {.sentence = "A policy does not bind what is less than it allows",
       .arithmetic = "12 - 2 = 10, though 8 would be allowed",
       .metrics = {needs(10)},
       .current = 12,
       .behavior = four_or_ten,
       .hpa = 10,
       .reason = "MetricBelowTarget",
       .limited = false},
      {.sentence = "What went within the period counts",
       .arithmetic = "72 + 8 = 80 at its start; 80 - 8 = 72",
       .metrics = {needs(10)},
       .current = 72,
       .behavior = four_or_ten,
       .scaled = {{-8, 20}},
       .hpa = 72},
      {.sentence = "What went one second before the period ends still counts",
       .arithmetic = "72 + 8 = 80 at its start; 80 - 8 = 72",
       .metrics = {needs(10)},
       .current = 72,
       .behavior = four_or_ten,
       .scaled = {{-8, 59}},
       .hpa = 72},
      {.sentence = "Limiting the rate to 10 % takes 10 of 100",
       .arithmetic = "100 - 10 = 90",
       .metrics = {needs(10)},
       .current = 100,
       .behavior = ten_percent,
       .hpa = 90},
      {.sentence = "Ten percent of 25 is rounded up to 3",
       .arithmetic = "25 - ceil(2.5) = 22",
       .metrics = {needs(10)},
       .current = 25,
       .behavior = ten_percent,
       .hpa = 22},
      {.sentence = "Ten percent of 5 is one pod",
       .arithmetic = "5 - ceil(0.5) = 4",
       .metrics = {needs(1)},
       .current = 5,
       .behavior = ten_percent,
       .hpa = 4},
      {.sentence = "Ten percent is of the count at the period's start",
       .arithmetic = "96 + 4 = 100 at its start; 100 - 10 = 90",
       .metrics = {needs(10)},
       .current = 96,
       .behavior = ten_percent,
       .scaled = {{-4, 30}},
       .hpa = 90},
      {.sentence = "Min takes the 5 pods from 100",
       .arithmetic = "100 - min(10, 5) = 95",
       .metrics = {needs(10)},
       .current = 100,
       .behavior = five_at_most,
       .hpa = 95},
      {.sentence = "Min takes the 10 % from 30",
       .arithmetic = "30 - min(3, 5) = 27",
       .metrics = {needs(10)},
       .current = 30,
       .behavior = five_at_most,
       .hpa = 27},
      {.sentence = "Disabled prevents the scale down",
       .arithmetic = "10 stays",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = down(rules(0, {}, kDisabled)),
       .hpa = 10,
       .limited = true},
      {.sentence = "Disabled wins over the policies beside it",
       .arithmetic = "10 stays",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = down(rules(0, {percent(100, 15)}, kDisabled)),
       .hpa = 10},
      {.sentence = "A disabled scale down leaves the scale up alone",
       .arithmetic = "needs 14",
       .metrics = {needs(14)},
       .current = 10,
       .behavior = down(rules(0, {}, kDisabled)),
       .hpa = 14},
      {.sentence = "Disabled prevents the scale up",
       .arithmetic = "10 stays",
       .metrics = {needs(14)},
       .current = 10,
       .behavior = up(rules(0, {}, kDisabled)),
       .hpa = 10,
       .limited = true},
      {.sentence = "A disabled scale up leaves the scale down alone",
       .arithmetic = "needs 3",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = up(rules(0, {}, kDisabled)),
       .hpa = 3},
      {.sentence = "Pods adds so many per period",
       .arithmetic = "10 + 4 = 14",
       .metrics = {needs(100)},
       .current = 10,
       .behavior = up(rules(0, {pods(4, 60)})),
       .hpa = 14,
       .limited = true},
      {.sentence = "Percent is rounded up on the way up",
       .arithmetic = "ceil(5 * 1.5) = ceil(7.5) = 8",
       .metrics = {needs(100)},
       .current = 5,
       .behavior = up(rules(0, {percent(50, 60)})),
       .hpa = 8},
      {.sentence = "A small percentage of one replica still adds one",
       .arithmetic = "ceil(1 * 1.1) = 2",
       .metrics = {needs(100)},
       .current = 1,
       .behavior = up(rules(0, {percent(10, 60)})),
       .hpa = 2},
      {.sentence = "Ten percent of 10 adds one and not two",
       .arithmetic = "ceil(10 * 1.1) = ceil(11) = 11",
       .metrics = {needs(100)},
       .current = 10,
       .behavior = up(rules(0, {percent(10, 60)})),
       .hpa = 11},
      {.sentence = "Nine hundred percent makes 10 of one",
       .arithmetic = "1 * (1 + 9) = 10",
       .metrics = {needs(500)},
       .current = 1,
       .behavior = up(rules(0, {percent(900, 60)})),
       .hpa = 10},
      {.sentence = "Nine hundred percent makes 100 of 10 a period later",
       .arithmetic = "10 * (1 + 9) = 100",
       .metrics = {needs(500)},
       .current = 10,
       .behavior = up(rules(0, {percent(900, 60)})),
       .scaled = {{9, 60}},
       .hpa = 100},
      {.sentence = "The largest change is the default on the way up for few replicas",
       .arithmetic = "max(6 + 4, 6 * 1.5) = 10",
       .metrics = {needs(100)},
       .current = 6,
       .behavior = up_largest,
       .hpa = 10},
      {.sentence = "The largest change is the default on the way up for many replicas",
       .arithmetic = "max(20 + 4, 20 * 1.5) = 30",
       .metrics = {needs(100)},
       .current = 20,
       .behavior = up_largest,
       .hpa = 30},
      {.sentence = "Min takes the smallest change on the way up for few replicas",
       .arithmetic = "min(6 + 4, 6 * 1.5) = 9",
       .metrics = {needs(100)},
       .current = 6,
       .behavior = up_smallest,
       .hpa = 9},
      {.sentence = "Min takes the smallest change on the way up for many replicas",
       .arithmetic = "min(20 + 4, 20 * 1.5) = 24",
       .metrics = {needs(100)},
       .current = 20,
       .behavior = up_smallest,
       .hpa = 24},
      {.sentence = "Changes within the period add up",
       .arithmetic = "13 - 1 - 2 = 10 at its start; 10 + 4 = 14",
       .metrics = {needs(100)},
       .current = 13,
       .behavior = up(rules(0, {pods(4, 60)})),
       .scaled = {{1, 50}, {2, 20}},
       .hpa = 14},
      {.sentence = "Changes of the other direction within the period count as well",
       .arithmetic = "12 - 4 + 2 = 10 at its start; 10 + 4 = 14",
       .metrics = {needs(100)},
       .current = 12,
       .behavior = up(rules(0, {pods(4, 60)})),
       .scaled = {{4, 50}, {-2, 20}},
       .hpa = 14},
      {.sentence = "Every policy looks back over its own period",
       .arithmetic = "60 s: 20 + 4 = 24; 600 s: 20 - 8 + 10 = 22; the smaller is 22",
       .metrics = {needs(100)},
       .current = 20,
       .behavior = up(rules(0, {pods(4, 60), pods(10, 600)}, kMin)),
       .scaled = {{4, 300}, {4, 120}},
       .hpa = 22},
      {.sentence = "A period of half an hour remembers for half an hour",
       .arithmetic = "14 - 4 = 10 at its start; 10 + 4 = 14",
       .metrics = {needs(100)},
       .current = 14,
       .behavior = up(rules(0, {pods(4, 1800)})),
       .scaled = {{4, 1799}},
       .hpa = 14},
      {.sentence = "A scale up that was larger than allowed now is not taken back",
       .arithmetic = "16 - 6 + 2 = 12 < 16: wait",
       .metrics = {needs(100)},
       .current = 16,
       .behavior = up(rules(0, {pods(2, 60)})),
       .scaled = {{6, 30}},
       .hpa = 16},
      {.sentence = "A scale down that was larger than allowed now is not taken back",
       .arithmetic = "10 + 6 - 2 = 14 > 10: wait",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = down(rules(0, {pods(2, 60)})),
       .scaled = {{-6, 30}},
       .hpa = 10},
      {.sentence = "One pod per 5 minutes takes one",
       .arithmetic = "10 - 1 = 9",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = down(rules(0, {pods(1, 300)})),
       .hpa = 9},
      {.sentence = "One pod per 5 minutes takes no second one within them",
       .arithmetic = "9 + 1 - 1 = 9",
       .metrics = {needs(3)},
       .current = 9,
       .behavior = down(rules(0, {pods(1, 300)})),
       .scaled = {{-1, 299}},
       .hpa = 9},
      {.sentence = "A percentage of no replicas adds one",
       .arithmetic = "ceil(0 * 2) = 0 for ever",
       .metrics = {needs(5)},
       .current = 0,
       .behavior = up(rules(0, {percent(100, 15)})),
       .min = 0,
       .hpa = 0,
       .ours = 1,
       .why = "a share of nothing would keep an app at zero for ever"},
  };
}

std::vector<Case> stabilization() {
  const auto minute = windows(0, 60);
  const auto five_minutes = windows(0, 300);
  const auto up_minute = windows(60, 0);
  return {
      {.sentence = "The highest recommendation of the window holds a scale down",
       .arithmetic = "max(8, 5, 4, 3) = 8",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = five_minutes,
       .recommended = {{8, 250}, {5, 100}, {4, 15}},
       .hpa = 8,
       .reason = "Stabilizing"},
      {.sentence = "A recommendation within the window of a minute holds",
       .arithmetic = "max(10, 3) = 10",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = minute,
       .recommended = {{10, 59}, {3, 15}},
       .hpa = 10},
      {.sentence = "A recommendation as old as the window of a minute holds no more",
       .arithmetic = "max(3, 3) = 3",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = minute,
       .recommended = {{10, 60}, {3, 45}, {3, 15}},
       .hpa = 3},
      {.sentence = "Without a window a scale down is immediate",
       .arithmetic = "3",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = windows(0, 0),
       .recommended = {{10, 15}},
       .hpa = 3},
      {.sentence = "A window of an hour remembers for an hour",
       .arithmetic = "max(10, 3) = 10",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = windows(0, 3600),
       .recommended = {{10, 3599}, {3, 15}},
       .hpa = 10},
      {.sentence = "A high recommendation of the window does not scale up",
       .arithmetic = "max(10, 3) = 10, but the need of 3 is below 5: stay",
       .metrics = {needs(3)},
       .current = 5,
       .behavior = five_minutes,
       .recommended = {{10, 100}, {3, 15}},
       .hpa = 5},
      {.sentence = "A high recommendation of the scale down window does not add to a scale up",
       .arithmetic = "8",
       .metrics = {needs(8)},
       .current = 5,
       .behavior = five_minutes,
       .recommended = {{20, 200}, {8, 15}},
       .hpa = 8},
      {.sentence = "The lowest recommendation of the scale up window holds a scale up",
       .arithmetic = "min(4, 9, 10) = 4",
       .metrics = {needs(10)},
       .current = 4,
       .behavior = up_minute,
       .recommended = {{4, 50}, {9, 15}},
       .hpa = 4,
       .reason = "Stabilizing"},
      {.sentence = "A scale up goes as far as the whole window asked for",
       .arithmetic = "min(6, 9, 10) = 6",
       .metrics = {needs(10)},
       .current = 4,
       .behavior = up_minute,
       .recommended = {{6, 50}, {9, 15}},
       .hpa = 6},
      {.sentence = "After the window a scale up goes to its lowest recommendation",
       .arithmetic = "min(9, 9, 10) = 9",
       .metrics = {needs(10)},
       .current = 4,
       .behavior = up_minute,
       .recommended = {{4, 60}, {9, 45}, {9, 15}},
       .hpa = 9},
      {.sentence = "A dip within the scale up window starts the wait again",
       .arithmetic = "min(9, 4, 9, 10) = 4",
       .metrics = {needs(10)},
       .current = 4,
       .behavior = up_minute,
       .recommended = {{9, 50}, {4, 30}, {9, 15}},
       .hpa = 4},
      {.sentence = "A low recommendation of the scale up window does not scale down",
       .arithmetic = "down to max(8) = 8, not to min(2, 8) = 2",
       .metrics = {needs(8)},
       .current = 10,
       .behavior = windows(300, 0),
       .recommended = {{2, 100}, {8, 15}},
       .hpa = 8},
      {.sentence = "Between the lowest and the highest of both windows the count stays",
       .arithmetic = "10 is within [min(12, 8) = 8, max(12, 8) = 12]",
       .metrics = {needs(8)},
       .current = 10,
       .behavior = windows(300, 300),
       .recommended = {{12, 100}, {8, 15}},
       .hpa = 10},
      {.sentence = "The policies come after the window",
       .arithmetic = "max(7, 3) = 7, then 10 - 1 = 9",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = down(rules(300, {pods(1, 60)})),
       .recommended = {{7, 100}, {3, 15}},
       .hpa = 9,
       .reason = "LimitedByPolicy"},
      {.sentence = "The window does not hold a count over the maximum",
       .arithmetic = "max(10, 3) = 10, maximum 8",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = five_minutes,
       .max = 8,
       .recommended = {{10, 100}, {3, 15}},
       .hpa = 8},
      {.sentence = "A flapping metric keeps its peak",
       .arithmetic = "max(9, 3, 9, 3, 4) = 9",
       .metrics = {needs(4)},
       .current = 9,
       .behavior = five_minutes,
       .recommended = {{9, 75}, {3, 60}, {9, 45}, {3, 15}},
       .hpa = 9},
      {.sentence = "Recommendations recorded by earlier decisions hold a scale down",
       .arithmetic = "max(10, 3, 3) = 10",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = minute,
       .earlier = {{45, {needs(10)}}, {30, {needs(3)}}, {15, {needs(3)}}},
       .hpa = 10},
      {.sentence = "A metric that comes back waits for a whole window",
       .arithmetic = "needs 3 for 60 s but for the 15 s in which it was missing",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = minute,
       .recommended = {{10, 75}},
       .earlier = {{60, {needs(3)}},
                   {45, {needs(3)}},
                   {30, {lost("needs")}},
                   {15, {needs(3)}}},
       .hpa = 3,
       .ours = 10,
       .why = "while metrics are missing the current count is recorded as the recommendation"},
      {.sentence = "A restarted controller does not scale down at once",
       .arithmetic = "no window: 3",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = windows(0, 0),
       .recommended = {{3, 15}},
       .restarted_seconds_ago = 5,
       .hpa = 3,
       .ours = 10,
       .why = "its metrics must have settled for 10 s",
       .reason = "Restarted"},
  };
}

std::vector<Case> tolerance() {
  return {
      {.sentence = "A scale up tolerance of 5 % ignores 105 of 100",
       .arithmetic = "1.05 <= 1 + 0.05",
       .metrics = {value(100, 105)},
       .current = 20,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 20},
      {.sentence = "A scale up tolerance of 5 % acts on 106 of 100",
       .arithmetic = "ceil(20 * 1.06) = ceil(21.2) = 22",
       .metrics = {value(100, 106)},
       .current = 20,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 22},
      {.sentence = "A scale up tolerance leaves that of the scale down as it is",
       .arithmetic = "0.91 >= 1 - 0.1",
       .metrics = {value(100, 91)},
       .current = 20,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 20},
      {.sentence = "Beside a scale up tolerance the scale down still happens",
       .arithmetic = "ceil(20 * 0.89) = ceil(17.8) = 18",
       .metrics = {value(100, 89)},
       .current = 20,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 18},
      {.sentence = "A scale down tolerance of 30 % ignores 71 of 100",
       .arithmetic = "0.71 >= 1 - 0.3",
       .metrics = {value(100, 71)},
       .current = 10,
       .behavior = tolerances(0.1, 0.3),
       .hpa = 10},
      {.sentence = "A scale down tolerance of 30 % acts on 69 of 100",
       .arithmetic = "ceil(10 * 0.69) = ceil(6.9) = 7",
       .metrics = {value(100, 69)},
       .current = 10,
       .behavior = tolerances(0.1, 0.3),
       .hpa = 7},
      {.sentence = "Without a scale up tolerance one percent is acted on",
       .arithmetic = "ceil(100 * 1.01) = 101",
       .metrics = {value(100, 101)},
       .current = 100,
       .behavior = tolerances(0, 0.3),
       .hpa = 101},
      {.sentence = "Without a scale down tolerance one percent is acted on",
       .arithmetic = "ceil(100 * 0.99) = 99",
       .metrics = {value(100, 99)},
       .current = 100,
       .behavior = tolerances(0.3, 0),
       .hpa = 99},
      {.sentence = "A scale up tolerance of 50 % ignores 150 of 100",
       .arithmetic = "1.5 <= 1 + 0.5",
       .metrics = {value(100, 150)},
       .current = 10,
       .behavior = tolerances(0.5, 0.1),
       .hpa = 10},
      {.sentence = "A scale up tolerance of 50 % acts on 151 of 100",
       .arithmetic = "ceil(10 * 1.51) = ceil(15.1) = 16",
       .metrics = {value(100, 151)},
       .current = 10,
       .behavior = tolerances(0.5, 0.1),
       .hpa = 16},
      {.sentence = "The tolerance applies to CPU within it",
       .arithmetic = "63 / 60 = 1.05 <= 1 + 0.05",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(3, 63)},
       .behavior = tolerances(0.05, 0.1),
       .hpa = 3},
      {.sentence = "The tolerance applies to CPU beyond it",
       .arithmetic = "ceil(3 * 64 / 60) = ceil(3.2) = 4",
       .metrics = {cpu()},
       .current = 3,
       .pods = {busy(3, 64)},
       .behavior = tolerances(0.05, 0.1),
       .hpa = 4},
      {.sentence = "The tolerance applies to a total within it",
       .arithmetic = "104 / (10 * 10) = 1.04 <= 1 + 0.05",
       .metrics = {total(10, 104)},
       .current = 10,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 10},
      {.sentence = "The tolerance applies to a total beyond it",
       .arithmetic = "ceil(106 / 10) = 11",
       .metrics = {total(10, 106)},
       .current = 10,
       .behavior = tolerances(0.05, 0.1),
       .hpa = 11},
      {.sentence = "The tolerance applies again once missing pods are counted in",
       .arithmetic = "ratio 2 becomes (3 * 120 + 0) / 4 / 60 = 1.5 <= 1 + 0.5",
       .metrics = {cpu()},
       .current = 4,
       .pods = {busy(3, 120), unsampled(1)},
       .behavior = tolerances(0.5, 0.1),
       .hpa = 4},
  };
}

std::vector<Case> default_behavior() {
  return {
      {.sentence = "By default one replica gets 4 more at a time",
       .arithmetic = "max(1 * 2, 1 + 4) = 5",
       .metrics = {needs(900)},
       .current = 1,
       .behavior = hpa_behavior(),
       .hpa = 5,
       .reason = "LimitedByPolicy",
       .limited = true},
      {.sentence = "By default two replicas get 4 more at a time",
       .arithmetic = "max(2 * 2, 2 + 4) = 6",
       .metrics = {needs(900)},
       .current = 2,
       .behavior = hpa_behavior(),
       .hpa = 6},
      {.sentence = "By default ten replicas double",
       .arithmetic = "max(10 * 2, 10 + 4) = 20",
       .metrics = {needs(900)},
       .current = 10,
       .behavior = hpa_behavior(),
       .hpa = 20},
      {.sentence = "By default they double once in 15 s",
       .arithmetic = "12 - 6 = 6 at its start; max(6 * 2, 6 + 4) = 12",
       .metrics = {needs(900)},
       .current = 12,
       .behavior = hpa_behavior(),
       .scaled = {{6, 14}},
       .hpa = 12},
      {.sentence = "By default they double again after 15 s",
       .arithmetic = "max(12 * 2, 12 + 4) = 24",
       .metrics = {needs(900)},
       .current = 12,
       .behavior = hpa_behavior(),
       .scaled = {{6, 15}},
       .hpa = 24},
      {.sentence = "By default a scale up does not wait",
       .arithmetic = "150, under 100 * 2",
       .metrics = {needs(150)},
       .current = 100,
       .behavior = hpa_behavior(),
       .recommended = {{100, 30}, {100, 15}},
       .hpa = 150,
       .limited = false},
      {.sentence = "By default a scale down waits for 300 s",
       .arithmetic = "max(10, 3, 3) = 10",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = hpa_behavior(),
       .recommended = {{10, 299}, {3, 15}},
       .hpa = 10,
       .reason = "Stabilizing"},
      {.sentence = "By default a scale down happens after 300 s",
       .arithmetic = "max(3, 3) = 3",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = hpa_behavior(),
       .recommended = {{10, 300}, {3, 285}, {3, 15}},
       .hpa = 3},
      {.sentence = "By default a scale down goes to the highest need of 300 s",
       .arithmetic = "max(7, 3, 3) = 7",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = hpa_behavior(),
       .recommended = {{10, 310}, {7, 200}, {3, 15}},
       .hpa = 7},
      {.sentence = "By default a scale down may go to the minimum in one step",
       .arithmetic = "50 - 100 % = 0; minimum 2",
       .metrics = {needs(1)},
       .current = 50,
       .behavior = hpa_behavior(),
       .min = 2,
       .recommended = {{1, 310}, {1, 15}},
       .hpa = 2},
      {.sentence = "The first recommendation is the count that was found",
       .arithmetic = "max(10, 3) = 10",
       .metrics = {needs(3)},
       .current = 10,
       .behavior = hpa_behavior(),
       .hpa = 10},
      {.sentence = "The count that was found does not hold a scale up",
       .arithmetic = "13, under 10 * 2",
       .metrics = {needs(13)},
       .current = 10,
       .behavior = hpa_behavior(),
       .hpa = 13},
  };
}

std::vector<Case> maintenance() {
  return {
      {.sentence = "Zero replicas under a minimum of zero are no maintenance",
       .arithmetic = "ceil(5 / 1) = 5",
       .metrics = {needs(5)},
       .current = 0,
       .min = 0,
       .hpa = 5,
       .active = true},
      {.sentence = "Zero replicas under a minimum come back to what is needed",
       .arithmetic = "0 with a minimum of 2: autoscaling is off",
       .metrics = {needs(5)},
       .current = 0,
       .min = 2,
       .hpa = 0,
       .ours = 5,
       .why = "spec.paused turns autoscaling off; the minimum always holds"},
      {.sentence = "Zero replicas under a minimum come back to it though nothing is measured",
       .arithmetic = "0 with a minimum of 2: autoscaling is off",
       .metrics = {cpu()},
       .current = 0,
       .min = 2,
       .hpa = 0,
       .ours = 2,
       .why = "spec.paused turns autoscaling off; the minimum always holds",
       .active = false},
  };
}

std::vector<Case> bounds() {
  return {
      {.sentence = "The maximum bounds a scale up",
       .arithmetic = "min(50, 20) = 20",
       .metrics = {needs(50)},
       .current = 4,
       .max = 20,
       .hpa = 20,
       .reason = "AtMaxReplicas",
       .limited = true},
      {.sentence = "The minimum bounds a scale down",
       .arithmetic = "max(1, 3) = 3",
       .metrics = {needs(1)},
       .current = 10,
       .min = 3,
       .hpa = 3,
       .reason = "AtMinReplicas",
       .limited = true},
      {.sentence = "At the maximum a higher need is told as a limit",
       .arithmetic = "min(50, 20) = 20",
       .metrics = {needs(50)},
       .current = 20,
       .max = 20,
       .hpa = 20,
       .limited = true},
      {.sentence = "At the minimum a lower need is told as a limit",
       .arithmetic = "max(1, 3) = 3",
       .metrics = {needs(1)},
       .current = 3,
       .min = 3,
       .hpa = 3,
       .limited = true},
      {.sentence = "Within the bounds there is no limit to tell",
       .arithmetic = "3 <= 8 <= 20",
       .metrics = {needs(8)},
       .current = 4,
       .min = 3,
       .max = 20,
       .hpa = 8,
       .limited = false},
      {.sentence = "Equal bounds fix the count",
       .arithmetic = "min(max(9, 5), 5) = 5",
       .metrics = {needs(9)},
       .current = 5,
       .min = 5,
       .max = 5,
       .hpa = 5},
      {.sentence = "A maximum that was raised is used",
       .arithmetic = "28 <= 30",
       .metrics = {needs(28)},
       .current = 20,
       .max = 30,
       .hpa = 28},
      {.sentence = "A count over the maximum comes down to it",
       .arithmetic = "min(30, 20) = 20",
       .metrics = {needs(30)},
       .current = 30,
       .max = 20,
       .hpa = 20},
      {.sentence = "A count under the minimum comes up to it",
       .arithmetic = "max(2, 5) = 5",
       .metrics = {needs(2)},
       .current = 2,
       .min = 5,
       .hpa = 5},
      {.sentence = "A count over the maximum comes down though metrics are missing",
       .arithmetic = "maximum 20",
       .metrics = {lost()},
       .current = 30,
       .max = 20,
       .hpa = 20},
      {.sentence = "A count under the minimum comes up though metrics are missing",
       .arithmetic = "minimum 5",
       .metrics = {lost()},
       .current = 2,
       .min = 5,
       .hpa = 5},
      {.sentence = "Policies do not slow the way down to the maximum",
       .arithmetic = "20, not 30 - 1",
       .metrics = {needs(25)},
       .current = 30,
       .behavior = down(rules(0, {pods(1, 60)})),
       .max = 20,
       .hpa = 20},
      {.sentence = "Policies do not slow the way up to the minimum",
       .arithmetic = "10, not 2 + 1",
       .metrics = {needs(10)},
       .current = 2,
       .behavior = up(rules(0, {pods(1, 60)})),
       .min = 10,
       .hpa = 10},
      {.sentence = "The maximum binds before a policy that allows more",
       .arithmetic = "min(18 + 4, 20) = 20",
       .metrics = {needs(50)},
       .current = 18,
       .behavior = up(rules(0, {pods(4, 60)})),
       .max = 20,
       .hpa = 20,
       .reason = "AtMaxReplicas"},
      {.sentence = "A policy binds before a maximum that allows more",
       .arithmetic = "min(10 + 4, 20) = 14",
       .metrics = {needs(50)},
       .current = 10,
       .behavior = up(rules(0, {pods(4, 60)})),
       .max = 20,
       .hpa = 14,
       .reason = "LimitedByPolicy"},
      {.sentence = "A count over the maximum goes to a need below it in one step",
       .arithmetic = "first the maximum of 20, the need of 15 at the next sync",
       .metrics = {needs(15)},
       .current = 30,
       .max = 20,
       .hpa = 20,
       .ours = 15,
       .why = "a count outside the bounds goes to what the metrics need within them"},
      {.sentence = "A count under the minimum goes to a need above it in one step",
       .arithmetic = "first the minimum of 5, the need of 12 at the next sync",
       .metrics = {needs(12)},
       .current = 2,
       .min = 5,
       .hpa = 5,
       .ours = 12,
       .why = "a count outside the bounds goes to what the metrics need within them"},
  };
}

std::vector<Case> current_count() {
  return {
      {.sentence = "A value is multiplied by the ready pods that it was measured on",
       .arithmetic = "ceil(3 ready * 1.7) = ceil(5.1) = 6",
       .metrics = {value(100, 170)},
       .current = 6,
       .pods = {serving(3), pending(3)},
       .hpa = 6},
      {.sentence = "Pods on their way are not asked for a second time",
       .arithmetic = "(3 * 120 + 3 * 0) / 6 = 60 is the target",
       .metrics = {cpu()},
       .current = 6,
       .pods = {busy(3, 120), pending(3)},
       .hpa = 6},
      {.sentence = "A total does not ask how many pods are ready",
       .arithmetic = "ceil(80 / 10) = 8",
       .metrics = {total(10, 80)},
       .current = 4,
       .pods = {serving(1), pending(3)},
       .hpa = 8},
      {.sentence = "A percentage is of the count that is asked for",
       .arithmetic = "10 * 2 = 20, not 5 * 2",
       .metrics = {needs(40)},
       .current = 10,
       .pods = {serving(5), pending(5)},
       .behavior = up(rules(0, {percent(100, 15)})),
       .hpa = 20},
      {.sentence = "A count set by hand is where scaling goes on from",
       .arithmetic = "ceil(20 * 1.5) = 30",
       .metrics = {value(100, 150)},
       .current = 20,
       .recommended = {{4, 15}},
       .hpa = 30},
      {.sentence = "A total is compared with the replicas asked for, not with the pods there are",
       .arithmetic = "41 / (10 * 4 pods) = 1.025: 4 stay; 41 / (10 * 2 asked for) = 2.05: "
                     "ceil(4.1) = 5",
       .metrics = {total(10, 41)},
       .current = 2,
       .pods = {serving(4)},
       .hpa = 4,
       .ours = 5,
       .why = "pods lag behind the count, so that count is the base of everything"},
  };
}

std::vector<Case> external() {
  return {
      {.sentence = "An external Value is compared as it is",
       .arithmetic = "ceil(4 * 1500 / 1000) = 6",
       .metrics = {value(1000, 1500)},
       .current = 4,
       .hpa = 6},
      {.sentence = "An external AverageValue is shared by the pods",
       .arithmetic = "ceil(120 / 20) = 6",
       .metrics = {total(20, 120)},
       .current = 3,
       .hpa = 6},
      {.sentence = "A rest of an AverageValue needs a pod of its own",
       .arithmetic = "ceil(121 / 20) = ceil(6.05) = 7",
       .metrics = {total(20, 121)},
       .current = 3,
       .hpa = 7},
      {.sentence = "An AverageValue within the tolerance changes nothing",
       .arithmetic = "130 / (20 * 6) = 1.083",
       .metrics = {total(20, 130)},
       .current = 6,
       .hpa = 6,
       .reason = "WithinTolerance"},
      {.sentence = "An AverageValue over the tolerance adds a pod",
       .arithmetic = "133 / (20 * 6) = 1.108; ceil(6.65) = 7",
       .metrics = {total(20, 133)},
       .current = 6,
       .hpa = 7},
      {.sentence = "An AverageValue under the tolerance may still need every pod",
       .arithmetic = "107 / (20 * 6) = 0.892; ceil(5.35) = 6",
       .metrics = {total(20, 107)},
       .current = 6,
       .hpa = 6},
      {.sentence = "An AverageValue under the tolerance takes a pod away",
       .arithmetic = "100 / (20 * 6) = 0.833; ceil(5) = 5",
       .metrics = {total(20, 100)},
       .current = 6,
       .hpa = 5},
      {.sentence = "An AverageValue of zero goes to the minimum",
       .arithmetic = "ceil(0) = 0, minimum 2",
       .metrics = {total(20, 0)},
       .current = 6,
       .min = 2,
       .hpa = 2},
      {.sentence = "An AverageValue is used though no pod is ready",
       .arithmetic = "ceil(100 / 20) = 5",
       .metrics = {total(20, 100)},
       .current = 4,
       .pods = {pending(4)},
       .hpa = 5},
      {.sentence = "A queue at 30 messages per worker gets a worker for each 30",
       .arithmetic = "ceil(100 / 30) = 4",
       .metrics = {queue(30, 100)},
       .current = 1,
       .hpa = 4},
      {.sentence = "A queue just over one worker's share keeps one",
       .arithmetic = "31 / (30 * 1) = 1.03",
       .metrics = {queue(30, 31)},
       .current = 1,
       .hpa = 1},
      {.sentence = "A queue well over one worker's share gets a second",
       .arithmetic = "ceil(34 / 30) = 2",
       .metrics = {queue(30, 34)},
       .current = 1,
       .hpa = 2},
      {.sentence = "A target of a fraction is divided by all the same",
       .arithmetic = "ceil(3 / 0.5) = 6",
       .metrics = {total(0.5, 3)},
       .current = 2,
       .hpa = 6},
  };
}

std::vector<Case> zero() {
  return {
      {.sentence = "An empty queue with a minimum of zero goes to zero",
       .arithmetic = "ceil(0 / 20) = 0",
       .metrics = {queue(20, 0)},
       .current = 3,
       .min = 0,
       .hpa = 0},
      {.sentence = "An empty queue with a minimum of one keeps one",
       .arithmetic = "max(0, 1) = 1",
       .metrics = {queue(20, 0)},
       .current = 3,
       .min = 1,
       .hpa = 1},
      {.sentence = "A queue that is not empty keeps one",
       .arithmetic = "ceil(5 / 20) = 1",
       .metrics = {queue(20, 5)},
       .current = 3,
       .min = 0,
       .hpa = 1},
      {.sentence = "At zero an empty queue stays at zero",
       .arithmetic = "ceil(0 / 20) = 0",
       .metrics = {queue(20, 0)},
       .current = 0,
       .min = 0,
       .hpa = 0},
      {.sentence = "At zero a single message starts one",
       .arithmetic = "ceil(1 / 20) = 1",
       .metrics = {queue(20, 1)},
       .current = 0,
       .min = 0,
       .hpa = 1},
      {.sentence = "At zero a queue starts what it needs",
       .arithmetic = "ceil(50 / 20) = 3; the tolerance has nothing to compare with",
       .metrics = {queue(20, 50)},
       .current = 0,
       .min = 0,
       .hpa = 3},
      {.sentence = "At zero a Value starts its ratio",
       .arithmetic = "ceil(250 / 100) = 3",
       .metrics = {value(100, 250)},
       .current = 0,
       .min = 0,
       .hpa = 3},
      {.sentence = "At zero a Value within the tolerance starts what it needs as well",
       .arithmetic = "ceil(105 / 100) = 2",
       .metrics = {value(100, 105)},
       .current = 0,
       .min = 0,
       .hpa = 2},
      {.sentence = "At zero the scale up policies hold",
       .arithmetic = "max(0 * 2, 0 + 4) = 4",
       .metrics = {queue(20, 1000)},
       .current = 0,
       .behavior = hpa_behavior(),
       .min = 0,
       .hpa = 4},
      {.sentence = "At zero CPU has no pod to measure and the queue brings the app back",
       .arithmetic = "ceil(25 / 10) = 3",
       .metrics = {cpu(), queue(10, 25)},
       .current = 0,
       .min = 0,
       .hpa = 3},
      {.sentence = "At zero a metric that is missing starts nothing",
       .arithmetic = "no proposal",
       .metrics = {lost()},
       .current = 0,
       .min = 0,
       .hpa = 0},
      {.sentence = "The window holds the way to zero",
       .arithmetic = "max(3, 0) = 3",
       .metrics = {queue(20, 0)},
       .current = 3,
       .behavior = windows(0, 300),
       .min = 0,
       .recommended = {{3, 100}, {0, 15}},
       .idle_seconds = 300,  // The window's counterpart for the last step.
       .idle_since_seconds_ago = 100,
       .hpa = 3},
      {.sentence = "A missing metric beside an empty queue keeps the app from zero",
       .arithmetic = "0 < 3: skipped",
       .metrics = {lost(), queue(20, 0)},
       .current = 3,
       .min = 0,
       .hpa = 3},
      {.sentence = "A Value of zero does not go to zero",
       .arithmetic = "ceil(3 * 0) = 0",
       .metrics = {value(100, 0)},
       .current = 3,
       .min = 0,
       .hpa = 0,
       .ours = 1,
       .why = "a value per pod has no pod to come back by"},
      {.sentence = "Pods at rest beside an empty queue do not go to zero",
       .arithmetic = "max(ceil(3 * 0), ceil(0 / 20)) = 0",
       .metrics = {cpu(), queue(20, 0)},
       .current = 3,
       .pods = {busy(3, 0)},
       .min = 0,
       .hpa = 0,
       .ours = 1,
       .why = "CPU has no pod to come back by"},
  };
}

std::vector<Case> idle() {
  return {
      {.sentence = "A queue that has just become empty is waited for",
       .arithmetic = "ceil(0 / 20) = 0 without a window; here 1 until it was idle for 300 s",
       .metrics = {queue(20, 0)},
       .current = 3,
       .min = 0,
       .idle_seconds = 300,
       .idle_since_seconds_ago = 299,
       .hpa = 0,
       .ours = 1,
       .why = "scaleToZero.idleSeconds has no counterpart"},
      {.sentence = "A queue that has been empty for long goes to zero",
       .arithmetic = "ceil(0 / 20) = 0",
       .metrics = {queue(20, 0)},
       .current = 3,
       .min = 0,
       .idle_seconds = 300,
       .idle_since_seconds_ago = 300,
       .hpa = 0},
      {.sentence = "An app that was idle for its time goes to zero past the window",
       .arithmetic = "max(3, 0) = 3 within the window of 300 s; idle for 60 s of 60",
       .metrics = {queue(20, 0)},
       .current = 3,
       .behavior = windows(0, 300),
       .min = 0,
       .recommended = {{3, 100}, {0, 15}},
       .idle_seconds = 60,
       .idle_since_seconds_ago = 60,
       .hpa = 3,
       .ours = 0,
       .why = "scaleToZero.idleSeconds is the window of the last step"},
      {.sentence = "A queue at its activation threshold is empty enough for zero",
       .arithmetic = "ceil(5 / 20) = 1; 5 is not over the threshold of 5",
       .metrics = {active_over(5, queue(20, 5))},
       .current = 3,
       .min = 0,
       .hpa = 1,
       .ours = 0,
       .why = "activationThreshold has no counterpart but KEDA's"},
      {.sentence = "A queue at its activation threshold starts nothing",
       .arithmetic = "ceil(5 / 20) = 1; 5 is not over the threshold of 5",
       .metrics = {active_over(5, queue(20, 5))},
       .current = 0,
       .min = 0,
       .hpa = 1,
       .ours = 0,
       .why = "activationThreshold has no counterpart but KEDA's"},
      {.sentence = "A queue over its activation threshold starts what it needs",
       .arithmetic = "ceil(6 / 20) = 1",
       .metrics = {active_over(5, queue(20, 6))},
       .current = 0,
       .min = 0,
       .hpa = 1},
  };
}

std::vector<Case> fallbacks() {
  return {
      {.sentence = "A metric that fails for less than its time holds the count",
       .arithmetic = "179 s < 180 s",
       .metrics = {fallback(5, 179)},
       .current = 2,
       .hpa = 2},
      {.sentence = "A metric that failed for its time proposes its fallback",
       .arithmetic = "5",
       .metrics = {fallback(5, 180)},
       .current = 2,
       .hpa = 5},
      {.sentence = "A failing metric without a fallback holds the count for ever",
       .arithmetic = "no proposal",
       .metrics = {lost()},
       .current = 2,
       .hpa = 2},
      {.sentence = "A fallback at the current count changes nothing",
       .arithmetic = "5",
       .metrics = {fallback(5, 600)},
       .current = 5,
       .hpa = 5},
      {.sentence = "A larger proposal of another metric goes over the fallback",
       .arithmetic = "max(5, 7) = 7",
       .metrics = {fallback(5, 600), needs(7)},
       .current = 2,
       .hpa = 7},
      {.sentence = "The fallback goes over a smaller proposal of another metric",
       .arithmetic = "max(5, 3) = 5",
       .metrics = {fallback(5, 600), needs(3)},
       .current = 2,
       .hpa = 5},
      {.sentence = "A fallback adds replicas though another metric has none",
       .arithmetic = "5 > 2",
       .metrics = {fallback(5, 600), lost()},
       .current = 2,
       .hpa = 5},
      {.sentence = "The maximum bounds a fallback",
       .arithmetic = "min(50, 20) = 20",
       .metrics = {fallback(50, 600)},
       .current = 2,
       .max = 20,
       .hpa = 20},
      {.sentence = "The policies bound a fallback",
       .arithmetic = "max(4 * 2, 4 + 4) = 8",
       .metrics = {fallback(50, 600)},
       .current = 4,
       .behavior = hpa_behavior(),
       .hpa = 8},
      {.sentence = "A fallback starts pods at zero",
       .arithmetic = "3",
       .metrics = {fallback(3, 600)},
       .current = 0,
       .min = 0,
       .hpa = 3},
      {.sentence = "A fallback below the current count takes nothing away",
       .arithmetic = "5 of 8",
       .metrics = {fallback(5, 600)},
       .current = 8,
       .hpa = 5,
       .ours = 8,
       .why = "losing a metric is no reason to have fewer replicas"},
      {.sentence = "A fallback lets no other metric take replicas away",
       .arithmetic = "max(5, 3) = 5 of 8",
       .metrics = {fallback(5, 600), needs(3)},
       .current = 8,
       .hpa = 5,
       .ours = 8,
       .why = "losing a metric is no reason to have fewer replicas"},
  };
}

// --- the harness -------------------------------------------------------------------------------

struct Section {
  const char* name;
  std::vector<Case> cases;
};

const std::vector<Case>& all_cases() {
  static const std::vector<Case> all = [] {
    const std::vector<Section> sections = {
        {"Algorithm details", algorithm()},
        {"Pod readiness and missing metrics", readiness()},
        {"Autoscaling during rolling update", rolling_update()},
        {"Scaling on multiple metrics", multiple()},
        {"Scaling policies", policies()},
        {"Stabilization window", stabilization()},
        {"Tolerance", tolerance()},
        {"Default behavior", default_behavior()},
        {"Implicit maintenance-mode deactivation", maintenance()},
        {"Minimum and maximum", bounds()},
        {"The current count as the base", current_count()},
        {"External metrics", external()},
        {"Scaling to and from zero (KEP-2021)", zero()},
        {"Idle time and activation", idle()},
        {"Fallback (KEP-5679)", fallbacks()},
    };
    std::vector<Case> rows;
    for (const auto& [name, cases] : sections) {
      for (Case row : cases) {
        row.section = name;
        rows.push_back(std::move(row));
      }
    }
    return rows;
  }();
  return all;
}

PodState to_state(const Pods& pods, std::string name) {
  PodState pod;
  pod.name = std::move(name);
  pod.cpu_request_cores = pods.request;
  pod.created = pod.started_at = kNow - seconds{pods.started_seconds_ago};
  pod.serving = pods.phase == Phase::kServing;
  pod.containers_ready = pod.serving || pods.phase == Phase::kTerminating;
  pod.terminating = pods.phase == Phase::kTerminating;
  pod.finished = pods.phase == Phase::kFailed || pods.phase == Phase::kSucceeded;
  pod.pending = pods.phase == Phase::kPending;
  if (pod.pending) pod.started_at.reset();
  if (pods.phase == Phase::kUnready) pod.unready_since = pod.started_at;
  if (pods.phase == Phase::kLapsed) pod.unready_since = kNow - seconds{60};
  if (pod.containers_ready) pod.ready_since = kNow - seconds{pods.ready_seconds_ago};
  return pod;
}

Observation to_observation(const Case& row, const std::vector<Metric>& metrics) {
  Observation observation;
  observation.current_replicas = row.current;
  observation.rollout_in_flight = row.rollout;
  observation.observing_since =
      row.restarted_seconds_ago ? kNow - seconds{*row.restarted_seconds_ago} : kLongAgo;
  std::map<std::string, double> used;
  const std::vector<Pods> groups =
      row.pods.empty() ? std::vector<Pods>{serving(row.current)} : row.pods;
  for (const Pods& group : groups) {
    for (int i = 0; i < group.count; ++i) {
      std::string name = fmt::format("pod-{}", observation.pods.size());
      // A pod without a request has a usage all the same.
      if (group.cpu_percent) {
        used[name] = *group.cpu_percent / 100 * (group.request > 0 ? group.request : 1);
      }
      observation.pods.push_back(to_state(group, std::move(name)));
    }
  }
  for (const Metric& metric : metrics) {
    MetricReading reading;
    reading.name = metric.spec.name;
    reading.age = seconds{1};
    reading.value = metric.value;
    if (metric.spec.type == api::MetricType::kCpu) reading.per_pod = used;
    if (metric.lost) reading.missing = "connection refused";
    observation.readings.push_back(std::move(reading));
  }
  return observation;
}

Decision evaluate_case(const Case& row) {
  api::ScalableAppSpec spec;
  spec.min_replicas = row.min;
  spec.max_replicas = row.max;
  spec.behavior = row.behavior;
  spec.interval_seconds = 15;  // The HPA's sync period.
  spec.idle_seconds = row.idle_seconds;
  api::ScalingHistory history;
  if (row.min == 0 && row.idle_since_seconds_ago) {
    history.idle_since = kNow - seconds{*row.idle_since_seconds_ago};
  }
  for (const Metric& metric : row.metrics) {
    spec.metrics.push_back(metric.spec);
    api::MetricMemory memory;
    memory.name = metric.spec.name;
    if (metric.lost) memory.missing_since = kNow - seconds{metric.failing_seconds};
    history.metrics.push_back(std::move(memory));
  }
  for (const auto& [replicas, seconds_ago] : row.recommended) {
    const WallTime at = kNow - seconds{seconds_ago};
    history.recommendations.push_back({replicas, at, at});
  }
  for (const auto& [change, seconds_ago] : row.scaled) {
    history.scale_events.push_back({change, kNow - seconds{seconds_ago}});
  }
  for (const Earlier& earlier : row.earlier) {
    const WallTime at = kNow - seconds{earlier.seconds_ago};
    history = decide(at, spec, to_observation(row, earlier.metrics), history).history;
    history.scale_events.clear();
  }
  return decide(kNow, spec, to_observation(row, row.metrics), history);
}

std::optional<bool> condition(const Decision& decision, std::string_view type) {
  const auto found = std::ranges::find(decision.conditions, type, &api::Condition::type);
  if (found == decision.conditions.end()) return std::nullopt;
  return found->status == api::ConditionStatus::kTrue;
}

// --- the score and the table -------------------------------------------------------------------

struct Score {
  std::size_t same = 0, by_design = 0, open = 0, total = 0;
};
Score score() {
  Score result;
  for (const Case& row : all_cases()) {
    ++result.total;
    if (row.ours) {
      ++(row.open ? result.open : result.by_design);
    } else if (evaluate_case(row).replicas == row.hpa) {
      ++result.same;
    }
  }
  return result;
}

std::string table() {
  const Score all = score();
  std::string out = fmt::format(
      "# Parity with the HorizontalPodAutoscaler\n\n"
      "Written by `scaling_test`, do not edit:\n"
      "`SCALABLEAPP_PARITY_TABLE=docs/hpa-parity.md build/release/bin/scaling_test "
      "--gtest_filter='*HpaParity*'`\n\n"
      "With the same inputs and equivalent settings (latency metrics as a ratio, no burst, no "
      "forecast), the engine ought to\nanswer as HPA v2 is documented to. Counts are computed by "
      "hand from the documentation, section by section, and where it\nis silent from what the "
      "controller does: it multiplies a ratio by the ready pods, not by the current replicas.\n\n"
      "**{} of {} documented cases give the HPA's count**; {} differ by design, {} are open.\n\n"
      "Not in the table, because there is no such metric here: memory and ContainerResource.\n",
      all.same, all.total, all.by_design, all.open);
  const char* section = "";
  for (const Case& row : all_cases()) {
    if (std::string_view(section) != row.section) {
      section = row.section;
      const auto in_section = [&](const Case& other) {
        return std::string_view(other.section) == section;
      };
      const auto count = std::ranges::count_if(all_cases(), in_section);
      const auto same = std::ranges::count_if(
          all_cases(), [&](const Case& other) { return in_section(other) && !other.ours; });
      out += fmt::format(
          "\n## {}: {} of {}\n\n| Case | Computed | HPA | Ours |\n|---|---|--:|--:|\n", section,
          same, count);
    }
    out += fmt::format("| {} | {} | {} | {} |\n", row.sentence, row.arithmetic, row.hpa,
                       row.ours ? fmt::format("**{}**", *row.ours) : std::to_string(row.hpa));
  }
  for (const bool open : {false, true}) {
    out += open ? "\n## Open differences\n\n" : "\n## Differences by design\n\n";
    out += "| Case | HPA | Ours | Why |\n|---|--:|--:|---|\n";
    for (const Case& row : all_cases()) {
      if (!row.ours || row.open != open) continue;
      out += fmt::format("| {} | {} | {} | {} |\n", row.sentence, row.hpa, *row.ours, row.why);
    }
  }
  return out;
}

class HpaParity : public testing::TestWithParam<Case> {
 protected:
  static void TearDownTestSuite() {
    const Score all = score();
    std::printf("HPA parity: %zu of %zu documented cases; %zu differ by design, %zu are open\n",
                all.same, all.total, all.by_design, all.open);
    const char* path = std::getenv("SCALABLEAPP_PARITY_TABLE");
    if (path == nullptr) return;
    std::FILE* file = std::fopen(path, "w");
    ASSERT_NE(file, nullptr) << path;
    std::fputs(table().c_str(), file);
    EXPECT_EQ(std::fclose(file), 0) << path;
  }
};
INSTANTIATE_TEST_SUITE_P(Documentation, HpaParity, testing::ValuesIn(all_cases()),
                         [](const auto& row) { return test::row_name(row.param.sentence); });

TEST_P(HpaParity, GivesTheDocumentedCount) {
  const Case& row = GetParam();
  ASSERT_EQ(row.ours.has_value(), *row.why != '\0') << "a difference needs its reason";
  if (row.ours) {
    ASSERT_NE(*row.ours, row.hpa) << "no difference";
  }
  const Decision decision = evaluate_case(row);
  EXPECT_EQ(decision.replicas, row.ours.value_or(row.hpa))
      << row.section << ": " << row.arithmetic << "\n"
      << decision.message;
  if (row.reason != nullptr) {
    EXPECT_EQ(decision.reason, row.reason);
  }
  if (row.reported != nullptr) {
    EXPECT_EQ(decision.metrics.at(0).current, row.reported);
  }
  if (row.active) {
    EXPECT_EQ(condition(decision, "ScalingActive"), row.active);
  }
  if (row.limited) {
    EXPECT_EQ(condition(decision, "ScalingLimited"), row.limited);
  }
}

}  // namespace
}  // namespace scalableapp::scaling
