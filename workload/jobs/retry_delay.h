// How long a job that failed waits before its next try. Pure.
#pragma once

#include "operator/base/time.h"

namespace scalableapp::workload {

// Twice as long after each failure, up to the cap, half of it by chance (uniform in [0, 1)): jobs that failed together
// when what they need went down do not come back together. `failures` counts this one, from 1.
milliseconds retry_delay(int failures, milliseconds base, milliseconds cap, double chance);

}  // namespace scalableapp::workload
