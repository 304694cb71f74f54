// Time zones by IANA name from the tz database of the machine (/usr/share/zoneinfo). The library
// that reads it, Howard Hinnant's date, is used in time_zone.cc only. Does not read the database
// again while the process runs: new rules come with a new image.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "operator/base/time_zone.h"

namespace scalableapp {

// The offsets of zone `name` from `from` to `to`. kNotFound names a zone that is unknown,
// kUnavailable says that there is no database. "UTC" needs none.
Result<TimeZone> load_time_zone(const std::string& name, WallTime from, WallTime to);

// Keeps the zones that were asked for, each for the year before and the two months after the time
// at which it was last loaded, and loads it anew when that is more than a month ago. Thread-safe.
class TimeZoneCache {
 public:
  Result<std::shared_ptr<const TimeZone>> find(const std::string& name, WallTime now);
  TimeZones find(const std::vector<std::string>& names, WallTime now);

 private:
  struct Entry {
    std::shared_ptr<const TimeZone> zone;
    WallTime loaded_at;
  };
  std::mutex mutex_;                     // Guards entries_.
  std::map<std::string, Entry> entries_;  // Of known zones only, so bounded by the database.
};

}  // namespace scalableapp
