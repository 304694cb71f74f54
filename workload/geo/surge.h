// What a ride costs where more are asked for than there are drivers. Pure.
#pragma once

namespace scalableapp::workload {

// The factor on the price: 1 as long as there is a driver for each request of the last minute, then as many times as
// there are requests per driver, at most 3, in steps of 0.1. Drivers that are few count as one at least.
double surge_factor(long long requests, long long drivers);

}  // namespace scalableapp::workload
