// kubectl scalableapp scale
#include <cmath>

#include "operator/plugin/steering.h"

namespace scalableapp::plugin {
namespace {

constexpr double kDay = 86'400;

struct Options : SteeringOptions {
  std::optional<int> count;
  std::optional<double> hold_seconds;
  bool release = false;
};

Result<Edit> edit(const Options& options, const api::ScalableApp& app, WallTime now) {
  if (options.release) return release(app);
  const double length = options.hold_seconds.value_or(3600);
  if (length == 0) return hold(app, *options.count, std::nullopt);
  return hold(app, *options.count, now + milliseconds(std::llround(length * 1000)));
}

}  // namespace

Runnable scale_command() {
  auto options = std::make_shared<Options>();
  Runnable runnable = steering_command(
      {.name = "scale",
       .summary = "Hold an app at a count of replicas for a while.",
       .description = "What the metrics ask for is reported meanwhile, and not followed. Sets\n"
                      "spec.replicas.override and spec.replicas.overrideUntil.",
       .examples = "# Eight replicas for the next hour, whatever the metrics say\n"
                   "kubectl scalableapp scale web --hold 8\n\n"
                   "# Until released\n"
                   "kubectl scalableapp scale web --hold 8 --for 0\n\n"
                   "# Back to the metrics\n"
                   "kubectl scalableapp scale web --release",
       .usage = "scale NAME (--hold=COUNT [--for=1h] | --release) [options]",
       .flags = {{"hold", 0, "0", "How many replicas, from spec.replicas.min to spec.replicas.max.",
                  whole("hold", options->count, 1, 100'000)},
                 {"for", 0, "1h", "How long; 0: until released.",
                  duration("for", options->hold_seconds, 0, 365 * kDay)},
                 {"release", 0, "false", "Scale by the metrics again.", toggle("release", options->release), "true"}}},
      options,
      [raw = options.get()](kube::Client&, const api::ScalableApp& app, WallTime now) { return edit(*raw, app, now); });
  runnable.check = [options, named = std::move(runnable.check)]() -> Result<void> {
    if (auto checked = named(); !checked) return checked;
    if (options->count.has_value() == options->release) {
      return fail(ErrorCode::kInvalid, "exactly one of --hold=COUNT and --release must be given");
    }
    if (options->release && options->hold_seconds) return fail(ErrorCode::kInvalid, "--for: only with --hold");
    return {};
  };
  return runnable;
}

}  // namespace scalableapp::plugin
