#include "operator/scaling/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <memory>
#include <utility>

namespace scalableapp::scaling {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::array<std::string_view, 12> kMonths{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                   "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDays{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct Field {
  std::string_view name;
  int first;
  int last;
  const std::string_view* words = nullptr;  // From `first` on.
  int word_count = 0;
};
constexpr std::array<Field, 5> kFields{{{"minute", 0, 59},
                                        {"hour", 0, 23},
                                        {"day-of-month", 1, 31},
                                        {"month", 1, 12, kMonths.data(), kMonths.size()},
                                        {"day-of-week", 0, 7, kDays.data(), kDays.size()}}};

bool same_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  });
}

// Up to the first `separator`, which is taken off `rest` too; nothing when `rest` is used up.
std::optional<std::string_view> next_part(std::optional<std::string_view>& rest, char separator) {
  if (!rest) return std::nullopt;
  const std::size_t end = rest->find(separator);
  const std::string_view part = rest->substr(0, end);
  rest = end == std::string_view::npos ? std::nullopt : std::optional(rest->substr(end + 1));
  return part;
}

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

Result<int> parse_value(const Field& field, std::string_view text) {
  for (int i = 0; i < field.word_count; ++i) {
    if (same_word(text, field.words[i])) return field.first + i;
  }
  const auto number = number_in(text);
  if (number && *number >= field.first && *number <= field.last) return *number;
  return fail(ErrorCode::kInvalid,
              fmt::format("{}: \"{}\" is not in {}-{}{}", field.name, text, field.first, field.last,
                          field.word_count == 0
                              ? std::string()
                              : fmt::format(" or {}-{}", field.words[0],
                                            field.words[field.word_count - 1])));
}

// "a", "a-b", "*", each with or without "/n".
Result<std::uint64_t> parse_item(const Field& field, std::string_view item) {
  std::optional<std::string_view> rest = item;
  const std::string_view range = *next_part(rest, '/');
  int step = 1;
  if (rest) {
    const auto number = number_in(*rest);
    if (!number || *number < 1 || *number > field.last) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: the step \"{}\" is not in 1-{}", field.name,
                                                   *rest, field.last));
    }
    step = *number;
  }
  int from = field.first;
  int to = field.name == "day-of-week" ? 6 : field.last;
  if (range != "*") {
    std::optional<std::string_view> ends = range;
    const auto begin = parse_value(field, *next_part(ends, '-'));
    if (!begin) return tl::unexpected(begin.error());
    from = *begin;
    if (ends) {
      const auto end = parse_value(field, *ends);
      if (!end) return tl::unexpected(end.error());
      // A week may end with its Sunday: FRI-SUN.
      to = field.name == "day-of-week" && *end == 0 && from > 0 ? 7 : *end;
    } else if (!rest) {
      to = from;
    } else {
      to = std::max(to, from);
    }
    if (to < from) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: the range \"{}\" ends before it begins", field.name, range));
    }
  }
  std::uint64_t bits = 0;
  for (int i = from; i <= to; i += step) bits |= std::uint64_t{1} << static_cast<unsigned>(i);
  return bits;
}

Result<std::uint64_t> parse_field(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  std::optional<std::string_view> rest = text;
  while (const auto item = next_part(rest, ',')) {
    const auto more = parse_item(field, *item);
    if (!more) return more;
    bits |= *more;
  }
  return bits;
}

bool has(std::uint64_t bits, unsigned index) { return ((bits >> index) & 1U) != 0; }

bool some_month_has_such_a_day(const Cron& cron) {
  constexpr std::array<unsigned, 13> kLongest{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto first_day = static_cast<unsigned>(std::countr_zero(cron.days_of_month));
  for (unsigned month = 1; month <= 12; ++month) {
    if (has(cron.months, month) && first_day <= kLongest[month]) return true;
  }
  return false;
}

bool matches_day(const Cron& cron, std::chrono::local_days day) {
  const std::chrono::year_month_day date(day);
  if (!has(cron.months, unsigned(date.month()))) return false;
  const bool of_month = has(cron.days_of_month, unsigned(date.day()));
  const bool of_week = has(cron.days_of_week, std::chrono::weekday(day).c_encoding());
  return cron.either_day ? of_month || of_week : of_month && of_week;
}

// The highest of `bits` at or below `limit`.
std::optional<int> highest_to(std::uint64_t bits, int limit) {
  if (limit < 0) return std::nullopt;
  if (limit < 63) bits &= (std::uint64_t{2} << static_cast<unsigned>(limit)) - 1;
  if (bits == 0) return std::nullopt;
  return 63 - std::countl_zero(bits);
}

// The last matching minute of any day at or below hour:minute.
std::optional<minutes> last_minute_to(const Cron& cron, int hour, int minute) {
  if (has(cron.hours, static_cast<unsigned>(hour))) {
    if (const auto m = highest_to(cron.minutes, minute)) return hours(hour) + minutes(*m);
  }
  const auto h = highest_to(cron.hours, hour - 1);
  const auto m = highest_to(cron.minutes, 59);
  if (!h || !m) return std::nullopt;
  return hours(*h) + minutes(*m);
}

// Nothing: unknown, or not looked up.
const TimeZone* zone_of(const api::Schedule& schedule, const TimeZones& zones) {
  static const TimeZone kUtc{"UTC", {}};
  const auto found = zones.find(schedule.time_zone);
  if (found != zones.end()) return found->second ? found->second->get() : nullptr;
  return schedule.time_zone == kUtc.name ? &kUtc : nullptr;
}

}  // namespace

Result<Cron> parse_cron(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::array<std::string_view, 5> fields;
  std::size_t count = 0;
  for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    if (count < fields.size()) fields[count] = text.substr(at, end - at);
    ++count;
    at = text.find_first_not_of(kBlanks, end);
  }
  if (count != fields.size()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" has {} fields, not the five: minute hour day-of-month month "
                            "day-of-week",
                            text, count));
  }
  std::array<std::uint64_t, 5> bits{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto parsed = parse_field(kFields[i], fields[i]);
    if (!parsed) return tl::unexpected(parsed.error());
    bits[i] = *parsed;
  }
  Cron cron;
  cron.minutes = bits[0];
  cron.hours = static_cast<std::uint32_t>(bits[1]);
  cron.days_of_month = static_cast<std::uint32_t>(bits[2]);
  cron.months = static_cast<std::uint16_t>(bits[3]);
  cron.days_of_week = static_cast<std::uint8_t>((bits[4] | bits[4] >> 7U) & 0x7fU);
  cron.either_day = fields[2][0] != '*' && fields[4][0] != '*';
  if (!cron.either_day && !some_month_has_such_a_day(cron)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("day-of-month: no month of \"{}\" has a day \"{}\"", fields[3],
                            fields[2]));
  }
  return cron;
}

std::optional<WallTime> last_begin(const Cron& cron, const TimeZone& zone, WallTime after,
                                   WallTime until) {
  const LocalTime last = last_begun(zone, until);
  const auto last_day = floor<days>(last);
  const auto first_day = floor<days>(last_begun(zone, after));
  for (auto day = last_day; day >= first_day; day -= days(1)) {
    if (!matches_day(cron, day)) continue;
    const auto limit = day == last_day ? floor<minutes>(last - day) : minutes(24 * 60 - 1);
    const auto minute = last_minute_to(cron, static_cast<int>(limit.count() / 60),
                                       static_cast<int>(limit.count() % 60));
    if (!minute) continue;
    const WallTime begin = begin_of(zone, LocalTime(day) + *minute);
    return begin > after ? std::optional(begin) : std::nullopt;
  }
  return std::nullopt;
}

std::vector<ActiveSchedule> active_schedules(WallTime now, seconds lead,
                                             const std::vector<api::Schedule>& schedules,
                                             const TimeZones& zones) {
  std::vector<ActiveSchedule> active;
  for (const api::Schedule& schedule : schedules) {
    const TimeZone* zone = zone_of(schedule, zones);
    if (zone == nullptr) continue;
    const auto cron = parse_cron(schedule.cron);
    if (!cron) continue;
    // Of windows of one length the last to begin is the last to end.
    const WallTime after = now - seconds(schedule.duration_seconds);
    ActiveSchedule entry{.name = schedule.name};
    if (schedule.max_replicas && last_begin(*cron, *zone, after, now)) {
      entry.max_replicas = schedule.max_replicas;
    }
    if (schedule.min_replicas && last_begin(*cron, *zone, after, now + lead)) {
      entry.min_replicas = schedule.min_replicas;
    }
    if (entry.min_replicas || entry.max_replicas) active.push_back(std::move(entry));
  }
  return active;
}

ScheduleBounds combine_schedules(const std::vector<ActiveSchedule>& active) {
  ScheduleBounds bounds;
  for (const ActiveSchedule& schedule : active) {
    if (schedule.min_replicas && (!bounds.floor || *schedule.min_replicas > *bounds.floor)) {
      bounds.floor = schedule.min_replicas;
      bounds.floor_name = schedule.name;
    }
    if (schedule.max_replicas && (!bounds.ceiling || *schedule.max_replicas < *bounds.ceiling)) {
      bounds.ceiling = schedule.max_replicas;
      bounds.ceiling_name = schedule.name;
    }
  }
  if (bounds.floor && bounds.ceiling && *bounds.floor > *bounds.ceiling) {
    bounds.ceiling = bounds.floor;
    bounds.ceiling_name = bounds.floor_name;
  }
  return bounds;
}

std::vector<std::string> time_zone_names(const std::vector<api::Schedule>& schedules) {
  std::vector<std::string> names;
  for (const api::Schedule& schedule : schedules) names.push_back(schedule.time_zone);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> schedule_problems(const std::vector<api::Schedule>& schedules,
                                           const TimeZones& zones) {
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    const api::Schedule& schedule = schedules[i];
    if (const auto cron = parse_cron(schedule.cron); !cron) {
      problems.push_back(fmt::format("spec.schedules[{}].cron: {}", i, cron.error().message));
    }
    if (zone_of(schedule, zones) == nullptr) {
      const auto found = zones.find(schedule.time_zone);
      problems.push_back(fmt::format(
          "spec.schedules[{}].timeZone: {}", i,
          found != zones.end() ? found->second.error().message
                               : fmt::format("\"{}\" was not looked up", schedule.time_zone)));
    }
  }
  return problems;
}

}  // namespace scalableapp::scaling
