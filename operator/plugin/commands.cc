#include "operator/plugin/commands.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <vector>

namespace scalableapp::plugin {
namespace {

struct Entry {
  const char* heading;
  Runnable (*make)();
};
constexpr const char* kSteer = "Watch and steer";
constexpr const char* kMove = "Move to ScalableApps and back";
constexpr const char* kTry = "Try and explain";
constexpr std::array kCommands{
    Entry{kSteer, status_command}, Entry{kSteer, history_command}, Entry{kSteer, promote_command},
    Entry{kSteer, abort_command},  Entry{kSteer, retry_command},   Entry{kSteer, pause_command},
    Entry{kSteer, resume_command}, Entry{kSteer, restart_command}, Entry{kSteer, undo_command},
    Entry{kSteer, scale_command},  Entry{kSteer, expect_command},  Entry{kMove, adopt_command},
    Entry{kMove, release_command}, Entry{kTry, simulate_command},  Entry{kTry, backtest_command},
    Entry{kTry, tune_command},     Entry{kTry, rehearse_command},  Entry{kTry, explain_command},
    Entry{kTry, decide_command}};

std::string overview() {
  std::string text =
      "Steers the rollouts of ScalableApps, tries their scaling before production and explains it afterwards.\n\n"
      " Works as a kubectl plugin and alone. simulate, backtest, tune, rehearse and decide run the operator's own\n"
      "decision code and need no cluster.\n";
  std::string_view heading;
  for (const Entry& entry : kCommands) {
    if (heading != entry.heading) text += fmt::format("\n{}:\n", entry.heading);
    heading = entry.heading;
    const Command command = entry.make().command;
    text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  }
  text +=
      "\nOther:\n  version    Print the version.\n\n"
      "Usage:\n  kubectl scalableapp [command] [options]\n\n"
      "Use \"kubectl scalableapp [command] --help\" for more information about a given command.\n";
  return text;
}

Ran wrong_usage(const std::string& message, const std::string& command) {
  return {.exit_code = 2,
          .err = fmt::format("error: {}\nSee 'kubectl scalableapp {}--help' for usage.\n", message,
                             command.empty() ? "" : command + " ")};
}

}  // namespace

Ran run(std::span<const std::string> arguments) {
  if (arguments.empty()) return {.out = overview()};
  std::string name = arguments[0];
  auto rest = arguments.subspan(1);
  if (name == "--help" || name == "-h") return {.out = overview()};
  if (name == "help") {
    if (rest.empty()) return {.out = overview()};
    name = rest[0];
    for (const Entry& entry : kCommands) {
      const Command command = entry.make().command;
      if (command.name == name) return {.out = help_of(command)};
    }
  }
  if (name == "version" || name == "--version") {
    if (!rest.empty() && (rest[0] == "--help" || rest[0] == "-h")) {
      return {.out = "Print the version.\n\nUsage:\n  kubectl scalableapp version\n"};
    }
    if (!rest.empty()) return wrong_usage(rest[0] + ": version takes no arguments", "");
    return {.out = "kubectl-scalableapp " SCALABLEAPP_VERSION "\n"};
  }
  std::string names;
  for (const Entry& entry : kCommands) {
    const Runnable runnable = entry.make();
    names += runnable.command.name + ", ";
    if (runnable.command.name != name) continue;
    const auto parsed = parse_flags(runnable.command, rest);
    if (!parsed) return wrong_usage(parsed.error().message, name);
    if (!*parsed) return {.out = help_of(runnable.command)};
    if (const auto checked = runnable.check(); !checked) {
      return wrong_usage(checked.error().message, name);
    }
    const auto printed = runnable.execute();
    if (!printed)
      return {.exit_code = 1, .err = fmt::format("error: {}\n", printed.error().message)};
    Ran ran{.out = printed->out};
    for (const std::string& warning : printed->warnings) ran.err += warning + "\n";
    return ran;
  }
  return wrong_usage(fmt::format("{}: no such command; must be one of {}version", name, names), "");
}

}  // namespace scalableapp::plugin
