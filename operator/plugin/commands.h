// kubectl-scalableapp as a function: arguments in, exit code and texts out. Finds the command,
// reads its flags, runs it. Each command is in a file of its own or of its kind, <name>_command.cc. Reads and
// writes the files that flags name; those that watch, steer and explain an app, and backtest, ask servers. One
// thread calls it; it may start others.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "operator/base/result.h"
#include "operator/plugin/command_line.h"

namespace scalableapp::plugin {

struct Ran {
  int exit_code = 0;  // 2: the command line is wrong; 1: what it asked for did not work.
  std::string out;
  std::string err;
};
// `arguments` without the program's name.
Ran run(std::span<const std::string> arguments);

// What a command printed. `warnings` go to stderr, a line each.
struct Printed {
  std::string out;
  std::vector<std::string> warnings = {};
};

// A command with its options inside.
struct Runnable {
  Command command;
  std::function<Result<void>()>
      check;  // What no single flag can tell, such as one that is missing.
  std::function<Result<Printed>()> execute;
};
Runnable status_command();
Runnable history_command();
Runnable promote_command();
Runnable abort_command();
Runnable retry_command();
Runnable pause_command();
Runnable resume_command();
Runnable restart_command();
Runnable undo_command();
Runnable scale_command();
Runnable expect_command();
Runnable simulate_command();
Runnable tune_command();
Runnable backtest_command();
Runnable explain_command();
Runnable decide_command();
Runnable rehearse_command();
Runnable adopt_command();
Runnable release_command();

}  // namespace scalableapp::plugin
