#include "workload/geo/cells.h"

#include <fmt/format.h>
// S2 is not made for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <s2/s2cell_id.h>
#include <s2/s2latlng.h>
#pragma GCC diagnostic pop

#include <cmath>

namespace scalableapp::workload {
namespace {

// 1.27 km2 on average (S2 Cell Statistics, s2geometry.io).
constexpr int kLevel = 13;
constexpr double kEarthRadiusMeters = 6'371'010;  // Mean radius, as S2Earth has it.

S2LatLng to_s2(const Place& place) { return S2LatLng::FromDegrees(place.latitude, place.longitude); }

Result<void> in_range(const char* name, double value, double bound) {
  if (std::isfinite(value) && std::abs(value) <= bound) return {};
  return fail(ErrorCode::kInvalid, fmt::format("{} must be a number from {} to {}", name, -bound, bound));
}

}  // namespace

Result<void> check_place(const Place& place) {
  if (auto checked = in_range("lat", place.latitude, 90); !checked) return checked;
  return in_range("lng", place.longitude, 180);
}

std::string cell_of(const Place& place) { return S2CellId(to_s2(place)).parent(kLevel).ToToken(); }

std::vector<std::string> cell_and_neighbours(const std::string& cell) {
  std::vector<std::string> cells{cell};
  const S2CellId id = S2CellId::FromToken(cell);
  if (!id.is_valid()) return cells;
  std::vector<S2CellId> around;
  id.AppendAllNeighbors(id.level(), &around);
  for (const S2CellId& neighbour : around) cells.push_back(neighbour.ToToken());
  return cells;
}

double distance_meters(const Place& from, const Place& to) {
  return to_s2(from).GetDistance(to_s2(to)).radians() * kEarthRadiusMeters;
}

}  // namespace scalableapp::workload
