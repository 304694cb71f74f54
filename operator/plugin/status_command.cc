// kubectl scalableapp status
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "operator/plugin/status_watch.h"
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string name;
  ClusterOptions cluster;
  std::string output = "table";
  Watch watch;
  std::optional<double> timeout_seconds;
};

// A terminal shows the newest picture in place of the one before, anything else one below the other.
void show(const std::string& text) {
  const std::string frame = isatty(STDOUT_FILENO) != 0 ? "\x1b[H\x1b[2J" + text : text + "\n";
  std::fwrite(frame.data(), 1, frame.size(), stdout);
  std::fflush(stdout);
}

void say(const std::string& line) {
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
}

Result<Printed> execute(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (!cluster) return tl::unexpected(cluster.error());
  const api::ObjectKey app{(*cluster)->namespace_name, options.name};
  kube::Client& client = *(*cluster)->client;
  if (options.watch.draws || options.watch.waits) {
    const auto done = watch(client, (*cluster)->clock, app, options.watch, options.watch.draws ? show : say);
    return done ? Result<Printed>(Printed{}) : tl::unexpected(done.error());
  }
  auto picture = fetch_view(client, app);
  if (!picture) return tl::unexpected(picture.error());
  return Printed{.out = options.output == "json" ? status_json(picture->view)
                                                 : status_tree(picture->view, (*cluster)->clock.wall_now()),
                 .warnings = std::move(picture->warnings)};
}

}  // namespace

Runnable status_command() {
  auto options = std::make_shared<Options>();
  Runnable runnable{
      .command = {.name = "status",
                  .summary = "Show where the rollout of an app is, with its revisions and pods.",
                  .description = "And what the analysis has measured, the last scaling decision, and what can be done\n"
                                 "now. For why it has its size: explain. Who may not list ReplicaSets or pods is\n"
                                 "shown the rest.",
                  .examples = "# Where is web?\n"
                              "kubectl scalableapp status web\n\n"
                              "# And follow it until Ctrl-C\n"
                              "kubectl scalableapp status web --watch\n\n"
                              "# In CI: succeeds once the rollout is complete, fails if it fails\n"
                              "kubectl scalableapp status web --wait --timeout 10m",
                  .usage = "status NAME [options]",
                  .flags = cluster_flags(options->cluster)},
      .check = [options]() -> Result<void> {
        const bool stays = options->watch.draws || options->watch.waits;
        if (stays && options->output == "json") {
          return fail(ErrorCode::kInvalid, "--output=json: not with --watch or --wait");
        }
        if (options->timeout_seconds && !options->watch.waits) {
          return fail(ErrorCode::kInvalid, "--timeout: only with --wait");
        }
        if (options->timeout_seconds.value_or(0) > 0) {
          options->watch.timeout = milliseconds(static_cast<std::int64_t>(*options->timeout_seconds * 1000));
        }
        return {};
      },
      .execute = [options] { return execute(*options); }};
  auto& flags = runnable.command.flags;
  flags.push_back({"output", 'o', "table", "Output format. One of: table, json.",
                   choice("output", options->output, {"table", "json"})});
  flags.push_back({"watch", 'w', "false", "Show it again whenever it changes.",
                   toggle("watch", options->watch.draws), "true"});
  flags.push_back({"wait", 0, "false",
                   "End when the rollout is complete (exit code 0), or has failed (1); prints a line for each change.",
                   toggle("wait", options->watch.waits), "true"});
  flags.push_back({"timeout", 0, "0s", "With --wait: fail after so long; 0: wait for as long as it takes.",
                   duration("timeout", options->timeout_seconds, 0, 604'800)});
  take_name(runnable, options->name);
  return runnable;
}

}  // namespace scalableapp::plugin
