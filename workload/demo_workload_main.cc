// demo-workload: subcommand, signals and exit code. 0: done; 1: could not run; 2: wrong flags.

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "operator/platform/log.h"
#include "workload/apps/handlers.h"
#include "workload/common/stop.h"
#include "workload/database/schema.h"
#include "workload/jobs/audit.h"
#include "workload/edge/exporter.h"
#include "workload/load/load.h"
#include "workload/region/replicator.h"
#include "workload/service/service.h"
#include "workload/worker/worker.h"

namespace scalableapp::workload {
namespace {

constexpr const char* kHelp =
    R"(The demo's workload: an HTTP service, a queue worker and a load generator.

Commands:
  service     Serve HTTP: a cheap and a CPU-heavy route, sessions and jobs in Redis
  worker      Work off the jobs in Redis
  load        Offer load to an HTTP server in an open loop and report what came of it
  audit       Say, job by job, whether a chain of queues has lost or doubled one
  replicator  Bring other regions' changes into this one
  edge-exporter
              Count what nginx tells of its requests
  evacuate    Tell a region to take no traffic
  migrate     Put the tables onto the database's primaries, and rows to begin with

Usage:
  demo-workload COMMAND [flags]

Use "demo-workload COMMAND --help" for a command's flags, "demo-workload --version" for the version.
)";

// The first SIGTERM or SIGINT asks to stop, the second ends the process. All threads inherit the
// mask.
std::stop_token stop_on_signals() {
  static std::stop_source stop;
  static sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([] {
    int signal = 0;
    sigwait(&signals, &signal);
    stop.request_stop();
    sigwait(&signals, &signal);
    _exit(128 + signal);
  }).detach();
  return stop.get_token();
}

Result<void> run_service(const ServiceOptions& options, const std::stop_token& stop) {
  auto service = Service::start(options);
  if (!service) return tl::unexpected(service.error());
  wait_until_stopped(stop);
  (*service)->drain({});
  return {};
}

int run(const std::string& command, const std::string& what, const FlagSet& flags,
        const std::vector<std::string>& arguments,
        const std::function<Result<void>(const std::stop_token&)>& body) {
  const auto parsed = flags.parse(arguments);
  if (!parsed) {
    fmt::print(stderr, "demo-workload {}: {}\n", command, parsed.error().message);
    return 2;
  }
  if (!*parsed) {
    fmt::print("{}\n\nOptions:\n{}Usage:\n  demo-workload {} [flags]\n", what, flags.help(),
               command);
    return 0;
  }
  const auto done = body(stop_on_signals());
  if (done) return 0;
  fmt::print(stderr, "demo-workload {}: {}\n", command, done.error().message);
  return done.error().code == ErrorCode::kInvalid ? 2 : 1;
}

int main_of(const std::vector<std::string>& arguments) {
  // Two arenas are plenty for a handful of threads; glibc's default of eight a core keeps freed
  // memory.
  mallopt(M_ARENA_MAX, 2);
  signal(SIGPIPE, SIG_IGN);  // A broken connection is an error of its write, not of the process.
  const std::string command = arguments.empty() ? "--help" : arguments[0];
  if (command == "--help" || command == "-h" || command == "help") {
    fmt::print("{}", kHelp);
    return arguments.empty() ? 2 : 0;
  }
  if (command == "--version" || command == "version") {
    fmt::print("demo-workload {}\n", SCALABLEAPP_VERSION);
    return 0;
  }
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (command == "service") {
    ServiceOptions options;
    return run(command, "Serves HTTP: a cheap and a CPU-heavy route, sessions and jobs in Redis.",
               service_flags(options), rest,
               [&](const std::stop_token& stop) { return run_service(options, stop); });
  }
  if (command == "worker") {
    WorkerOptions options;
    return run(command, "Works off the jobs in Redis; none is lost when it stops or dies.",
               worker_flags(options), rest,
               [&](const std::stop_token& stop) { return run_worker(options, story_handlers, stop); });
  }
  if (command == "load") {
    LoadOptions options;
    return run(command,
               "Offers load to an HTTP server in an open loop and reports what came of it.",
               load_flags(options), rest,
               [&](const std::stop_token& stop) { return run_load(options, stop); });
  }
  if (command == "audit") {
    AuditOptions options;
    return run(command,
               "Compares what was put into queues with what became of it, job by job; 1 if one is lost or doubled.",
               audit_flags(options), rest, [&](const std::stop_token&) { return run_audit(options); });
  }
  if (command == "replicator") {
    ReplicatorOptions options;
    return run(command, "Brings other regions' changes into this one; none is missed, none counts twice.",
               replicator_flags(options), rest,
               [&](const std::stop_token& stop) { return run_replicator(options, stop); });
  }
  if (command == "edge-exporter") {
    EdgeExporterOptions options;
    return run(command, "Counts what nginx, in the same pod, tells of each request.", edge_exporter_flags(options),
               rest, [&](const std::stop_token& stop) { return run_edge_exporter(options, stop); });
  }
  if (command == "evacuate") {
    EvacuationOptions options;
    return run(command, "Tells a region to take no traffic, until it is told to take it again.",
               evacuation_flags(options), rest,
               [&](const std::stop_token&) { return run_evacuation(options); });
  }
  if (command == "migrate") {
    MigrateOptions options;
    return run(command, "Puts the tables onto the database's primaries, and rows to begin with.",
               migrate_flags(options), rest,
               [&](const std::stop_token& stop) { return run_migrate(options, stop); });
  }
  fmt::print(stderr, "demo-workload: {}: no such command; --help lists them\n", command);
  return 2;
}

}  // namespace
}  // namespace scalableapp::workload

int main(int argc, char** argv) {
  return scalableapp::workload::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
