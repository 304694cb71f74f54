// How the policies did on the traces: as a table for the terminal, as JSON and as CSV. Pure, and
// deterministic to the byte. Pictures are plot.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "operator/simulation/simulation.h"

namespace scalableapp::plugin {

struct TraceReport {
  std::string trace;
  std::vector<simulation::PolicyResult> policies;  // ScalableApp first. Never empty.
  std::vector<std::string> notes;  // What was measured and what was assumed, a sentence each.
};

// The best value of a column is marked with "*" where policies differ; settings are listed below.
std::string report_table(std::span<const TraceReport> reports);
// One object for one trace, else an array of them.
std::string report_json(std::span<const TraceReport> reports);
// One row for each trace and policy.
std::string report_csv(std::span<const TraceReport> reports);
// The course of each run, a row for each of its points.
std::string series_csv(std::span<const TraceReport> reports);

}  // namespace scalableapp::plugin
