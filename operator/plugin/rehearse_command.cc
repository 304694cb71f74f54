// kubectl scalableapp rehearse
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/plugin/commands.h"
#include "operator/plugin/files.h"
#include "operator/plugin/runs.h"
#include "operator/plugin/table.h"
#include "operator/simulation/rollout_run.h"

namespace scalableapp::plugin {
namespace {

using simulation::RolloutEnd;
using simulation::RolloutResult;

constexpr double kHalfWithoutTrace = 450;  // A trace's last row lasts as long as the one before it.

struct Options {
  std::string filename;
  std::string trace;
  double rate = 100;
  int runs = 20;
  simulation::RolloutCase rollout;
  std::optional<double> error_percent;  // Unset: the stable version's.
  double stable_error_percent = 0.1;
  RunOptions run;
  std::string format = "table";
  std::string series;
};

Result<simulation::Trace> trace_of(const Options& options, const api::ScalableAppSpec& spec) {
  if (options.trace.empty()) {
    return simulation::Trace{.name = fmt::format("{:g} requests a second", options.rate),
                             .seconds = {0, kHalfWithoutTrace},
                             .requests_per_second = {options.rate, options.rate}};
  }
  auto traces = load_traces({options.trace}, spec);
  if (!traces) return tl::unexpected(traces.error());
  return std::move(traces->front());
}

std::string summary(const std::vector<RolloutResult>& results) {
  std::vector<double> seconds;
  std::vector<int> intervals;
  int promoted = 0, rolled_back = 0, worst = 0;
  for (const RolloutResult& result : results) {
    promoted += result.end == RolloutEnd::kPromoted;
    rolled_back += result.end == RolloutEnd::kRolledBack;
    worst = std::max(worst, result.worst_shortfall);
    if (result.end != RolloutEnd::kPromoted && result.end != RolloutEnd::kRolledBack) continue;
    seconds.push_back(result.seconds);
    intervals.push_back(result.intervals);
  }
  std::ranges::sort(seconds);
  std::ranges::sort(intervals);
  const auto undecided = results.size() - static_cast<std::size_t>(promoted + rolled_back);
  std::string text = fmt::format("{} of {} promoted, {} rolled back, {} undecided when the trace ended; at most {} pods "
                                 "short of wanted - maxUnavailable by the rollout\n",
                                 promoted, results.size(), rolled_back, undecided, worst);
  if (seconds.empty()) return text;
  return text + fmt::format("half of them decided within {} s, all within {} s ({} and {} intervals of the analysis after "
                            "the first new pod served)\n",
                            short_number(seconds[seconds.size() / 2]), short_number(seconds.back()),
                            intervals[intervals.size() / 2], intervals.back());
}

std::string table_of(const std::vector<RolloutResult>& results, std::uint64_t first_seed) {
  Table table{.headings = {"SEED", "END", "AFTER", "INTERVALS", "SHORTFALL", "FAILED", "OF", "WHY"},
              .is_number = {true, false, true, true, true, true, true, false}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    const RolloutResult& result = results[i];
    table.rows.push_back({fmt::format("{}", first_seed + i), to_string(result.end), short_number(result.seconds) + "s",
                          fmt::format("{}", result.intervals), fmt::format("{}", result.worst_shortfall),
                          fmt::format("{}", result.failed), fmt::format("{}", result.arrived),
                          result.end == RolloutEnd::kPromoted ? "" : result.message});
  }
  return render(table) + "\n" + summary(results);
}

std::string json_of(const std::vector<RolloutResult>& results, std::uint64_t first_seed) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const RolloutResult& result = results[i];
    nlohmann::ordered_json notes = nlohmann::ordered_json::array();
    for (const auto& message : result.messages) {
      notes.push_back({{"seconds", message.seconds}, {"reason", message.reason}, {"text", message.text}});
    }
    runs.push_back({{"seed", first_seed + i},
                    {"end", to_string(result.end)},
                    {"reason", result.reason},
                    {"message", result.message},
                    {"seconds", result.seconds},
                    {"intervals", result.intervals},
                    {"worstShortfall", result.worst_shortfall},
                    {"arrived", result.arrived},
                    {"failed", result.failed},
                    {"answeredByUpdated", result.bad_served},
                    {"replicaSeconds", result.replica_seconds},
                    {"notes", std::move(notes)}});
  }
  return runs.dump(2) + "\n";
}

std::string series_of(const RolloutResult& result) {
  Table table{.headings = {"seconds", "arrivals_per_second", "desired", "stable_available", "updated_available",
                           "stable_pods", "updated_pods", "weight"}};
  for (const auto& point : result.points) {
    table.rows.push_back({fmt::format("{:g}", point.seconds), fmt::format("{:g}", point.arrivals_per_second),
                          fmt::format("{}", point.desired), fmt::format("{}", point.stable_available),
                          fmt::format("{}", point.updated_available), fmt::format("{}", point.stable_pods),
                          fmt::format("{}", point.updated_pods), fmt::format("{}", point.weight)});
  }
  return render_csv(table);
}

Result<Printed> rehearse(Options options) {
  const auto manifest = load_manifest(options.filename);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto trace = trace_of(options, manifest->app.spec);
  if (!trace) return tl::unexpected(trace.error());
  options.rollout.workload = options.run.workload;
  options.rollout.initial_replicas = options.run.initial_replicas;
  options.rollout.updated.error_ratio = options.error_percent.value_or(options.stable_error_percent) / 100;
  options.rollout.stable.error_ratio = options.stable_error_percent / 100;
  const std::uint64_t first_seed = options.rollout.workload.seed;
  std::vector<std::optional<Result<RolloutResult>>> runs(static_cast<std::size_t>(options.runs));
  side_by_side(runs.size(), [&](std::size_t i) {
    simulation::RolloutCase one = options.rollout;
    one.workload.seed = first_seed + i;
    runs[i] = simulation::simulate_rollout(manifest->app, *trace, one);
  });
  std::vector<RolloutResult> results;
  for (auto& run : runs) {
    if (!*run) return tl::unexpected(run->error());
    results.push_back(std::move(**run));
  }
  if (!options.series.empty()) {
    if (auto written = write_file(options.series, series_of(results.front())); !written) return tl::unexpected(written.error());
  }
  Printed printed{.out = options.format == "json" ? json_of(results, first_seed) : table_of(results, first_seed)};
  if (!manifest->app.spec.rollout.analysis) {
    printed.warnings.push_back("spec.rollout.analysis is not set: nothing compares the versions; only crashes and "
                               "deadlines end a rollout");
  }
  return printed;
}

}  // namespace

Runnable rehearse_command() {
  auto options = std::make_shared<Options>();
  Command command{
      .name = "rehearse",
      .summary = "Play rollouts of a good or a bad version in the simulator.",
      .description =
          "Rolls a new version out under load with the operator's own code, as spec.rollout says, and tells whether\n"
          "it was promoted or rolled back, and how soon: with an analysis that misses a bad version, or takes a\n"
          "good one for bad, better here than in production. Needs no cluster.\n\n"
          "Each run has another seed: other arrivals, service times, start-up times and errors. AFTER is from the change\n"
          "of the template to the verdict, INTERVALS those of the analysis from the first new pod on, SHORTFALL the most\n"
          "pods that the rollout took from wanted - maxUnavailable, FAILED the requests of the whole trace. The exit code\n"
          "says nothing of the verdict.",
      .examples = "# Would this canary notice that 5 % of the requests fail?\n"
                  "kubectl scalableapp rehearse -f app.yaml --errors 5\n\n"
                  "# One that is twice as slow, at 40 requests a second\n"
                  "kubectl scalableapp rehearse -f app.yaml --slowdown 2 --rate 40\n\n"
                  "# A good version, 100 times: how often is it taken for bad?\n"
                  "kubectl scalableapp rehearse -f app.yaml --runs 100\n\n"
                  "# A load spike in the middle of the rollout, second by second\n"
                  "kubectl scalableapp rehearse -f app.yaml --trace spike.csv --runs 1 --series course.csv",
      .usage = "rehearse -f FILENAME [options]",
      .flags = {
          filename_flag(options->filename),
          {"trace", 0, "''", "Trace of the load, as for simulate; default: --rate for 15 minutes.", text(options->trace)},
          {"rate", 0, "100", "Requests a second, where there is no trace.", number("rate", options->rate, 0, 1e6)},
          {"begin", 0, "60", "When the template changes, in seconds of the trace.",
           number("begin", options->rollout.begin_seconds, 0, 1e7)},
          {"runs", 0, "20", "How many runs.", whole("runs", options->runs, 1, 10'000)},
          {"errors", 0, "''", "Percent of the new version's requests that fail; default: as of the present one's.",
           [options = options.get()](const std::string& value) {
             return number("errors", options->error_percent.emplace(), 0, 100)(value);
           }},
          {"stable-errors", 0, "0.1", "Percent of the present version's requests that fail.",
           number("stable-errors", options->stable_error_percent, 0, 100)},
          {"slowdown", 0, "1", "How many times as long a request takes in the new version.",
           number("slowdown", options->rollout.updated.service_factor, 0.01, 100)},
          {"cpu", 0, "1", "How many times as much CPU a request takes in the new version.",
           number("cpu", options->rollout.updated.cpu_factor, 0.01, 100)},
          {"crashes", 0, "false", "Whether the new version crashes when it starts: true or false.",
           toggle("crashes", options->rollout.updated.crashes)},
          {"format", 0, "table", "Output format. One of: table, json.", choice("format", options->format, {"table", "json"})},
          {"series", 0, "''", "Also write the course of the first run to this file, as CSV.", text(options->series)}}};
  for (Flag& flag : workload_flags(options->run)) command.flags.push_back(std::move(flag));
  return {.command = std::move(command),
          .check = [options] { return check_filename(options->filename); },
          .execute = [options] { return rehearse(*options); }};
}

}  // namespace scalableapp::plugin
