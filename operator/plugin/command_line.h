// Flags and help texts of kubectl-scalableapp, written as kubectl writes and reads them. Pure: sets
// the values that the flags point at and touches nothing else. Does not know the commands.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "operator/base/result.h"

namespace scalableapp::plugin {

struct Flag {
  std::string name;           // Without its dashes.
  char letter = 0;            // "-f"; 0: none.
  std::string default_value;  // As the help shows it: '', 40ms, [].
  std::string help;           // One or more sentences.
  std::function<Result<void>(const std::string& value)> set;
  std::string value_alone = {};  // What "--name" without "=" means; empty: it needs a value.
};

struct Command {
  std::string name;
  std::string summary;      // One line for the list of commands, a sentence.
  std::string description;  // Paragraphs under the summary; lines of at most 100 characters.
  std::string examples;     // Lines "# What it does" and "kubectl scalableapp ...".
  std::string usage;        // Behind "kubectl scalableapp ".
  std::vector<Flag> flags;
  std::string argument;  // What the one argument is called ("NAME"); empty: takes none.
  std::function<Result<void>(const std::string& value)> set_argument;
  std::string second_argument = {};  // Of one that takes two.
  std::function<Result<void>(const std::string& value)> set_second_argument = {};
};

// Lines of at most `width` characters where words allow it; `indent` before each but the first.
std::string wrapped(std::string_view words, std::size_t width, std::string_view indent = {});

// The text of `kubectl scalableapp COMMAND --help`.
std::string help_of(const Command& command);

// Reads `--name=value`, `--name value`, `-f value` and `-fvalue`; of a flag that may stand alone `--name` and
// `--name=value`. False: --help was asked for.
// kInvalid names the flag, what it got and what it should be.
Result<bool> parse_flags(const Command& command, std::span<const std::string> arguments);

// Ways to set a value; each fails with "--NAME=VALUE: must be ...".
using Setter = std::function<Result<void>(const std::string& value)>;
Setter text(std::string& target);
Setter text(std::optional<std::string>& target);
Setter each(std::vector<std::string>& target);  // May be given several times.
Setter whole(std::string name, int& target, int low, int high);
Setter whole(std::string name, std::optional<int>& target, int low, int high);
Setter toggle(std::string name, bool& target);  // "true" or "false".
Setter seed(std::string name, std::uint64_t& target);
Setter number(std::string name, double& target, double low, double high);
// Go's duration text: "40ms", "1m30s"; also "7d", which Prometheus' users write. In seconds.
Setter duration(std::string name, double& target, double low_seconds, double high_seconds);
Setter duration(std::string name, std::optional<double>& target, double low_seconds,
                double high_seconds);
Setter choice(std::string name, std::string& target, std::vector<std::string> choices);
// Comma-separated, each one of `choices`, or "all" for all of them; kept in the order of `choices`.
Setter choices(std::string name, std::vector<std::string>& target, std::vector<std::string> all);

}  // namespace scalableapp::plugin
