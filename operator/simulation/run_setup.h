// What every run of the simulation begins with: its arguments checked, the level that it is judged by, the
// times of its pods and how many there are first. Internal to simulation/.
#pragma once

#include <string>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/simulation/fleet.h"
#include "operator/simulation/simulation.h"
#include "operator/simulation/trace.h"

namespace scalableapp::simulation {

inline constexpr double kDefaultQuantile = 0.99;
struct Level {
  double quantile = kDefaultQuantile;
  double seconds = 0;
  bool is_wait = false;
  std::string text;
};
// The first metric that tells of a target; the strictest where there are several.
Level level_of(const api::ScalableAppSpec& spec, const Workload& workload);

bool has_metric(const api::ScalableAppSpec& spec, api::MetricType type);

// kInvalid for a spec with problems, a workload or a trace that makes no sense; names the field.
Result<void> check_run(const api::ScalableApp& app, const Workload& workload, const Trace& trace);

milliseconds in_milliseconds(double seconds);
// Rounded to ticks, at least one.
milliseconds in_ticks(double seconds);

PodTimes times_of(const api::ScalableAppSpec& spec, const Workload& workload);

// What serves when the run begins.
int initial_replicas(const api::ScalableAppSpec& spec, const Trace& trace, const Workload& workload, Policy policy,
                     int wanted);
// How many requests a second `replicas` are given at most before the trace begins.
double carried_by(int replicas, const Trace& trace, const Workload& workload);

}  // namespace scalableapp::simulation
