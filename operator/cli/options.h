// The operator's command line: parsed, checked and explained in one place. Pure.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "operator/base/result.h"
#include "operator/controller/manager.h"

namespace scalableapp::cli {

struct OperatorOptions {
  bool is_fail_open = false;  // The command fail-open (controller/fail_open.h), which takes some of the flags only.
  controller::ManagerOptions manager;
  std::string log_level = "info";
  std::string log_format = "text";
};

struct PrintAndExit {
  std::string text;
};

// `arguments` without the program's name; `pod_name` is the default identity. kInvalid names the flag,
// what it got and what it should be.
Result<std::variant<OperatorOptions, PrintAndExit>> parse_options(std::span<const std::string> arguments,
                                                                  const std::string& pod_name);

}  // namespace scalableapp::cli
