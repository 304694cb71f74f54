// Waiting for what other threads and processes do, for tests only.
#pragma once

#include <functional>

namespace scalableapp::workload {

// True as soon as `condition` holds; false when it does not within 20 s, which a loaded machine
// needs.
bool eventually(const std::function<bool()>& condition);

}  // namespace scalableapp::workload
