#include "workload/load/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string filled(const std::string& text, std::uint64_t user = 7) {
  std::mt19937_64 random(1);
  std::string out;
  TextTemplate::parse(text).value().append_to(out, {user, "abc", random});
  return out;
}

TEST(TextTemplate, EachPlaceIsFilled) {
  EXPECT_EQ(filled("/feed?user={user}"), "/feed?user=7");
  EXPECT_EQ(filled("{id}-{id}"), "abc-abc");
  EXPECT_EQ(filled("/items/{uniform:1}/{zipf:1}"), "/items/1/1");
  EXPECT_EQ(filled("{between:12.5:12.5}"), "12.500000");
  EXPECT_THAT(filled("/{uniform:9}?at={between:-1:1}"), MatchesRegex("/[1-9]\\?at=-?0\\.[0-9]{6}"));
}

TEST(TextTemplate, BracesOfJsonStandForThemselves) {
  const std::string json = R"({"a":{},"b":[{ "c":1}],"user":{user}})";
  EXPECT_EQ(filled(json), R"({"a":{},"b":[{ "c":1}],"user":7})");
  EXPECT_EQ(filled(""), "");
  EXPECT_EQ(filled("{"), "{");
}

TEST(TextTemplate, MistakesNameThePlaceAndWhatItMayBe) {
  const struct {
    const char* text;
    const char* message;
  } rows[] = {
      {"/{usr}", "{usr}: is not known; use {user}, {id}, {uniform:N}, {zipf:N} or {between:A:B}"},
      {"/{user:1}", "must be {user}"},
      {"/{uniform}", "must be {uniform:N}"},
      {"/{uniform:0}", "from 1 to 1000000000"},
      {"/{uniform:1.5}", "whole number"},
      {"/{zipf:x}", "must be {zipf:N}"},
      {"/{between:1}", "must be {between:A:B}"},
      {"/{between:2:1}", "A not above B"},
      {"/{between:1:nan}", "must be {between:A:B}"},
      {"/{user", "\"{user\" has no closing brace"},
  };
  for (const auto& row : rows) {
    const auto parsed = TextTemplate::parse(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_THAT(parsed.error().message, HasSubstr(row.message));
  }
}

TEST(Zipf, KIsAsLikelyAsOneByK) {
  std::mt19937_64 random(3);
  constexpr std::uint64_t kHighest = 1000;
  constexpr int kSamples = 400'000;
  const Zipf zipf(kHighest);
  std::map<std::uint64_t, int> counts;
  for (int sample = 0; sample < kSamples; ++sample) ++counts[zipf(random)];
  double harmonic = 0;
  for (std::uint64_t k = 1; k <= kHighest; ++k) harmonic += 1 / static_cast<double>(k);
  for (const std::uint64_t k : {1, 2, 3, 10, 100, 1000}) {
    const double expected = kSamples / (static_cast<double>(k) * harmonic);
    EXPECT_NEAR(counts[k], expected, 5 * std::sqrt(expected)) << k;
  }
  EXPECT_GE(counts.begin()->first, 1u);
  EXPECT_LE(counts.rbegin()->first, kHighest);
}

}  // namespace
}  // namespace scalableapp::workload
