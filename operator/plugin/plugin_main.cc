// kubectl-scalableapp: arguments and the exit code; everything else is commands.h.

#include <cstdio>
#include <string>
#include <vector>

#include "operator/platform/log.h"
#include "operator/plugin/commands.h"

int main(int argc, char** argv) {
  using namespace scalableapp;
  configure_log(LogLevel::kError, LogFormat::kText);
  const plugin::Ran ran = plugin::run(std::vector<std::string>(argv + 1, argv + argc));
  std::fwrite(ran.out.data(), 1, ran.out.size(), stdout);
  std::fwrite(ran.err.data(), 1, ran.err.size(), stderr);
  // A full disk or a closed pipe must not look like success.
  if (std::fflush(stdout) != 0 && ran.exit_code == 0) return 1;
  return ran.exit_code;
}
