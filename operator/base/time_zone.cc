#include "operator/base/time_zone.h"

#include <algorithm>

namespace scalableapp {
namespace {

LocalTime shifted(WallTime time, seconds offset) {
  return LocalTime(std::chrono::floor<seconds>(time).time_since_epoch() + offset);
}

}  // namespace

WallTime begin_of(const TimeZone& zone, LocalTime local) {
  const auto& changes = zone.changes;
  if (changes.empty()) return WallTime(local.time_since_epoch());
  // The first stretch whose end is after `local` by its own clock.
  std::size_t i = 0;
  while (i + 1 < changes.size() && shifted(changes[i + 1].begin, changes[i].offset) <= local) ++i;
  const WallTime time(local.time_since_epoch() - changes[i].offset);
  return i == 0 ? time : std::max(time, changes[i].begin);
}

LocalTime last_begun(const TimeZone& zone, WallTime time) {
  const auto& changes = zone.changes;
  if (changes.empty()) return shifted(time, seconds(0));
  LocalTime last = shifted(time, changes[0].offset);
  for (std::size_t i = 1; i < changes.size() && changes[i].begin <= time; ++i) {
    const LocalTime before = shifted(changes[i].begin, changes[i - 1].offset) - seconds(1);
    last = std::max(before, shifted(time, changes[i].offset));
  }
  return last;
}

}  // namespace scalableapp
