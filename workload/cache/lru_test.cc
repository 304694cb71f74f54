#include "workload/cache/lru.h"

#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

constexpr Instant kStart{};
constexpr auto kLater = kStart + seconds(10);
constexpr auto kMuchLater = kStart + seconds(60);

void put(Lru& lru, const std::string& key, const std::string& text) { lru.put(key, {text}, kLater, kMuchLater); }

TEST(Lru, AnEntryIsFreshThenStaleThenGone) {
  Lru lru(100'000, 10);
  put(lru, "a", "1");
  const auto fresh = lru.find("a", kLater - seconds(1));
  ASSERT_TRUE(fresh.has_value());
  EXPECT_TRUE(fresh->is_fresh);
  EXPECT_EQ(fresh->value.text, "1");
  EXPECT_FALSE(lru.find("a", kLater)->is_fresh);
  EXPECT_FALSE(lru.find("a", kMuchLater).has_value());
  EXPECT_EQ(lru.bytes(), 0U);
}

TEST(Lru, TheOneUsedLongestAgoGoesWhenThereAreTooManyEntries) {
  Lru lru(100'000, 2);
  put(lru, "a", "1");
  put(lru, "b", "2");
  lru.find("a", kStart);
  put(lru, "c", "3");
  EXPECT_TRUE(lru.find("a", kStart).has_value());
  EXPECT_FALSE(lru.find("b", kStart).has_value());
  EXPECT_TRUE(lru.find("c", kStart).has_value());
}

TEST(Lru, StaysWithinItsBytesWhateverIsPut) {
  Lru lru(10'000, 1'000'000);
  for (int index = 0; index < 1000; ++index) {
    put(lru, std::to_string(index), std::string(static_cast<std::size_t>(index), 'x'));
    ASSERT_LE(lru.bytes(), 10'000U);
  }
  EXPECT_GT(lru.entries(), 5U);
  lru.clear();
  EXPECT_EQ(lru.bytes(), 0U);
  EXPECT_EQ(lru.entries(), 0U);
}

TEST(Lru, AHugeValueIsNotStoredAndTakesItsOldOneAway) {
  Lru lru(10'000, 100);
  put(lru, "other", "1");
  put(lru, "a", "small");
  put(lru, "a", std::string(5'000, 'x'));
  EXPECT_FALSE(lru.find("a", kStart).has_value());
  EXPECT_TRUE(lru.find("other", kStart).has_value());
}

TEST(Lru, PuttingAgainReplacesAndErasingForgets) {
  Lru lru(10'000, 100);
  put(lru, "a", "1");
  const auto bytes = lru.bytes();
  put(lru, "a", "2");
  EXPECT_EQ(lru.bytes(), bytes);
  EXPECT_EQ(lru.find("a", kStart)->value.text, "2");
  EXPECT_TRUE(lru.erase("a"));
  EXPECT_FALSE(lru.erase("a"));
  EXPECT_EQ(lru.bytes(), 0U);
}

}  // namespace
}  // namespace scalableapp::workload
