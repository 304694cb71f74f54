#include "workload/load/options.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

namespace scalableapp::workload {
namespace {

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) return fail(ErrorCode::kInvalid, fmt::format("cannot read {}", path));
  if (text.empty()) return fail(ErrorCode::kInvalid, fmt::format("{} is empty", path));
  return text;
}

PlanDefaults defaults_of(const LoadOptions& options) {
  return {.target = options.target,
          .profile = options.profile,
          .rate = options.rate,
          .duration = format_duration(options.duration),
          .mix = options.mix,
          .arrivals = options.arrivals,
          .slo = options.slo,
          .trace_scale = options.trace_scale,
          .trace_speed = options.trace_speed,
          .seed = options.seed,
          .users = options.users};
}

}  // namespace

FlagSet load_flags(LoadOptions& options) {
  FlagSet flags;
  flags.text(options.target, "target", "URL of the server to load, http://HOST[:PORT].");
  flags.number(options.rate, "rate", "Requests per second.", 0, kMaxRate);
  flags.duration(options.duration, "duration", "How long, at that rate.", milliseconds(1),
                 kMaxDuration);
  flags.text(
      options.profile, "profile",
      "Instead of --rate and --duration: steps 40:30s,400:90s; ramp 40-400:30s; "
      "sine(MEAN,AMPLITUDE,PERIOD):120s; or a trace NAME.csv of seconds,requests_per_second.");
  flags.number(options.trace_scale, "trace-scale", "A trace's rates are multiplied by this.", 1e-6,
               1e6);
  flags.number(options.trace_speed, "trace-speed", "A trace is played this much faster.", 1e-3, 1e6);
  flags.text(options.mix, "mix",
             "Requests by weight: /PATH=WEIGHT or /PATH:METHOD=WEIGHT, comma-separated; a path may "
             "hold {user}, {id}, {uniform:N}, {zipf:N} and {between:A:B}.");
  flags.text(options.plan, "plan",
             "File of a plan in YAML: streams, requests with bodies, targets (docs/load.md).");
  flags.text(options.slo, "slo",
             "Latency target, such as 250ms: seconds in which over 1 % miss it are counted.");
  flags.choice(options.arrivals, "arrivals", "constant (evenly spaced) or poisson.",
               {"constant", "poisson"});
  flags.number(options.seed, "seed", "The same seed gives the same schedule.", 0, 2'000'000'000);
  flags.duration(options.timeout, "timeout", "A request without its answer after this has failed.",
                 milliseconds(1), seconds(120));
  flags.number(options.max_connections, "max-connections", "Connections at once.", 1, 20'000);
  flags.duration(options.connection_lifetime, "connection-lifetime",
                 "A connection is used for this long, up to half more by chance.", milliseconds(1),
                 seconds(3600));
  flags.number(options.users, "users", "Users, each with a cookie of its own.", 1, 1'000'000);
  flags.boolean(options.serve, "serve",
                "Stay idle and take POST /start and POST /stop on the admin port.");
  flags.text(options.address, "address", "Address of the admin port.");
  flags.number(options.admin_port, "admin-port",
               "Port of /metrics, /stats, /timeline, /report and /accepted; 0: any.", 0, 65535);
  flags.text(options.report, "report", "File for the JSON report; -: standard output.");
  flags.text(options.html, "html", "File for the report as a page of HTML.");
  flags.boolean(options.calibrate, "calibrate",
                "Only find out at which rate this generator itself becomes late, on loopback.");
  flags.boolean(options.quiet, "quiet", "No line each second on standard error.");
  return flags;
}

GeneratorOptions generator_options(const LoadOptions& options) {
  return {.timeout = options.timeout,
          .connection_lifetime = options.connection_lifetime,
          .max_connections = options.max_connections};
}

Result<RunSpec> run_spec(const LoadOptions& options) {
  std::string plan;
  if (!options.plan.empty()) {
    auto read = read_text(options.plan);
    if (!read) return fail(ErrorCode::kInvalid, "--plan: " + read.error().message);
    plan = std::move(*read);
  }
  auto spec = parse_plan(plan, defaults_of(options), read_text);
  const auto where = options.plan.empty() ? "--" : options.plan + ": ";
  if (!spec) return fail(spec.error().code, where + spec.error().message);
  return spec;
}

Result<RunSpec> run_spec_from_body(const std::string& body, const LoadOptions& initial) {
  return parse_plan(body, defaults_of(initial), nullptr);
}

}  // namespace scalableapp::workload
