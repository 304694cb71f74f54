// kubectl scalableapp backtest
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>

#include "operator/kube/cpprest_transport.h"
#include "operator/platform/clock.h"
#include "operator/plugin/backtest.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/runs.h"

namespace scalableapp::plugin {
namespace {

constexpr double kDay = 86'400;
// More points than half a year of every minute are a mistake, and take Prometheus' memory.
constexpr double kMostPoints = 300'000;
// Prometheus gives up after 2 min by itself.
constexpr milliseconds kRequestTimeout{120'000};

struct Options {
  std::string filename;
  std::string prometheus;
  std::string end;
  std::string namespace_name;
  std::optional<double> range;
  double step = 30;
  RecordingOptions recording;
  RunOptions run;
  OutputOptions output;
};

Result<void> check(Options& options) {
  if (auto set = check_filename(options.filename); !set) return set;
  if (options.prometheus.empty()) {
    return fail(
        ErrorCode::kInvalid,
        "--prometheus: must be set: the base URL of a Prometheus, e.g. http://127.0.0.1:9090");
  }
  if (!options.range) return fail(ErrorCode::kInvalid, "--range: must be set, e.g. 7d");
  if (options.step != std::round(options.step)) {
    return fail(ErrorCode::kInvalid, "--step: must be whole seconds");
  }
  if (options.step > *options.range) {
    return fail(ErrorCode::kInvalid, "--step: must not be longer than --range");
  }
  if (*options.range / options.step > kMostPoints) {
    return fail(ErrorCode::kInvalid,
                fmt::format("--step: must be at least {:.0f}s for so long a --range",
                            std::ceil(*options.range / kMostPoints)));
  }
  options.recording.range = seconds(std::llround(*options.range));
  options.recording.step = seconds(std::llround(options.step));
  return {};
}

Result<Printed> execute(const Options& options) {
  auto manifest = load_manifest(options.filename);
  if (!manifest) return tl::unexpected(manifest.error());
  if (!options.namespace_name.empty())
    manifest->app.metadata.namespace_name = options.namespace_name;
  const SystemClock clock;
  RecordingOptions recording_options = options.recording;
  recording_options.end = clock.wall_now();
  if (!options.end.empty()) recording_options.end = *parse_rfc3339(options.end);
  const auto transport = kube::make_cpprest_transport(
      {.base_url = options.prometheus, .request_timeout = kRequestTimeout}, clock);
  if (!transport) return tl::unexpected(transport.error());
  auto recording =
      read_recording(**transport, manifest->app, options.run.workload, recording_options);
  if (!recording) {
    return fail(recording.error().code,
                fmt::format("{}: {}", options.prometheus, recording.error().message));
  }
  RunOptions run = options.run;
  run.workload = recording->workload;
  run.start = recording->start;
  auto reports = play_all(manifest->app, {recording->trace}, run);
  if (!reports) return tl::unexpected(reports.error());
  reports->front().notes = std::move(recording->notes);
  return present(*reports, options.output);
}

}  // namespace

Runnable backtest_command() {
  auto options = std::make_shared<Options>();
  Command command{
      .name = "backtest",
      .summary = "Play the app's own recorded load: what would this policy have done to last week?",
      .description =
          "Reads the app's metrics from Prometheus, makes a trace and a workload of them, and "
          "plays it as\n"
          "simulate does. The load is the rate of http_request_duration_seconds, or for a queue "
          "the jobs\n"
          "done and the growth of the queue, or --load-query. The service time is the mean latency "
          "in the\n"
          "quietest tenth of the time. What Prometheus cannot know comes from the flags; the "
          "output says\n"
          "what was measured and what was assumed.",
      .examples =
          "# Last week, beside HPA\n"
          "kubectl scalableapp backtest -f app.yaml --prometheus http://127.0.0.1:9090 --range 7d "
          "\\\n"
          "  --against hpa\n\n"
          "# One evening, as a picture\n"
          "kubectl scalableapp backtest -f app.yaml --prometheus http://127.0.0.1:9090 --range 4h "
          "\\\n"
          "  --end 2026-01-31T22:00:00Z --step 10s --plot evening.svg\n\n"
          "# With the manifest as the cluster has it, which knows how long pods take to start\n"
          "kubectl get scalableapp web -o yaml | kubectl scalableapp backtest -f - \\\n"
          "  --prometheus http://127.0.0.1:9090 --range 1d",
      .usage = "backtest -f FILENAME --prometheus URL --range DURATION [options]",
      .flags = {
          filename_flag(options->filename),
          {"namespace", 'n', "''",
           "Namespace of the app; default: the manifest's, else \"default\".",
           text(options->namespace_name)},
          {"prometheus", 0, "''", "Base URL of the Prometheus, http://HOST:PORT. Required.",
           [options = options.get()](const std::string& value) -> Result<void> {
             if (!value.starts_with("http://") && !value.starts_with("https://")) {
               return fail(
                   ErrorCode::kInvalid,
                   fmt::format("--prometheus={}: must start with http:// or https://", value));
             }
             options->prometheus = value;
             return {};
           }},
          {"range", 0, "''", "How far to look back: 7d, 36h, 90m. Required.",
           duration("range", options->range, 60, 400 * kDay)},
          {"step", 0, "30s", "Distance of the points to read.",
           duration("step", options->step, 1, kDay)},
          {"end", 0, "''", "Where the range ends, RFC 3339; default: now.",
           [options = options.get()](const std::string& value) -> Result<void> {
             if (!parse_rfc3339(value)) {
               return fail(
                   ErrorCode::kInvalid,
                   fmt::format("--end={}: must be a time such as 2026-01-31T22:00:00Z", value));
             }
             options->end = value;
             return {};
           }},
          {"load-query", 0, "''",
           "PromQL of the load, per second, as one series; $(namespace), $(name) and $(pods) are "
           "replaced.",
           text(options->recording.load_query)},
          against_flag(options->run)}};
  for (Flag& flag : workload_flags(options->run)) {
    flag.set = [options = options.get(), name = flag.name,
                set = std::move(flag.set)](const std::string& value) {
      options->recording.given.insert(name);
      return set(value);
    };
    command.flags.push_back(std::move(flag));
  }
  for (Flag& flag : output_flags(options->output)) command.flags.push_back(std::move(flag));
  return {.command = std::move(command),
          .check = [options] { return check(*options); },
          .execute = [options] { return execute(*options); }};
}

}  // namespace scalableapp::plugin
