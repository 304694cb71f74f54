#include "operator/platform/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace scalableapp {
namespace {

using ::testing::HasSubstr;

WallTime at(const char* text) { return parse_rfc3339(text).value(); }

TEST(LoadTimeZone, AZoneIsItsOffsetsOverTheSpan) {
  const auto zone =
      load_time_zone("Europe/Berlin", at("2025-12-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
  ASSERT_TRUE(zone) << zone.error().message;
  EXPECT_EQ(*zone, (TimeZone{"Europe/Berlin",
                             {{at("2025-12-01T00:00:00Z"), seconds(3600)},
                              {at("2026-03-29T01:00:00Z"), seconds(7200)},
                              {at("2026-10-25T01:00:00Z"), seconds(3600)}}}));
  EXPECT_EQ(load_time_zone("Asia/Kolkata", at("2025-12-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))
                ->changes,
            (std::vector<TimeZone::Change>{{at("2025-12-01T00:00:00Z"), seconds(19'800)}}));
}

TEST(LoadTimeZone, AnUnknownNameIsAnErrorThatNamesIt) {
  for (const char* name : {"Europe/Atlantis", "", "../../../etc/passwd", "Europe", "zone.tab"}) {
    const auto zone = load_time_zone(name, at("2026-01-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, ErrorCode::kNotFound) << name;
    EXPECT_THAT(zone.error().message, HasSubstr(name));
  }
}

TEST(TimeZoneCache, AZoneIsLoadedAnewAfterAMonth) {
  TimeZoneCache cache;
  const WallTime now = at("2026-01-01T00:00:00Z");
  const auto first = cache.find("Europe/Berlin", now).value();
  EXPECT_EQ(cache.find("Europe/Berlin", now + std::chrono::days(30)).value(), first);
  const auto second = cache.find("Europe/Berlin", now + std::chrono::days(180)).value();
  EXPECT_NE(second, first);
  EXPECT_GT(second->changes.back().begin, first->changes.back().begin);
  EXPECT_EQ(begin_of(*first, LocalTime(std::chrono::floor<seconds>(at("2025-07-01T00:00:00Z"))
                                           .time_since_epoch())),
            at("2025-06-30T22:00:00Z"))
      << "the past is there too";
}

TEST(TimeZoneCache, SeveralNamesAtOnceGiveEachItsZoneOrItsError) {
  TimeZoneCache cache;
  const TimeZones zones =
      cache.find({"UTC", "Europe/Berlin", "Nowhere", "UTC"}, at("2026-01-01T00:00:00Z"));
  EXPECT_EQ(zones.size(), 3U);
  EXPECT_TRUE(zones.at("UTC").value()->changes.empty());
  EXPECT_TRUE(zones.at("Europe/Berlin"));
  EXPECT_FALSE(zones.at("Nowhere"));
}

TEST(TimeZoneCache, ThreadsMayShareIt) {
  TimeZoneCache cache;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&cache] {
      for (int day = 0; day < 400; day += 10) {
        for (const char* name : {"Europe/Berlin", "America/New_York", "Nowhere"}) {
          cache.find(name, at("2026-01-01T00:00:00Z") + std::chrono::days(day));
        }
      }
    });
  }
}

}  // namespace
}  // namespace scalableapp
