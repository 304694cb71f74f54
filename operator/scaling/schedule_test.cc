#include "operator/scaling/schedule.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace scalableapp::scaling {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using std::chrono::hours;
using std::chrono::minutes;

WallTime at(std::string_view text) { return parse_rfc3339(text).value(); }

TimeZone zone(const char* name, std::vector<TimeZone::Change> changes) { return {name, changes}; }
const TimeZone kBerlin = zone("Europe/Berlin", {{at("2025-10-26T01:00:00Z"), hours(1)},
                                                {at("2026-03-29T01:00:00Z"), hours(2)},
                                                {at("2026-10-25T01:00:00Z"), hours(1)}});
const TimeZone kNewYork = zone("America/New_York", {{at("2025-11-02T06:00:00Z"), hours(-5)},
                                                    {at("2026-03-08T07:00:00Z"), hours(-4)},
                                                    {at("2026-11-01T06:00:00Z"), hours(-5)}});
const TimeZone kKolkata = zone("Asia/Kolkata", {{at("2025-01-01T00:00:00Z"), minutes(330)}});
// Summer time is half an hour.
const TimeZone kLordHowe =
    zone("Australia/Lord_Howe", {{at("2025-10-04T15:30:00Z"), minutes(660)},
                                 {at("2026-04-04T15:00:00Z"), minutes(630)},
                                 {at("2026-10-03T15:30:00Z"), minutes(660)}});
const TimeZone kUtc{"UTC", {}};

TimeZones zones_of(const std::vector<TimeZone>& all) {
  TimeZones zones;
  for (const TimeZone& each : all) {
    zones.emplace(each.name, std::make_shared<const TimeZone>(each));
  }
  zones.emplace("Mars/Base", fail(ErrorCode::kNotFound, "\"Mars/Base\" is no time zone"));
  return zones;
}
const TimeZones kZones = zones_of({kBerlin, kNewYork, kKolkata, kLordHowe, kUtc});

api::Schedule schedule(std::string name, std::string cron, int duration_seconds,
                       std::optional<int> min, std::optional<int> max = std::nullopt,
                       std::string time_zone = "UTC") {
  return {std::move(name), std::move(cron), std::move(time_zone), duration_seconds, min, max};
}

// The begins of windows in (after, until], the oldest first.
std::vector<std::string> begins(std::string_view cron_text, const TimeZone& zone, WallTime after,
                                WallTime until) {
  const Cron cron = parse_cron(cron_text).value();
  std::vector<std::string> texts;
  while (const auto begin = last_begin(cron, zone, after, until)) {
    texts.insert(texts.begin(), format_rfc3339(*begin));
    until = *begin - milliseconds(1);
  }
  return texts;
}

TEST(ParseCron, EveryWayToWriteASetOfMinutes) {
  const auto minutes_of = [](std::string_view field) {
    std::string text;
    const Cron cron = parse_cron(fmt::format("{} * * * *", field)).value();
    for (unsigned i = 0; i < 64; ++i) {
      if ((cron.minutes >> i & 1U) != 0) text += fmt::format("{} ", i);
    }
    return text;
  };
  EXPECT_EQ(minutes_of("7"), "7 ");
  EXPECT_EQ(minutes_of("59,0,1"), "0 1 59 ");
  EXPECT_EQ(minutes_of("8-11"), "8 9 10 11 ");
  EXPECT_EQ(minutes_of("*/15"), "0 15 30 45 ");
  EXPECT_EQ(minutes_of("10-20/5,3"), "3 10 15 20 ");
  EXPECT_EQ(minutes_of("40/7"), "40 47 54 ");
  EXPECT_EQ(parse_cron("* * * * *")->minutes, (std::uint64_t{1} << 60U) - 1);
}

TEST(ParseCron, NamesAndBothSundays) {
  const Cron cron = parse_cron("  0 0 *\t JAN,dec Mon-fri ").value();
  EXPECT_EQ(cron.months, 1U << 1U | 1U << 12U);
  EXPECT_EQ(cron.days_of_week, 0b0111110);
  EXPECT_EQ(parse_cron("0 0 * * 7")->days_of_week, 1);
  EXPECT_EQ(parse_cron("0 0 * * SUN")->days_of_week, 1);
  EXPECT_EQ(parse_cron("0 0 * * 5-7")->days_of_week, 0b1100001);
  EXPECT_EQ(parse_cron("0 0 * * FRI-SUN")->days_of_week, 0b1100001);
  EXPECT_EQ(parse_cron("0 0 * * *")->days_of_week, 0b1111111);
}

TEST(ParseCron, AnErrorNamesTheFieldAndItsRange) {
  const std::pair<const char*, const char*> kRows[] = {
      {"60 * * * *", "minute: \"60\" is not in 0-59"},
      {"* 24 * * *", "hour: \"24\" is not in 0-23"},
      {"* * 0 * *", "day-of-month: \"0\" is not in 1-31"},
      {"* * * JANUARY *", "month: \"JANUARY\" is not in 1-12 or JAN-DEC"},
      {"* * * * 8", "day-of-week: \"8\" is not in 0-7 or SUN-SAT"},
      {"* * * * FUN", "day-of-week: \"FUN\" is not in 0-7 or SUN-SAT"},
      {"MON * * * *", "minute: \"MON\" is not in 0-59"},
      {"-1 * * * *", "minute: \"\" is not in 0-59"},
      {"1,,2 * * * *", "minute: \"\" is not in 0-59"},
      {"1- * * * *", "minute: \"\" is not in 0-59"},
      {"99999999999 * * * *", "minute: \"99999999999\" is not in 0-59"},
      {"30-10 * * * *", "minute: the range \"30-10\" ends before it begins"},
      {"*/0 * * * *", "minute: the step \"0\" is not in 1-59"},
      {"*/x * * * *", "minute: the step \"x\" is not in 1-59"},
      {"* * * *",
       "\"* * * *\" has 4 fields, not the five: minute hour day-of-month month day-of-week"},
      {"", "\"\" has 0 fields, not the five: minute hour day-of-month month day-of-week"},
      {"0 0 31 2,4 *", "day-of-month: no month of \"2,4\" has a day \"31\""},
  };
  for (const auto& [text, message] : kRows) {
    const auto cron = parse_cron(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_EQ(cron.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(cron.error().message, message);
  }
  EXPECT_TRUE(parse_cron("0 0 31 2 MON")) << "its Mondays begin a window";
}

struct BeginsRow {
  const char* name;
  const char* cron;
  const TimeZone* zone;
  const char* after;
  const char* until;
  std::vector<std::string> begins;
};

class Begins : public ::testing::TestWithParam<BeginsRow> {};

TEST_P(Begins, AreTheLocalTimesThatMatch) {
  const BeginsRow& row = GetParam();
  EXPECT_EQ(begins(row.cron, *row.zone, at(row.after), at(row.until)), row.begins);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Begins,
    ::testing::Values(
        BeginsRow{"Noon", "0 12 * * *", &kUtc, "2026-01-30T12:00:00Z", "2026-02-01T12:00:00Z",
                  {"2026-01-31T12:00:00Z", "2026-02-01T12:00:00Z"}},
        BeginsRow{"EachQuarterOverMidnight", "*/15 * * * *", &kUtc, "2026-01-31T23:40:00Z",
                  "2026-02-01T00:15:00Z",
                  {"2026-01-31T23:45:00Z", "2026-02-01T00:00:00Z", "2026-02-01T00:15:00Z"}},
        BeginsRow{"MonthEndsOnlyWhereTheyAre", "0 0 31 * *", &kUtc, "2026-01-01T00:00:00Z",
                  "2026-06-30T00:00:00Z",
                  {"2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
        BeginsRow{"LeapDay", "30 6 29 FEB *", &kUtc, "2023-01-01T00:00:00Z",
                  "2029-01-01T00:00:00Z", {"2024-02-29T06:30:00Z", "2028-02-29T06:30:00Z"}},
        BeginsRow{"EitherDayWhenBothAreRestricted", "0 0 13 * FRI", &kUtc, "2026-02-05T00:00:00Z",
                  "2026-02-20T00:00:00Z",
                  {"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"}},
        BeginsRow{"BothDaysWhenOneBeginsWithAStar", "0 0 */2 * FRI", &kUtc,
                  "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z",
                  {"2026-02-13T00:00:00Z", "2026-02-27T00:00:00Z"}},
        BeginsRow{"WorkdaysInKolkata", "30 9 * * MON-FRI", &kKolkata, "2026-01-01T23:00:00Z",
                  "2026-01-05T23:00:00Z", {"2026-01-02T04:00:00Z", "2026-01-05T04:00:00Z"}},
        // Berlin, 29 March: 02:00 -> 03:00; 25 October: 03:00 -> 02:00.
        BeginsRow{"BerlinKeepsLocalTimeOverSpring", "0 18 * * *", &kBerlin,
                  "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z",
                  {"2026-03-28T17:00:00Z", "2026-03-29T16:00:00Z"}},
        BeginsRow{"BerlinKeepsLocalTimeOverAutumn", "0 18 * * *", &kBerlin,
                  "2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z",
                  {"2026-10-24T16:00:00Z", "2026-10-25T17:00:00Z"}},
        BeginsRow{"BerlinJumpsOverIt", "30 2 * * *", &kBerlin, "2026-03-28T00:00:00Z",
                  "2026-03-30T12:00:00Z",
                  {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
        BeginsRow{"BerlinHasItTwice", "30 2 * * *", &kBerlin, "2026-10-24T12:00:00Z",
                  "2026-10-26T12:00:00Z", {"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
        BeginsRow{"BerlinsRepeatedHourBeginsOnce", "*/30 * * * *", &kBerlin,
                  "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z",
                  {"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"}},
        // New York, 8 March: 02:00 -> 03:00; 1 November: 02:00 -> 01:00.
        BeginsRow{"NewYorkJumpsOverIt", "15 2 8 3 *", &kNewYork, "2026-03-01T00:00:00Z",
                  "2026-03-31T00:00:00Z", {"2026-03-08T07:00:00Z"}},
        BeginsRow{"NewYorkHasItTwice", "0 1 1 11 *", &kNewYork, "2026-10-01T00:00:00Z",
                  "2026-11-30T00:00:00Z", {"2026-11-01T05:00:00Z"}},
        BeginsRow{"NewYorkEvening", "0 20 * * SAT", &kNewYork, "2026-03-01T12:00:00Z",
                  "2026-03-16T12:00:00Z", {"2026-03-08T01:00:00Z", "2026-03-15T00:00:00Z"}},
        // Lord Howe, 5 April: 02:00 -> 01:30; 4 October: 02:00 -> 02:30.
        BeginsRow{"LordHoweRepeatsHalfAnHour", "0,30,45 1,2 5 4 *", &kLordHowe,
                  "2026-04-01T00:00:00Z", "2026-04-30T00:00:00Z",
                  {"2026-04-04T14:00:00Z", "2026-04-04T14:30:00Z", "2026-04-04T14:45:00Z",
                   "2026-04-04T15:30:00Z", "2026-04-04T16:00:00Z", "2026-04-04T16:15:00Z"}},
        BeginsRow{"LordHoweSkipsHalfAnHour", "10,40 2 4 10 *", &kLordHowe, "2026-10-01T00:00:00Z",
                  "2026-10-30T00:00:00Z", {"2026-10-03T15:30:00Z", "2026-10-03T15:40:00Z"}}),
    [](const auto& row) { return std::string(row.param.name); });

// A second, slow reading of the same rules: the local minutes one after the other.
TEST(LastBegin, FindsWhatASearchMinuteByMinuteFinds) {
  const std::uint64_t seed = 20260329;
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  const TimeZone* const zones[] = {&kBerlin, &kNewYork, &kKolkata, &kLordHowe, &kUtc};
  const char* const days[] = {"2026-03-08", "2026-03-29", "2026-04-05",
                              "2026-10-04", "2026-10-25", "2026-11-01"};
  for (int round = 0; round < 400; ++round) {
    const TimeZone& zone = *zones[pick(0, 4)];
    const std::string text =
        fmt::format("{} {} {} * {}", pick(0, 1) ? "*/20" : fmt::format("{}", pick(0, 59)),
                    pick(0, 1) ? "*" : fmt::format("{}-{}", pick(0, 2), pick(2, 5)),
                    pick(0, 1) ? "*" : fmt::format("{}/5", pick(1, 9)),
                    pick(0, 1) ? "*" : fmt::format("{}", pick(0, 7)));
    const WallTime until = at(std::string(days[pick(0, 5)]) + "T00:00:00Z") +
                           seconds(pick(-40'000, 40'000));
    const WallTime after = until - minutes(pick(1, 3000));
    const Cron cron = parse_cron(text).value();
    std::optional<WallTime> wanted;
    for (LocalTime local = std::chrono::floor<minutes>(last_begun(zone, after)) - hours(2);
         local <= last_begun(zone, until); local += minutes(1)) {
      const auto day = std::chrono::floor<std::chrono::days>(local);
      const auto minute = std::chrono::floor<minutes>(local - day).count();
      const bool month_day =
          cron.days_of_month >> unsigned(std::chrono::year_month_day(day).day()) & 1U;
      const bool week_day = cron.days_of_week >> std::chrono::weekday(day).c_encoding() & 1U;
      const WallTime begin = begin_of(zone, local);
      if ((cron.either_day ? month_day || week_day : month_day && week_day) &&
          (cron.hours >> (minute / 60) & 1U) && (cron.minutes >> (minute % 60) & 1U) &&
          begin > after && begin <= until) {
        wanted = begin;
      }
    }
    EXPECT_EQ(last_begin(cron, zone, after, until), wanted)
        << "seed " << seed << " round " << round << ": \"" << text << "\" in " << zone.name
        << " until " << format_rfc3339(until);
  }
}

std::vector<std::string> active_at(std::string_view now, std::vector<api::Schedule> schedules,
                                   seconds lead = seconds(0)) {
  std::vector<std::string> texts;
  for (const auto& entry : active_schedules(at(now), lead, schedules, kZones)) {
    texts.push_back(fmt::format(
        "{} {}-{}", entry.name,
        entry.min_replicas ? fmt::format("{}", *entry.min_replicas) : std::string(),
        entry.max_replicas ? fmt::format("{}", *entry.max_replicas) : std::string()));
  }
  return texts;
}

TEST(ActiveSchedules, AWindowIsOpenFromItsBeginUntilItsDurationIsOver) {
  const auto dinner = schedule("dinner", "0 18 * * *", 7200, 10, 50);
  EXPECT_THAT(active_at("2026-01-31T17:59:59.999Z", {dinner}), IsEmpty());
  EXPECT_THAT(active_at("2026-01-31T18:00:00Z", {dinner}), ElementsAre("dinner 10-50"));
  EXPECT_THAT(active_at("2026-01-31T19:59:59.999Z", {dinner}), ElementsAre("dinner 10-50"));
  EXPECT_THAT(active_at("2026-01-31T20:00:00Z", {dinner}), IsEmpty());
}

TEST(ActiveSchedules, OverMidnightAndOverTheEndOfTheMonth) {
  const auto night = schedule("night", "0 22 28 * *", 8 * 3600, 3);
  EXPECT_THAT(active_at("2026-02-28T21:59:59Z", {night}), IsEmpty());
  EXPECT_THAT(active_at("2026-03-01T05:59:59Z", {night}), ElementsAre("night 3-"));
  EXPECT_THAT(active_at("2026-03-01T06:00:00Z", {night}), IsEmpty());
}

TEST(ActiveSchedules, ADurationIsRealTimeWhenTheClocksChange) {
  const auto spring = schedule("spring", "0 1 * * *", 7200, 3, std::nullopt, "Europe/Berlin");
  EXPECT_THAT(active_at("2026-03-29T01:59:59Z", {spring}), ElementsAre("spring 3-"))
      << "03:59:59 on the wall";
  EXPECT_THAT(active_at("2026-03-29T02:00:00Z", {spring}), IsEmpty());
  // Twice 02:30 to 02:45: only the first is a window.
  const auto autumn = schedule("autumn", "30 2 * * *", 900, 3, std::nullopt, "Europe/Berlin");
  EXPECT_THAT(active_at("2026-10-25T00:30:00Z", {autumn}), ElementsAre("autumn 3-"));
  EXPECT_THAT(active_at("2026-10-25T01:30:00Z", {autumn}), IsEmpty());
}

TEST(ActiveSchedules, WindowsOfOneScheduleThatOverlapAreOneLongWindow) {
  const auto often = schedule("often", "*/10 12 * * *", 1200, 3);
  EXPECT_THAT(active_at("2026-01-31T13:09:59Z", {often}), ElementsAre("often 3-"));
  EXPECT_THAT(active_at("2026-01-31T13:10:00Z", {often}), IsEmpty());
}

TEST(ActiveSchedules, AWindowOfAYearIsFoundFromItsBegin) {
  const auto year = schedule("year", "0 0 1 1 *", 365 * 86'400, 3);
  EXPECT_THAT(active_at("2026-12-31T23:59:59Z", {year}), ElementsAre("year 3-"));
}

TEST(ActiveSchedules, AFloorBeginsEarlyAndACeilingOnTime) {
  const auto sale = schedule("sale", "0 18 * * *", 3600, 10, 50);
  EXPECT_THAT(active_at("2026-01-31T17:58:29Z", {sale}, seconds(90)), IsEmpty());
  EXPECT_THAT(active_at("2026-01-31T17:58:30Z", {sale}, seconds(90)), ElementsAre("sale 10-"));
  EXPECT_THAT(active_at("2026-01-31T18:00:00Z", {sale}, seconds(90)), ElementsAre("sale 10-50"));
  EXPECT_THAT(active_at("2026-01-31T19:00:00Z", {sale}, seconds(90)), IsEmpty());
}

TEST(ActiveSchedules, ThoseWithAProblemAreLeftOutAndTheOthersHold) {
  const std::vector<api::Schedule> schedules = {
      schedule("good", "* * * * *", 60, 1), schedule("cron", "* * * *", 60, 2),
      schedule("zone", "* * * * *", 60, 3, std::nullopt, "Mars/Base"),
      schedule("both", "61 * * * *", 60, 4, std::nullopt, "Europe/Rome")};
  EXPECT_THAT(active_at("2026-01-31T18:00:00Z", schedules), ElementsAre("good 1-"));
  EXPECT_THAT(schedule_problems(schedules, kZones),
              ElementsAre("spec.schedules[1].cron: \"* * * *\" has 4 fields, not the five: minute "
                          "hour day-of-month month day-of-week",
                          "spec.schedules[2].timeZone: \"Mars/Base\" is no time zone",
                          "spec.schedules[3].cron: minute: \"61\" is not in 0-59",
                          "spec.schedules[3].timeZone: \"Europe/Rome\" was not looked up"));
  EXPECT_THAT(time_zone_names(schedules), ElementsAre("Europe/Rome", "Mars/Base", "UTC"));
  EXPECT_THAT(schedule_problems({schedule("utc", "* * * * *", 60, 1)}, {}), IsEmpty());
}

TEST(CombineSchedules, TheHighestFloorAndTheLowestCeilingCount) {
  EXPECT_EQ(combine_schedules({}), ScheduleBounds{});
  EXPECT_EQ(combine_schedules({{"a", 3, 20}, {"b", 8, std::nullopt}, {"c", std::nullopt, 12},
                               {"d", 8, 12}}),
            (ScheduleBounds{8, 12, "b", "c"}));
}

TEST(CombineSchedules, AFloorOverACeilingWins) {
  EXPECT_EQ(combine_schedules({{"saving", std::nullopt, 5}, {"sale", 30, std::nullopt}}),
            (ScheduleBounds{30, 30, "sale", "sale"}));
}

}  // namespace
}  // namespace scalableapp::scaling
