#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <thread>

#include "workload/common/random_id.h"
#include "workload/search/index.h"

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

class Search : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::create_directory(directory_));
    index_ = SearchIndex::create(directory_ / "index").value();
    ASSERT_TRUE(index_->put(sample_restaurants(500)));
    ASSERT_TRUE(index_->put({{"m1", "Dosa Corner", "Pune", "South Indian", {"Masala Dosa"}, 3.0},
                             {"m2", "Dosa Palace", "Pune", "South Indian", {"Masala Dosa"}, 4.9},
                             {"m3", "Biryani Blues", "Delhi", "Hyderabadi", {"Mutton Biryani"}, 4.0}}));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<SearchHit> hits(const SearchQuery& query) { return index_->search(query).value().hits; }

  const std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("search-" + random_id());
  std::unique_ptr<SearchIndex> index_;
};

TEST_F(Search, ATypingErrorIsForgivenAndToldUnlessSwitchedOff) {
  const auto forgiven = index_->search({.text = "biriani"}).value();
  EXPECT_FALSE(forgiven.hits.empty());
  EXPECT_EQ(forgiven.corrected, "biryani");
  EXPECT_TRUE(hits({.text = "biriani", .forgives_typos = false}).empty());
  EXPECT_EQ(index_->search({.text = "biryani"}).value().corrected, "");
}

TEST_F(Search, OfTwoThatMatchTheSameTheBetterRatedIsFirstIfItRanks) {
  const auto ranked = hits({.text = "dosa", .city = "Pune", .limit = 2});
  ASSERT_EQ(ranked.size(), 2u);
  EXPECT_EQ(ranked[0].id, "m2");
  EXPECT_GT(ranked[0].score, ranked[1].score);
}

TEST_F(Search, ACityFiltersWhateverItsCase) {
  for (const auto& hit : hits({.text = "biryani", .city = "delhi", .limit = 50})) EXPECT_EQ(hit.city, "Delhi");
}

TEST_F(Search, WhatIsPutAgainIsReplacedNotDoubled) {
  ASSERT_TRUE(index_->put({{"m1", "Dosa Corner", "Pune", "South Indian", {"Zeppole"}, 3.0}}));
  EXPECT_EQ(hits({.text = "zeppole"}).size(), 1u);
  std::set<std::string> ids;
  for (const auto& hit : hits({.text = "corner", .limit = 50})) EXPECT_TRUE(ids.insert(hit.id).second) << hit.id;
}

TEST_F(Search, BadQueriesAreRefusedWithWhatTheyShouldBe) {
  EXPECT_THAT(index_->search({.text = ""}).error().message, HasSubstr("q must have 1 to 200 bytes"));
  EXPECT_FALSE(index_->search({.text = std::string(201, 'x')}));
  EXPECT_EQ(index_->search({.text = "x", .limit = 51}).error().message, "limit must be from 1 to 50");
  EXPECT_TRUE(hits({.text = "\xff\x00 AND OR (((\"", .limit = 5}).empty());
}

TEST_F(Search, SearchesAndChangesSideBySide) {
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const auto found = index_->search({.text = "masala dosa"});
        if (!found || found->hits.empty()) ++failures;
      }
    });
  }
  for (int round = 0; round < 20; ++round) ASSERT_TRUE(index_->put(sample_restaurants(10)));
  threads.clear();
  EXPECT_EQ(failures, 0);
}

TEST(SearchIndexDirectory, ThatCannotBeWrittenIsNamed) {
  EXPECT_THAT(SearchIndex::create("/proc/none/index").error().message, HasSubstr("--index-directory=/proc/none/index"));
}

}  // namespace
}  // namespace scalableapp::workload
