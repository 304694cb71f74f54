// Command-line flags bound to variables: --name=value or --name value, checked against bounds,
// listed by --help with their defaults. Does not know subcommands. One thread.
//
//   FlagSet flags;
//   flags.number(options.port, "port", "Port of the service; 0: any.", 0, 65535);
//   if (auto parsed = flags.parse(arguments); !parsed) ...  // "--port=x: must be a whole number
//   ..."
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::workload {

class FlagSet {
 public:
  // The variable holds the default and must outlive the set; both bounds are allowed values.
  void number(int& target, std::string name, std::string help, int low, int high);
  void number(double& target, std::string name, std::string help, double low, double high);
  void text(std::string& target, std::string name, std::string help);
  // Letters, digits, '.', '_', ':' and '-' only, at least one.
  void word(std::string& target, std::string name, std::string help);
  void choice(std::string& target, std::string name, std::string help,
              std::vector<std::string> choices);
  void duration(milliseconds& target, std::string name, std::string help, milliseconds low,
                milliseconds high);
  // "--name" alone means true.
  void boolean(bool& target, std::string name, std::string help);

  // False if --help or -h was among them. kInvalid names the flag, what it got and what it should
  // be.
  Result<bool> parse(std::span<const std::string> arguments) const;
  std::string help() const;

 private:
  struct Flag {
    std::string name;
    std::string initial;  // The default as it is shown.
    std::string help;
    bool is_boolean;
    std::function<Result<void>(const std::string& value)> set;
  };
  std::vector<Flag> flags_;
};

// "host:port"; kInvalid, with `name` in the message, on anything else.
struct HostPort {
  std::string host;
  int port = 0;
};
Result<HostPort> parse_host_port(const std::string& text, const std::string& name);

// A decimal number with nothing after it; false on other text, infinities and NaN.
bool parse_number(std::string_view text, double& number);

}  // namespace scalableapp::workload
