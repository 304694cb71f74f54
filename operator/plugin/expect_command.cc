// kubectl scalableapp expect
#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "operator/plugin/expectation.h"
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {
namespace {

constexpr double kDay = 86'400;

struct Options : SteeringOptions {
  std::string amount;
  double for_seconds = 600;
  bool clear = false;
  bool waits = false;
  std::optional<double> timeout_seconds;
};

milliseconds length_of(double seconds) { return milliseconds(std::llround(seconds * 1000)); }

void say(const std::string& line) {
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
}

Result<Printed> execute(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (!cluster) return tl::unexpected(cluster.error());
  kube::Client& client = *(*cluster)->client;
  const api::ObjectKey app{(*cluster)->namespace_name, options.name};
  const bool dry_run = options.dry_run == "client";
  auto printed = steer(client, (*cluster)->clock, app, dry_run,
                       [&](kube::Client&, const api::ScalableApp& present, WallTime now) {
                         if (options.clear) return clear_expectation(present);
                         return expect(present, options.amount, now + length_of(options.for_seconds));
                       });
  if (!printed || dry_run || !options.waits) return printed;
  std::optional<milliseconds> timeout;
  if (options.timeout_seconds.value_or(0) > 0) timeout = length_of(*options.timeout_seconds);
  say(printed->out.substr(0, printed->out.find('\n')));
  const auto waited = await_expected(client, (*cluster)->clock, app, timeout, say);
  if (!waited) return tl::unexpected(waited.error());
  return Printed{};
}

}  // namespace

Runnable expect_command() {
  auto options = std::make_shared<Options>();
  Runnable runnable = steering_command(
      {.name = "expect",
       .summary = "Scale an app ahead of a load that is about to come.",
       .description = "AMOUNT is a percentage of what the metrics need now, such as 200%, or a count of replicas.\n"
                      "It is a floor: the metrics may ask for more, and spec.replicas.max holds. A percentage is of\n"
                      "the need at the time that it is asked for, so it does not grow as the load arrives. Sets the\n"
                      "annotation scalableapp.io/expect-load.",
       .examples = "# The other region's traffic is about to come here: shift it once this has ended\n"
                   "kubectl scalableapp expect web 200% --for 10m --wait\n\n"
                   "# At least eight replicas for the next hour\n"
                   "kubectl scalableapp expect web 8 --for 1h\n\n"
                   "# It does not come after all\n"
                   "kubectl scalableapp expect web --clear",
       .usage = "expect NAME (AMOUNT [--for=10m] [--wait] | --clear) [options]",
       .flags = {{"for", 0, "10m", "How long the load is expected.",
                  duration("for", options->for_seconds, 1, 30 * kDay)},
                 {"clear", 0, "false", "Expect nothing any more.", toggle("clear", options->clear), "true"},
                 {"wait", 0, "false", "End when so many replicas are ready (exit code 0); print each change.",
                  toggle("wait", options->waits), "true"},
                 {"timeout", 0, "0s", "With --wait: fail after so long; 0: when the time of --for is over.",
                  duration("timeout", options->timeout_seconds, 0, 604'800)}}},
      options, {});
  runnable.command.second_argument = "AMOUNT";
  runnable.command.set_second_argument = text(options->amount);
  runnable.check = [options, named = std::move(runnable.check)]() -> Result<void> {
    if (auto checked = named(); !checked) return checked;
    if (options->amount.empty() != options->clear) {
      return fail(ErrorCode::kInvalid, "exactly one of AMOUNT, such as 200% or 8, and --clear must be given");
    }
    if (options->clear && options->waits) return fail(ErrorCode::kInvalid, "--wait: not with --clear");
    if (options->timeout_seconds && !options->waits) return fail(ErrorCode::kInvalid, "--timeout: only with --wait");
    return options->clear ? Result<void>() : check_amount(options->amount);
  };
  runnable.execute = [options] { return execute(*options); };
  return runnable;
}

}  // namespace scalableapp::plugin
