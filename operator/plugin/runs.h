// What simulate, backtest, tune and decide share: the flags of input, workload and output, reading what
// they play, playing it, showing the result.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/plugin/command_line.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/report.h"
#include "operator/simulation/simulation.h"

namespace scalableapp::plugin {

struct RunOptions {
  simulation::Workload workload;
  int initial_replicas = 0;
  std::vector<std::string> against;  // "hpa", "keda", "kpa", in this order.
  std::optional<WallTime> start;     // Of the trace; unset: the simulator's own.
};
// --seed, --service-time and the like.
std::vector<Flag> workload_flags(RunOptions& options);
Flag against_flag(RunOptions& options);

// -f and --trace, and that they were given.
Flag filename_flag(std::string& filename);
Result<void> check_filename(const std::string& filename);
Flag traces_flag(std::vector<std::string>& traces);
Result<void> check_traces(const std::vector<std::string>& traces);

struct OutputOptions {
  std::string format = "table";
  std::string plot;
  std::string series;
};
std::vector<Flag> output_flags(OutputOptions& options);

// The manifest's text beside what it says.
struct Manifest {
  std::string text;
  api::ScalableApp app;
};
Result<Manifest> load_manifest(const std::string& path);
Result<std::vector<simulation::Trace>> load_traces(const std::vector<std::string>& paths,
                                                   const api::ScalableAppSpec& spec);

// The policy of `app` alone.
Result<simulation::PolicyResult> play(const api::ScalableApp& app, const simulation::Trace& trace,
                                      const RunOptions& options);
// It and those of options.against, on every trace.
Result<std::vector<TraceReport>> play_all(const api::ScalableApp& app,
                                          const std::vector<simulation::Trace>& traces,
                                          const RunOptions& options);

// Writes the picture if one is wanted, and gives the report's text.
Result<Printed> present(const std::vector<TraceReport>& reports, const OutputOptions& output);

// Calls work(0) ... work(count - 1), on as many threads as there are cores.
void side_by_side(std::size_t count, const std::function<void(std::size_t index)>& work);

}  // namespace scalableapp::plugin
