// The active drivers of all cells, in Redis, so that any pod knows them all; and who asked for a ride where.
//
//   geo:cell:CELL     sorted set of free drivers by when they last told where they are
//   geo:driver:NAME   their cell and place
//   geo:busy:NAME     the ride a driver has
//   geo:ride:ID       the driver a ride has
//   geo:demand:CELL   sorted set of rides by when they were asked for
//
// Each call is one round trip and each change one script, so a pod that dies leaves no driver in two cells and no ride
// with two drivers. All keys expire. One thread, one connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "workload/common/redis.h"
#include "workload/geo/cells.h"

namespace scalableapp::workload {

struct CellCounts {
  long long requests = 0;  // Of the last minute.
  long long drivers = 0;   // Free, and heard of within half a minute.
};

class Drivers {
 public:
  explicit Drivers(RedisConnection& redis) : redis_(redis) {}

  // Where a driver is; the cell it is in now.
  Result<std::string> report(const std::string& driver, const Place& place, WallTime now);
  // Somebody asks for a ride there; the same ride twice counts once.
  Result<void> ask(const std::string& ride, const std::string& cell, WallTime now);
  // Of the cell and those around it.
  Result<CellCounts> count(const std::string& cell, WallTime now);
  // Gives the ride the nearest free driver of the cell and those around it; none: nobody is free. A ride that has one
  // keeps it, so that asking again changes nothing.
  Result<std::optional<std::string>> assign(const std::string& ride, const Place& place, WallTime now);

 private:
  RedisConnection& redis_;
};

}  // namespace scalableapp::workload
