// Windows of time in which an app has another floor or ceiling: cron expressions in a time zone.
// Says which windows are open and what they ask for together; the caller applies it. Pure: zones
// are values (operator/base/time_zone.h).
//
// A window begins at each local time that its cron matches and lasts duration_seconds of real time.
// A local time that the clocks jump over begins at the jump; one that occurs twice, at its first
// occurrence only. So a window over a change of the clocks is an hour shorter or longer by the wall
// clock, and a cron that matches every minute does not begin again within a repeated hour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/base/time_zone.h"
#include "operator/scaling/observation.h"

namespace scalableapp::scaling {

// Which minutes match, as sets of bits.
struct Cron {
  std::uint64_t minutes = 0;
  std::uint32_t hours = 0;
  std::uint32_t days_of_month = 0;  // Bits 1 to 31.
  std::uint16_t months = 0;         // Bits 1 to 12.
  std::uint8_t days_of_week = 0;    // Bits 0 (Sunday) to 6.
  // As crontab(5) has it: a day must match both fields, but where neither begins with a `*` one is
  // enough.
  bool either_day = false;
  bool operator==(const Cron&) const = default;
};

// Five fields: minute hour day-of-month month day-of-week. Each is `*`, a number, a range "a-b" or
// a list of these with commas; "/n" after `*` or a range takes every n-th, after a number every
// n-th from it on. Months and days have English names too (JAN, mon); 7 is Sunday. kInvalid names
// the field and its range; a day that no month in question has is an error as well.
Result<Cron> parse_cron(std::string_view text);

// The last time after `after` and not after `until` at which a window of `cron` begins. Looks at
// days one by one, from `until` backwards.
std::optional<WallTime> last_begin(const Cron& cron, const TimeZone& zone, WallTime after,
                                   WallTime until);

// The schedules whose window `now` lies in, in their order. Floors count from `lead` before the
// window on, so that pods are warm when it begins; ceilings from its begin. A schedule with a
// problem is left out.
std::vector<ActiveSchedule> active_schedules(WallTime now, seconds lead,
                                             const std::vector<api::Schedule>& schedules,
                                             const TimeZones& zones);

// What the open windows ask for together, and which schedules that is from (the first of equals).
struct ScheduleBounds {
  std::optional<int> floor;
  std::optional<int> ceiling;
  std::string floor_name;
  std::string ceiling_name;
  bool operator==(const ScheduleBounds&) const = default;
};
// The highest floor and the lowest ceiling. A floor over the ceiling wins, because too few pods
// hurt more than too many: there the ceiling is the floor and has its name.
ScheduleBounds combine_schedules(const std::vector<ActiveSchedule>& active);

// The zones that the schedules name, for the lookup of `zones`.
std::vector<std::string> time_zone_names(const std::vector<api::Schedule>& schedules);

// What is wrong with the schedules, a sentence each: "spec.schedules[2].cron: minute: ...".
std::vector<std::string> schedule_problems(const std::vector<api::Schedule>& schedules,
                                           const TimeZones& zones);

}  // namespace scalableapp::scaling
