// Plays a load trace through a model of pods under one scaling policy and says how it went: the
// seconds in which the service level was missed, what the replicas cost, how often the count
// changed. The policy ScalableApp is the production code, scaling::decide(); the others are models
// of HPA, KEDA and Knative's KPA (peers.h). Every policy meets the same requests on the same pods:
// arrival times and service times come from the seed alone.
//
// Pure and deterministic: the same arguments give the same bytes on every machine. Reads no file
// and no clock. Thread-compatible; runs of different policies may go side by side.
//
// A run begins 300 s before its trace, with the first row's load (as far as the first replicas can
// carry it at 60 % use) and a count that is held: every policy's windows are full when the trace
// begins, as those of an app that has been running. Nothing of that time is counted.
//
// Takes some 50 ns a request and some microseconds a decision: a day of 100 requests a second well
// under a second, heavier ones in proportion.
//
// What the model leaves out: the network, nodes that run out of room, CPU contention within a pod
// (the service time does not depend on the load), retries, keep-alive connections that stick to a
// pod, and Prometheus being away.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/scaling/observation.h"
#include "operator/simulation/trace.h"

namespace scalableapp::simulation {

// What the pods are like. The defaults are the demo's service (examples/web.yaml).
struct Workload {
  double service_seconds = 0.040;  // Mean time that a request, or a job, takes when it is its turn.
  double service_cv = 0.3;         // Its standard deviation over its mean; lognormal. 0: constant.
  int concurrency = 4;             // What a pod serves at a time; the rest waits in the pod.
  int queue_limit = 512;           // So many may wait in a pod; more are refused, which counts as
                                   // missed. 0: no limit. Jobs: their queue takes any number.
  double cpu_seconds_per_request = 0.001;
  double startup_seconds = 4;      // Created -> containers ready, drawn within 20 %.
  double warmup_seconds = 3;       // Then until it is ready, beside spec.readiness.minWarmSeconds.
  double create_seconds = 0.3;     // Decision -> pod created.
  double termination_grace_seconds = 30;  // What has not finished by then after drainSeconds fails.
  double scrape_seconds = 2;       // Prometheus looks at a pod so often.
  std::uint64_t seed = 1;
  bool operator==(const Workload&) const = default;
};

enum class Policy { kScalableApp, kHpa, kKeda, kKpa };
// "scalableapp", "hpa", "keda", "kpa".
const char* to_string(Policy policy);

// The load until now in whole steps, oldest first, from before the trace on: what a forecast may
// look at.
struct LoadSoFar {
  WallTime start{};
  seconds step{10};
  std::vector<double> arrivals_per_second;
  std::vector<double> cores;         // CPU used by all pods.
  std::vector<double> queue_length;  // At the end of the step; service: requests in the app.
};
// May fill Observation::forecasts and ::schedules before a decision of the policy ScalableApp; all
// else is filled already. Must depend on what it is called with in this run only, so each run needs
// its own (advisor.h).
using Advisor = std::function<void(WallTime now, const LoadSoFar& load,
                                   const api::ScalingHistory& history,
                                   scaling::Observation& observation)>;

struct Options {
  // What serves at the start. 0: what fits the first row at 60 % use, within [min, max].
  int initial_replicas = 0;
  // Of the trace's first row; schedules and seasons depend on it. A Monday.
  WallTime start{seconds{1'767'571'200}};
  int max_points = 2000;     // Of PolicyResult::points.
  int max_messages = 1000;   // Of PolicyResult::messages; the first and the last ones are kept.
  Advisor advisor = {};
};

// One stretch of the run, for plots.
struct Point {
  double seconds = 0;           // The stretch's begin, in the trace's time.
  double arrivals_per_second = 0;
  double latency_seconds = 0;   // The quantile of what arrived in it (jobs: of the waiting time),
                                // of what was answered at all. 0: nothing was.
  int replicas_desired = 0;     // The highest of the stretch.
  int replicas_serving = 0;     // The lowest of the stretch.
  int queue = 0;                // Requests or jobs that wait for their turn: the most.
  bool operator==(const Point&) const = default;
};
struct Message {
  double seconds = 0;
  int from = 0;
  int to = 0;
  std::string reason;
  std::string text;
  bool operator==(const Message&) const = default;
};

struct PolicyResult {
  std::string name;      // to_string(policy).
  std::string settings;  // For a person: what the policy looks at and how often.

  // The level: of what arrived in a second no more than 1 - quantile may take longer than the
  // target. `slo` says it in words.
  std::string slo;
  double slo_seconds = 0;            // The target.
  double measured_seconds = 0;       // Length of what is counted: all but the first 10 s.
  double slo_violation_seconds = 0;
  double recovery_seconds = 0;       // The longest time without a break of 10 good seconds.
  double replica_seconds = 0;        // Pods from their creation until they are gone.
  int scale_events = 0;              // Changes of the desired count.
  int direction_changes = 0;         // Of them, those that turn: up after down, down after up.
  int load_direction_changes = 0;    // Turns of the trace's rate, see load_turns().
  int worst_queue = 0;               // The most that waited at a time.
  int max_replicas = 0;              // The highest desired count.
  std::int64_t arrived = 0;
  std::int64_t served = 0;
  std::int64_t failed = 0;           // Cut off by the end of their pod, or without any pod, or
                                     // answered with an error (error_ratio).
  std::int64_t unfinished = 0;       // In the app when the trace ended.
  double mean_latency_seconds = 0;   // Of what was served, waiting included.
  std::vector<Point> points;
  std::vector<Message> messages;     // Decisions that changed the count or gave another reason.
  bool operator==(const PolicyResult&) const = default;
};

// kInvalid for a spec with problems, a workload or a trace that makes no sense; names the field.
Result<PolicyResult> simulate(const api::ScalableApp& app, const Trace& trace,
                              const Workload& workload, Policy policy, const Options& options = {});

// How often the load really turns: peaks and valleys of its 60 s mean that differ from the last
// turn by 20 % of the range between the trace's lowest and highest mean, and 10 % of the highest.
int load_turns(const Trace& trace);

}  // namespace scalableapp::simulation
