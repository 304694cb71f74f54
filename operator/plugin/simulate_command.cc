// kubectl scalableapp simulate
#include <memory>

#include "operator/plugin/commands.h"
#include "operator/plugin/runs.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string filename;
  std::vector<std::string> traces;
  RunOptions run;
  OutputOptions output;
};

}  // namespace

Runnable simulate_command() {
  auto options = std::make_shared<Options>();
  Command command{
      .name = "simulate",
      .summary = "Play load traces through a model of the app's pods.",
      .description =
          "Decides with the operator's own code, on a simulated clock: pods start, warm up, queue, "
          "serve\n"
          "and drain. Says in how many seconds the service level was missed, what the replicas "
          "cost and\n"
          "how often their number changed. Needs no cluster.\n\n"
          "A trace is CSV with the header seconds,requests_per_second[,NAME...] and at least one "
          "row; a\n"
          "row holds until the next one, the last for as long as the one before it, one that is "
          "alone for 600 s.\n"
          "A further column is service_factor (multiplies the service time), error_ratio, or the "
          "name of a\n"
          "Prometheus metric of the app, whose value it is.",
      .examples =
          "# What would this policy make of a flash sale?\n"
          "kubectl scalableapp simulate -f app.yaml --trace traces/flash-sale.csv\n\n"
          "# Beside models of HPA, KEDA and Knative's KPA, with a picture\n"
          "kubectl scalableapp simulate -f app.yaml --trace spike.csv --against all --plot "
          "spike.html\n\n"
          "# A service whose requests take 120 ms, two at a time, and whose pods need 20 s to "
          "start\n"
          "kubectl scalableapp simulate -f app.yaml --trace spike.csv --service-time 120ms \\\n"
          "  --concurrency 2 --startup 20s\n\n"
          "# Two traces, for a script\n"
          "kubectl scalableapp simulate -f app.yaml --trace a.csv --trace b.csv --format json",
      .usage = "simulate -f FILENAME --trace FILENAME [options]",
      .flags = {filename_flag(options->filename),
                traces_flag(options->traces),
                against_flag(options->run)}};
  for (Flag& flag : workload_flags(options->run)) command.flags.push_back(std::move(flag));
  for (Flag& flag : output_flags(options->output)) command.flags.push_back(std::move(flag));
  return {.command = std::move(command),
          .check = [options]() -> Result<void> {
            if (auto set = check_filename(options->filename); !set) return set;
            return check_traces(options->traces);
          },
          .execute = [options]() -> Result<Printed> {
            const auto manifest = load_manifest(options->filename);
            if (!manifest) return tl::unexpected(manifest.error());
            const auto traces = load_traces(options->traces, manifest->app.spec);
            if (!traces) return tl::unexpected(traces.error());
            const auto reports = play_all(manifest->app, *traces, options->run);
            if (!reports) return tl::unexpected(reports.error());
            return present(*reports, options->output);
          }};
}

}  // namespace scalableapp::plugin
