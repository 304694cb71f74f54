// Searches the few settings of a policy that matter most for the best trade-off of service level
// and cost. Knows no simulator: an Evaluate says how a spec did. Deterministic: the same seed and
// the same answers give the same result, however many threads evaluate.
//
// The search: the manifest's own settings, then random ones, then steps of one or two settings from
// the best or from the Pareto front; at last each changed setting is tried with its old value, so
// that nothing is proposed that brings nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/plugin/manifest.h"

namespace scalableapp::plugin {

// Sums over all traces.
struct Outcome {
  double slo_violation_seconds = 0;
  double replica_seconds = 0;
  double measured_seconds = 0;
  int scale_events = 0;
  int direction_changes = 0;
};
// Called on several threads at a time.
using Evaluate = std::function<Result<Outcome>(const api::ScalableAppSpec& spec)>;

// One thing that may be changed.
struct Setting {
  std::string field;        // "spec.behavior.scaleDown.stabilizationWindowSeconds".
  std::string short_name;   // For the heading of a column.
  std::vector<int> levels;  // Ascending. What they are is the setting's own business: see text.
  std::size_t current = 0;  // The manifest's level.
  std::function<void(api::ScalableAppSpec& spec, int level)> apply;
  std::function<std::string(int level)> text;  // As the manifest has it: "30", "0.1", "off".
};
// Those that mean something to this spec: no CPU target without a CPU metric. replicas.min is never
// under the manifest's, and a burst that is on is not switched off: both may have other reasons.
std::vector<Setting> settings_of(const api::ScalableAppSpec& spec);

struct Candidate {
  std::vector<std::size_t> levels;  // By setting.
  Outcome outcome;
  bool on_front = false;  // None is better in one of both without being worse in the other.
};
struct Tuning {
  std::vector<Setting> settings;
  std::vector<Candidate> candidates;  // As they were tried; the first is the manifest's.
  std::size_t proposed = 0;
};
struct TuneOptions {
  int evaluations = 60;
  // A second of violation costs as much as so many seconds of the whole app at its mean size.
  double slo_weight = 20;
  std::uint64_t seed = 1;
};
Result<Tuning> tune(const api::ScalableAppSpec& spec, const TuneOptions& options,
                    const Evaluate& evaluate);

api::ScalableAppSpec spec_of(const api::ScalableAppSpec& spec, const Tuning& tuning,
                             const Candidate& candidate);
// What to write into the manifest `yaml` for it.
std::vector<Change> changes_of(const std::string& yaml, const api::ScalableAppSpec& spec,
                               const Tuning& tuning, const Candidate& candidate);

}  // namespace scalableapp::plugin
