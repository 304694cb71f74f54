// Whole files in and out, with errors that name them.
#pragma once

#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp::plugin {

// "-" is standard input.
Result<std::string> read_file(const std::string& path);
Result<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace scalableapp::plugin
