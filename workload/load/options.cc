#include "workload/load/options.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace scalableapp::workload {
namespace {

tl::unexpected<Error> bad(std::string_view name, const std::string& why) {
  return fail(ErrorCode::kInvalid, fmt::format("{}: {}", name, why));
}

// `prefix` makes names as the user wrote them: "--" on the command line, nothing in JSON.
Result<RunSpec> make_spec(const LoadOptions& options, const std::string& csv,
                          std::string_view prefix) {
  RunSpec spec;
  spec.profile_text = !csv.empty() ? "csv"
                      : !options.profile.empty()
                          ? options.profile
                          : fmt::format("{}:{}", options.rate, format_duration(options.duration));
  auto profile = csv.empty() ? parse_profile(spec.profile_text) : parse_profile_csv(csv);
  if (!profile) return bad(fmt::format("{}profile", prefix), profile.error().message);
  spec.profile = std::move(*profile);
  auto mix = parse_mix(options.mix);
  if (!mix) return bad(fmt::format("{}mix", prefix), mix.error().message);
  spec.mix = std::move(*mix);
  spec.mix_text = options.mix;
  if (options.arrivals != "constant" && options.arrivals != "poisson") {
    return bad(fmt::format("{}arrivals", prefix), "must be constant or poisson");
  }
  spec.arrivals = options.arrivals == "poisson" ? Arrivals::kPoisson : Arrivals::kConstant;
  spec.seed = static_cast<std::uint64_t>(options.seed);
  return spec;
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
      "sine(MEAN,AMPLITUDE,PERIOD):120s; or a file NAME.csv of seconds,requests_per_second.");
  flags.text(options.mix, "mix",
             "Requests by weight: /PATH=WEIGHT or /PATH:POST=WEIGHT, comma-separated.");
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
               "Port of /metrics, /stats, /timeline and /report; 0: any.", 0, 65535);
  flags.text(options.report, "report", "File for the JSON report; -: standard output.");
  flags.boolean(options.quiet, "quiet", "No line each second on standard error.");
  return flags;
}

Result<GeneratorOptions> generator_options(const LoadOptions& options) {
  GeneratorOptions generator{.target = {},
                             .timeout = options.timeout,
                             .connection_lifetime = options.connection_lifetime,
                             .max_connections = options.max_connections,
                             .users = options.users};
  std::string rest = options.target;
  const std::string want = "--target=" + options.target;
  if (!rest.starts_with("http://")) return bad(want, "must be http://HOST[:PORT]");
  rest.erase(0, 7);
  if (rest.ends_with('/')) rest.pop_back();
  if (rest.find(':') == std::string::npos) rest += ":80";
  const auto parsed = parse_host_port(rest, "target");
  if (!parsed) return bad(want, "must be http://HOST[:PORT], without a path");
  generator.target = *parsed;
  return generator;
}

Result<RunSpec> run_spec(const LoadOptions& options) {
  std::string csv;
  if (options.profile.ends_with(".csv")) {
    std::ifstream file(options.profile);
    if (!file) return bad("--profile", fmt::format("cannot read {}", options.profile));
    csv.assign(std::istreambuf_iterator<char>(file), {});
    if (csv.empty()) return bad("--profile", fmt::format("{} is empty", options.profile));
  }
  return make_spec(options, csv, "--");
}

Result<RunSpec> run_spec_from_json(const std::string& body, const LoadOptions& initial) {
  LoadOptions options = initial;
  options.profile.clear();
  std::string csv;
  const auto parsed = nlohmann::json::parse(body.empty() ? "{}" : body, nullptr, false);
  if (!parsed.is_object()) return bad("body", "must be a JSON object");
  for (const auto& [name, value] : parsed.items()) {
    const auto text = value.is_string() ? value.get<std::string>() : std::string();
    if (name == "profile" || name == "mix" || name == "arrivals" || name == "csv") {
      if (!value.is_string()) return bad(name, "must be a string");
      (name == "profile" ? options.profile
       : name == "mix"   ? options.mix
       : name == "csv"   ? csv
                         : options.arrivals) = text;
    } else if (name == "rate") {
      if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > kMaxRate) {
        return bad(name, fmt::format("must be a number from 0 to {}", kMaxRate));
      }
      options.rate = value.get<double>();
    } else if (name == "duration") {
      const auto duration = parse_duration(text);
      if (!duration || duration->count() <= 0 || *duration > kMaxDuration) {
        return bad(name, "must be a duration up to 1h, such as \"90s\"");
      }
      options.duration = *duration;
    } else if (name == "seed") {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 2'000'000'000) {
        return bad(name, "must be a whole number from 0 to 2000000000");
      }
      options.seed = value.get<int>();
    } else {
      return bad(name, "is not known; use profile, csv, rate, duration, mix, arrivals, seed");
    }
  }
  return make_spec(options, csv, "");
}

}  // namespace scalableapp::workload
