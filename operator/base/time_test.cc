#include "operator/base/time.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

TEST(Rfc3339, ReadsWhatKubernetesWrites) {
  const auto time = parse_rfc3339("2026-01-31T12:00:00Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_rfc3339(*time), "2026-01-31T12:00:00Z");
  EXPECT_EQ(parse_rfc3339("2026-01-31T12:00:00.250000Z").value(), *time + milliseconds{250});
  EXPECT_EQ(parse_rfc3339("2026-01-31T13:30:00+01:30").value(), *time);
  EXPECT_EQ(parse_rfc3339("2026-01-31T12:00:00.123456789Z").value(), *time + milliseconds{123});
  EXPECT_EQ(parse_rfc3339("2026-01-31t12:00:00z").value(), *time);
  EXPECT_EQ(parse_rfc3339("2026-01-31T00:00:00-12:00").value(), *time);
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z").value() + std::chrono::days{1},
            parse_rfc3339("2024-03-01T00:00:00Z").value());
  EXPECT_EQ(format_rfc3339_micro(*time + milliseconds{7}), "2026-01-31T12:00:00.007000Z");
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00Zx", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+0100",
        "2026-1-31T12:00:00Z", "2026-01-31"}) {
    const auto time = parse_rfc3339(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::kDecode);
  }
}

TEST(Duration, ReadsGosText) {
  EXPECT_EQ(parse_duration("200ms").value(), milliseconds{200});
  EXPECT_EQ(parse_duration("1.5s").value(), milliseconds{1500});
  EXPECT_EQ(parse_duration("1m30s").value(), milliseconds{90'000});
  EXPECT_EQ(parse_duration("2h").value(), milliseconds{7'200'000});
  EXPECT_EQ(parse_duration("1h30m15.5s250ms").value(), milliseconds{5'415'750});
  EXPECT_EQ(parse_duration("0").value(), milliseconds{0});
  EXPECT_EQ(parse_duration("1500us").value(), milliseconds{2});
  for (const char* text : {"", "5", "ms", "-1s", "1d", "1s ", " 1s", "+1s", "1e3s", ".", ".s", "1",
                           "1ms2", "nan", "infs", "0x1s", "999999h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, WritesWhatItReads) {
  for (const char* text :
       {"0s", "200ms", "1.5s", "1m30s", "2h", "1h1m1s", "1ms", "59.999s", "1h0.25s"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  }
}

}  // namespace
}  // namespace scalableapp
