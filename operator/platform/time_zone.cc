#include "operator/platform/time_zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <exception>
#include <utility>

namespace scalableapp {
namespace {

using std::chrono::days;
using std::chrono::floor;

constexpr days kBefore{366};  // The longest window of a schedule that is told from its begin.
constexpr days kAfter{62};
constexpr days kKeep{31};

bool have_database() {
  try {
    date::get_tzdb();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

Result<TimeZone> load_time_zone(const std::string& name, WallTime from, WallTime to) {
  TimeZone zone{name, {}};
  if (name == "UTC") return zone;
  if (!have_database()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("time zone \"{}\": there is no tz database here", name));
  }
  try {
    const date::time_zone* source = date::locate_zone(name);
    for (auto time = floor<seconds>(from); time < floor<seconds>(to);) {
      const date::sys_info info = source->get_info(time);
      zone.changes.push_back({WallTime(time), info.offset});
      time = info.end;
    }
    return zone;
  } catch (const std::exception&) {  // Also a file below zoneinfo/ that is no zone.
    return fail(ErrorCode::kNotFound,
                fmt::format("\"{}\" is no time zone of the tz database (such as Europe/Berlin)",
                            name));
  }
}

Result<std::shared_ptr<const TimeZone>> TimeZoneCache::find(const std::string& name, WallTime now) {
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && now >= found->second.loaded_at - kKeep &&
        now < found->second.loaded_at + kKeep) {
      return found->second.zone;
    }
  }
  Result<TimeZone> loaded = load_time_zone(name, now - kBefore - kKeep, now + kAfter);
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  auto zone = std::make_shared<const TimeZone>(std::move(*loaded));
  std::lock_guard lock(mutex_);
  entries_[name] = {zone, now};
  return zone;
}

TimeZones TimeZoneCache::find(const std::vector<std::string>& names, WallTime now) {
  TimeZones zones;
  for (const std::string& name : names) {
    if (!zones.contains(name)) zones.emplace(name, find(name, now));
  }
  return zones;
}

}  // namespace scalableapp
