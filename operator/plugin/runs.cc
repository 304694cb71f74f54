#include "operator/plugin/runs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <thread>

#include "operator/platform/time_zone.h"
#include "operator/plugin/files.h"
#include "operator/plugin/manifest.h"
#include "operator/plugin/plot.h"
#include "operator/scaling/schedule.h"
#include "operator/simulation/advisor.h"

namespace scalableapp::plugin {
namespace {

std::string duration_text(double seconds_count) {
  return format_duration(milliseconds(std::llround(seconds_count * 1000)));
}

simulation::Policy policy_of(const std::string& name) {
  if (name == "hpa") return simulation::Policy::kHpa;
  if (name == "keda") return simulation::Policy::kKeda;
  if (name == "kpa") return simulation::Policy::kKpa;
  return simulation::Policy::kScalableApp;
}

Result<simulation::PolicyResult> play_policy(const api::ScalableApp& app,
                                             const simulation::Trace& trace,
                                             const RunOptions& options, simulation::Policy policy) {
  simulation::Options run;
  run.initial_replicas = options.initial_replicas;
  if (options.start) run.start = *options.start;
  TimeZoneCache zones;
  run.advisor = simulation::make_advisor(
      app.spec, [&zones](const std::vector<std::string>& names, WallTime now) {
        return zones.find(names, now);
      });
  return simulation::simulate(app, trace, options.workload, policy, run);
}

}  // namespace

std::vector<Flag> workload_flags(RunOptions& options) {
  simulation::Workload& workload = options.workload;
  return {
      {"seed", 0, fmt::format("{}", workload.seed),
       "Seed of arrivals, service times and start-up times. The same one gives the same bytes.",
       seed("seed", workload.seed)},
      {"service-time", 0, duration_text(workload.service_seconds),
       "Mean time that a request (or a job) takes once it is its turn.",
       duration("service-time", workload.service_seconds, 0.001, 3600)},
      {"service-cv", 0, fmt::format("{}", workload.service_cv),
       "Standard deviation of that time over its mean; 0: always the same.",
       number("service-cv", workload.service_cv, 0, 10)},
      {"concurrency", 0, fmt::format("{}", workload.concurrency),
       "How many requests (or jobs) a pod serves at a time; more wait in it.",
       whole("concurrency", workload.concurrency, 1, 10'000)},
      {"queue-limit", 0, fmt::format("{}", workload.queue_limit),
       "How many requests may wait in a pod before it refuses more; 0: any number.",
       whole("queue-limit", workload.queue_limit, 0, 10'000'000)},
      {"cpu-per-request", 0, duration_text(workload.cpu_seconds_per_request),
       "CPU time of a request (or a job).",
       duration("cpu-per-request", workload.cpu_seconds_per_request, 0, 3600)},
      {"startup", 0, duration_text(workload.startup_seconds),
       "Time from a pod's creation until its containers are ready.",
       duration("startup", workload.startup_seconds, 0, 3600)},
      {"warmup", 0, duration_text(workload.warmup_seconds),
       "Time from then until the pod is ready, beside spec.readiness.minWarmSeconds.",
       duration("warmup", workload.warmup_seconds, 0, 3600)},
      {"scrape-interval", 0, duration_text(workload.scrape_seconds),
       "How often Prometheus looks at a pod.",
       duration("scrape-interval", workload.scrape_seconds, 0.1, 300)},
      {"initial-replicas", 0, "0",
       "Replicas that are ready at the start; 0: what fits the first row of the trace at 60 % use.",
       whole("initial-replicas", options.initial_replicas, 0, 100'000)},
  };
}

Flag against_flag(RunOptions& options) {
  return {"against", 0, "[]",
          "Policies to compare with on the same load, separated by commas: hpa, keda, kpa, or all. "
          "They "
          "are models of HPA, KEDA and Knative's KPA; their settings are shown with the result.",
          choices("against", options.against, {"hpa", "keda", "kpa"})};
}

Flag filename_flag(std::string& filename) {
  return {"filename", 'f', "''",
          "Manifest with the ScalableApp, YAML or JSON; - for standard input. Required.", text(filename)};
}

Result<void> check_filename(const std::string& filename) {
  if (!filename.empty()) return {};
  return fail(ErrorCode::kInvalid, "-f, --filename: must be set: the ScalableApp's manifest");
}

Flag traces_flag(std::vector<std::string>& traces) {
  return {"trace", 0, "[]", "Trace to play; may be given several times. Required.", each(traces)};
}

Result<void> check_traces(const std::vector<std::string>& traces) {
  if (!traces.empty()) return {};
  return fail(ErrorCode::kInvalid, "--trace: must be set: a CSV of the load over time");
}

std::vector<Flag> output_flags(OutputOptions& options) {
  return {
      {"format", 0, "table", "Output format. One of: table, json, csv.",
       choice("format", options.format, {"table", "json", "csv"})},
      {"plot", 0, "''", "Also draw the result to this file, which ends in .svg, .png or .html.",
       [&options](const std::string& value) -> Result<void> {
         options.plot = value;
         const auto format = picture_format_of(value);
         return format ? Result<void>() : tl::unexpected(format.error());
       }},
      {"series", 0, "''", "Also write the course of each run to this file, as CSV.", text(options.series)},
  };
}

Result<Manifest> load_manifest(const std::string& path) {
  auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  auto app = read_manifest(*text, path);
  if (!app) return tl::unexpected(app.error());
  std::string problems;
  TimeZoneCache zones;
  const auto found = zones.find(scaling::time_zone_names(app->spec.schedules), simulation::Options().start);
  for (const std::string& problem : scaling::schedule_problems(app->spec.schedules, found)) {
    problems += fmt::format("{}{}: {}", problems.empty() ? "" : "\n", path, problem);
  }
  if (!problems.empty()) return fail(ErrorCode::kInvalid, problems);
  return Manifest{std::move(*text), std::move(*app)};
}

Result<std::vector<simulation::Trace>> load_traces(const std::vector<std::string>& paths,
                                                   const api::ScalableAppSpec& spec) {
  std::vector<simulation::Trace> traces;
  for (const std::string& path : paths) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    auto trace = simulation::parse_trace(path, *text);
    if (!trace) return tl::unexpected(trace.error());
    if (auto checked = simulation::check_columns(*trace, spec); !checked) {
      return tl::unexpected(checked.error());
    }
    traces.push_back(std::move(*trace));
  }
  return traces;
}

Result<simulation::PolicyResult> play(const api::ScalableApp& app, const simulation::Trace& trace,
                                      const RunOptions& options) {
  return play_policy(app, trace, options, simulation::Policy::kScalableApp);
}

Result<std::vector<TraceReport>> play_all(const api::ScalableApp& app,
                                          const std::vector<simulation::Trace>& traces,
                                          const RunOptions& options) {
  std::vector<std::string> policies{"scalableapp"};
  policies.insert(policies.end(), options.against.begin(), options.against.end());
  std::vector<std::optional<Result<simulation::PolicyResult>>> results(traces.size() *
                                                                       policies.size());
  side_by_side(results.size(), [&](std::size_t i) {
    results[i] = play_policy(app, traces[i / policies.size()], options,
                             policy_of(policies[i % policies.size()]));
  });
  std::vector<TraceReport> reports;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Result<simulation::PolicyResult>& result = *results[i];
    if (!result) return tl::unexpected(result.error());
    if (i % policies.size() == 0) {
      reports.push_back({.trace = traces[i / policies.size()].name});
    }
    reports.back().policies.push_back(std::move(*result));
  }
  return reports;
}

Result<Printed> present(const std::vector<TraceReport>& reports, const OutputOptions& output) {
  Printed printed;
  const std::string table = report_table(reports);
  if (!output.plot.empty()) {
    const auto format = picture_format_of(output.plot);
    if (!format) return tl::unexpected(format.error());
    const auto bytes = plot_runs(reports, *format, table);
    if (!bytes) return tl::unexpected(bytes.error());
    if (auto written = write_file(output.plot, *bytes); !written) {
      return tl::unexpected(written.error());
    }
  }
  if (!output.series.empty()) {
    if (auto written = write_file(output.series, series_csv(reports)); !written) {
      return tl::unexpected(written.error());
    }
  }
  printed.out = output.format == "json"  ? report_json(reports)
                : output.format == "csv" ? report_csv(reports)
                                         : table;
  return printed;
}

void side_by_side(std::size_t count, const std::function<void(std::size_t index)>& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(cores, count); ++i) others.emplace_back(run);
  run();
}

}  // namespace scalableapp::plugin
