// Reading samples off a page of metrics, for tests.
#pragma once

#include <string>

namespace scalableapp::workload {

// The value of the first sample that starts with `name`; -1 if there is none.
double sample(const std::string& page, const std::string& name);
// The same of a sample whose labels have `label`, such as state="idle", too.
double sample_with(const std::string& page, const std::string& name, const std::string& label);

}  // namespace scalableapp::workload
