// How much load the generator can offer on this machine before it is late itself: tried for about 5
// s on loopback against a server in the same process that does nothing. The server takes CPU time
// too, so that against another machine it can be more.
#pragma once

#include <string>

namespace scalableapp::workload {

inline constexpr double kCalibrationLagMs = 5;  // Later than this at p99 is too late.

struct Calibration {
  double rate = 0;  // The highest that was kept; 0 if none was.
  double lag_p99_ms = 0;
  double too_fast = 0;  // The lowest that was not kept; 0 if all were.
};

Calibration calibrate();
std::string describe(const Calibration& calibration);

}  // namespace scalableapp::workload
