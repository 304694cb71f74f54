#include "operator/base/time_zone.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

WallTime at(const char* text) { return parse_rfc3339(text).value(); }
LocalTime local(const char* text) {
  return LocalTime(std::chrono::floor<seconds>(at(text)).time_since_epoch());
}

const TimeZone kBerlin{"Europe/Berlin",
                       {{at("2025-10-26T01:00:00Z"), seconds(3600)},
                        {at("2026-03-29T01:00:00Z"), seconds(7200)},
                        {at("2026-10-25T01:00:00Z"), seconds(3600)}}};

TEST(TimeZone, ALocalTimeBeginsAtItsFirstOccurrenceOrAtTheJumpOverIt) {
  const struct {
    const char* local;
    const char* utc;
  } kRows[] = {
      {"2025-01-01T00:00:00Z", "2024-12-31T23:00:00Z"},  // Before the span.
      {"2026-01-31T12:00:00Z", "2026-01-31T11:00:00Z"},
      {"2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
      {"2026-03-29T02:00:00Z", "2026-03-29T01:00:00Z"},
      {"2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z"},  // Jumped over.
      {"2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
      {"2026-03-29T03:00:01Z", "2026-03-29T01:00:01Z"},
      {"2026-10-25T02:00:00Z", "2026-10-25T00:00:00Z"},  // Twice.
      {"2026-10-25T02:59:59Z", "2026-10-25T00:59:59Z"},
      {"2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
      {"2027-07-01T00:00:00Z", "2027-06-30T23:00:00Z"},  // After the span.
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(format_rfc3339(begin_of(kBerlin, local(row.local))), row.utc) << row.local;
  }
}

TEST(TimeZone, WhatHasBegunIsTheInverse) {
  EXPECT_EQ(last_begun(kBerlin, at("2026-01-31T11:00:00.9Z")), local("2026-01-31T12:00:00Z"));
  EXPECT_EQ(last_begun(kBerlin, at("2026-03-29T00:59:59Z")), local("2026-03-29T01:59:59Z"));
  EXPECT_EQ(last_begun(kBerlin, at("2026-03-29T01:00:00Z")), local("2026-03-29T03:00:00Z"));
  EXPECT_EQ(last_begun(kBerlin, at("2026-10-25T01:30:00Z")), local("2026-10-25T02:59:59Z"));
  EXPECT_EQ(last_begun(kBerlin, at("2026-10-25T02:00:00Z")), local("2026-10-25T03:00:00Z"));
  for (WallTime time = at("2026-10-24T20:00:00Z"); time < at("2026-10-25T06:00:00Z");
       time += seconds(61)) {
    const LocalTime last = last_begun(kBerlin, time);
    EXPECT_LE(begin_of(kBerlin, last), time);
    EXPECT_GT(begin_of(kBerlin, last + seconds(1)), time);
  }
}

TEST(TimeZone, WithoutChangesItIsUtc) {
  const TimeZone utc{"UTC", {}};
  EXPECT_EQ(begin_of(utc, local("2026-03-29T02:30:00Z")), at("2026-03-29T02:30:00Z"));
  EXPECT_EQ(last_begun(utc, at("2026-03-29T02:30:00Z")), local("2026-03-29T02:30:00Z"));
}

}  // namespace
}  // namespace scalableapp
