#include "operator/cli/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace scalableapp::cli {
namespace {

constexpr const char* kFailOpen = "fail-open";
constexpr std::array kFailOpenFlags{"kubeconfig", "namespace", "lease-name", "lease-namespace",
                                   "http-port",  "log-level", "log-format"};

struct Flag {
  std::string name;
  std::string help;
  std::function<Result<void>(const std::string& value)> set;
};

Result<void> set_int(int& target, const std::string& name, const std::string& value, int low, int high) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < low || number > high) {
    return fail(ErrorCode::kInvalid,
                fmt::format("--{}={}: must be a whole number from {} to {}", name, value, low, high));
  }
  target = number;
  return {};
}

Result<void> set_choice(std::string& target, const std::string& name, const std::string& value,
                        const std::vector<std::string>& choices) {
  for (const auto& choice : choices) {
    if (choice == value) {
      target = value;
      return {};
    }
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("--{}={}: must be one of {}", name, value, fmt::join(choices, ", ")));
}

Result<void> set_flag(bool& target, const char* name, const std::string& value) {
  if (value != "true" && value != "false") {
    return fail(ErrorCode::kInvalid, fmt::format("--{}={}: must be true or false", name, value));
  }
  target = value == "true";
  return {};
}

std::vector<Flag> flags_of(OperatorOptions& options) {
  auto& manager = options.manager;
  const auto text = [](std::string& target) {
    return [&target](const std::string& value) -> Result<void> {
      target = value;
      return {};
    };
  };
  return {
      {"kubeconfig", "Path of a kubeconfig; default: the pod's service account, then $KUBECONFIG.", text(manager.kubeconfig)},
      {"namespace", "Serve ScalableApps of this namespace only; empty (default): of all.", text(manager.watch_namespace)},
      {"prometheus-url", "Base URL of the Prometheus to ask, http://HOST:PORT. Required.",
       [&manager](const std::string& value) -> Result<void> {
         if (!value.starts_with("http://") && !value.starts_with("https://")) {
           return fail(ErrorCode::kInvalid,
                       fmt::format("--prometheus-url={}: must start with http:// or https://", value));
         }
         manager.prometheus_url = value;
         return {};
       }},
      {"leader-elect", "Lead by a Lease (default true); false for a single process.",
       [&manager](const std::string& value) { return set_flag(manager.leader_election, "leader-elect", value); }},
      {"watch-nodes", "Look at nodes, for zones and drains (default true); false without the right to list them.",
       [&manager](const std::string& value) { return set_flag(manager.watch_nodes, "watch-nodes", value); }},
      {"lease-name", "Name of the Lease (default \"scalableapp-operator\"); processes with the same one take turns.", text(manager.lease_name)},
      {"lease-namespace", "Namespace of the Lease (default \"default\").", text(manager.lease_namespace)},
      {"identity", "Name of this process in the Lease; default: $POD_NAME, else host and process id.", text(manager.identity)},
      {"http-port", "Port of /healthz, /readyz, /metrics and /debug/decisions (default 8080; 0: any).",
       [&manager](const std::string& value) { return set_int(manager.http_port, "http-port", value, 0, 65535); }},
      {"workers", "Concurrent reconciles (default 16): enough to keep an API server of two cores busy; more only make its watches late.",
       [&manager](const std::string& value) { return set_int(manager.workers, "workers", value, 1, 32); }},
      {"log-level", "debug, info, warn or error (default info).",
       [&options](const std::string& value) {
         return set_choice(options.log_level, "log-level", value, {"debug", "info", "warn", "error"});
       }},
      {"log-format", "text or json (default text).",
       [&options](const std::string& value) {
         return set_choice(options.log_format, "log-format", value, {"text", "json"});
       }},
  };
}

}  // namespace

Result<std::variant<OperatorOptions, PrintAndExit>> parse_options(std::span<const std::string> arguments,
                                                                  const std::string& pod_name) {
  OperatorOptions options;
  options.manager.identity = pod_name;
  options.is_fail_open = !arguments.empty() && arguments[0] == kFailOpen;
  std::vector<Flag> flags = flags_of(options);
  if (options.is_fail_open) {
    std::erase_if(flags, [](const Flag& flag) { return std::ranges::count(kFailOpenFlags, flag.name) == 0; });
  }
  for (std::size_t at = options.is_fail_open ? 1 : 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (argument == "--help" || argument == "-h") {
      std::string help =
          options.is_fail_open
              ? "Opens the readiness gates of pods that ask for it while no operator leads.\n\n"
                "Usage:\n  scalableapp-operator fail-open [flags]\n\nFlags:\n"
              : "Scales, warms and rolls out ScalableApps.\n\nUsage:\n"
                "  scalableapp-operator --prometheus-url=URL [flags]\n"
                "  scalableapp-operator fail-open [flags]    stands in for it where readiness.failOpenSeconds is set\n\n"
                "Flags:\n";
      for (const Flag& flag : flags) help += fmt::format("  --{:<17} {}\n", flag.name, flag.help);
      help += "  --version           Print the version.\n";
      return PrintAndExit{help};
    }
    if (argument == "--version") return PrintAndExit{"scalableapp-operator " SCALABLEAPP_VERSION "\n"};
    const auto equals = argument.find('=');
    const std::string name = argument.starts_with("--") ? argument.substr(2, equals == std::string::npos ? equals : equals - 2) : "";
    const Flag* known = nullptr;
    for (const Flag& flag : flags) {
      if (flag.name == name) known = &flag;
    }
    if (known == nullptr) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: no such flag; --help lists them", argument));
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (++at < arguments.size()) {
      value = arguments[at];
    } else {
      return fail(ErrorCode::kInvalid, fmt::format("--{}: needs a value", name));
    }
    if (auto set = known->set(value); !set) return tl::unexpected(set.error());
  }
  if (!options.is_fail_open && options.manager.prometheus_url.empty()) {
    return fail(ErrorCode::kInvalid, "--prometheus-url: must be set, e.g. http://prometheus.monitoring.svc:9090");
  }
  return options;
}

}  // namespace scalableapp::cli
