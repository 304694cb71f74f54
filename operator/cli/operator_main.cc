// scalableapp-operator: flags, signals and the exit code; everything else is controller/manager, or
// controller/fail_open.

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <unistd.h>

#include <fmt/format.h>

#include "operator/cli/options.h"
#include "operator/controller/fail_open.h"
#include "operator/controller/manager.h"
#include "operator/platform/log.h"

namespace {

std::string default_identity() {
  if (const char* pod = std::getenv("POD_NAME")) return pod;
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  return fmt::format("{}-{}", host, getpid());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace scalableapp;
  // Two arenas are plenty for a handful of threads; glibc's default of eight a core keeps freed memory.
  mallopt(M_ARENA_MAX, 2);

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto parsed = cli::parse_options(arguments, default_identity());
  if (!parsed) {
    fmt::print(stderr, "scalableapp-operator: {}\n", parsed.error().message);
    return 2;
  }
  if (const auto* print = std::get_if<cli::PrintAndExit>(&*parsed)) {
    fmt::print("{}", print->text);
    return 0;
  }
  const auto& options = std::get<cli::OperatorOptions>(*parsed);
  configure_log(*parse_log_level(options.log_level), *parse_log_format(options.log_format));

  // Signals are taken by one thread that asks everybody to stop; a second one ends the process.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source stop;
  std::thread waiter([&signals, &stop] {
    int signal = 0;
    sigwait(&signals, &signal);
    log_info("stopping", {{"signal", std::to_string(signal)}});
    stop.request_stop();
    sigwait(&signals, &signal);
    _exit(128 + signal);
  });
  waiter.detach();

  const auto run = options.is_fail_open ? &controller::run_fail_open : &controller::run_manager;
  const auto ran = run(options.manager, stop.get_token());
  if (!ran) {
    log_error("cannot run", {{"error", ran.error().message}});
    return 1;
  }
  return 0;
}
