#include "workload/testing/samples.h"

#include <cstdlib>
#include <sstream>

namespace scalableapp::workload {

double sample(const std::string& page, const std::string& name) { return sample_with(page, name, ""); }

double sample_with(const std::string& page, const std::string& name, const std::string& label) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || line.find(label) == std::string::npos) continue;
    return std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return -1;
}

}  // namespace scalableapp::workload
