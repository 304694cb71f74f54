// The cells that the earth is cut into: S2's, of one level, about 1.3 km2 each. Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/base/result.h"

namespace scalableapp::workload {

struct Place {
  double latitude = 0;   // Degrees, -90 to 90.
  double longitude = 0;  // Degrees, -180 to 180.
};

// kInvalid names the coordinate that is out of range.
Result<void> check_place(const Place& place);
// The token of the cell that the place is in, such as "3bae6d4": a word for keys and labels.
std::string cell_of(const Place& place);
// The cell and all that touch it, itself first; it alone if the token is none.
std::vector<std::string> cell_and_neighbours(const std::string& cell);
// Along the great circle.
double distance_meters(const Place& from, const Place& to);

}  // namespace scalableapp::workload
