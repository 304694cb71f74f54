// A time zone as a value: what its clocks show over a span of time. Pure; operator/platform/
// time_zone.h makes one from the tz database. Outside its span the nearest offset holds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp {

// What a clock on the wall shows, without saying where.
using LocalTime = std::chrono::local_seconds;

struct TimeZone {
  struct Change {
    WallTime begin{};   // The offset holds from here on.
    seconds offset{0};  // Local time minus UTC.
    bool operator==(const Change&) const = default;
  };
  std::string name;             // IANA's: "Europe/Berlin".
  std::vector<Change> changes;  // By time; the first also holds before it. Empty: UTC.
  bool operator==(const TimeZone&) const = default;
};

// Zones by the name they were asked for, or why there is none of that name.
using TimeZones = std::map<std::string, Result<std::shared_ptr<const TimeZone>>>;

// The moment at which `local` begins: its first occurrence where it occurs twice; where the clocks
// jump over it, the moment of the jump. Never falls as `local` rises.
WallTime begin_of(const TimeZone& zone, LocalTime local);

// The last local time that has begun by `time`: the inverse of begin_of. In an hour that occurs
// again it stands at that hour's last second.
LocalTime last_begun(const TimeZone& zone, WallTime time);

}  // namespace scalableapp
