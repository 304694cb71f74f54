#include "workload/protection/degrade_level.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

namespace scalableapp::workload {
namespace {

TEST(DegradeLevel, IsReadFromItsTextOrRefused) {
  const struct {
    const char* text;
    std::optional<int> level;
  } rows[] = {{"", 0},     {"0", 0},  {"1", 1},   {"2\n", 2}, {" 1 ", 1},
              {"9", 2},    {"-1", {}}, {"1.5", {}}, {"high", {}}, {"1 2", {}},
              {"99999999999", {}}};
  for (const auto& row : rows) {
    const auto level = parse_degrade_level(row.text);
    EXPECT_EQ(level ? std::optional(*level) : std::nullopt, row.level) << row.text;
  }
  EXPECT_EQ(parse_degrade_level("high").error().message,
            "degrade level \"high\": must be a whole number from 0 to 2");
}

class DegradeLevelFile : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("degrade-level-" + std::to_string(getpid()));
    std::filesystem::create_directory(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // As the kubelet does it: a new directory, and a symbolic link that is renamed over the old one.
  void publish(const std::string& text) {
    const auto version = directory_ / ("version-" + std::to_string(++versions_));
    std::filesystem::create_directory(version);
    std::ofstream(version / "degrade-level") << text;
    std::filesystem::create_directory_symlink(version, directory_ / "new");
    std::filesystem::rename(directory_ / "new", directory_ / "data");
  }
  DegradeLevel make() {
    return DegradeLevel(directory_ / "data" / "degrade-level", [this](int level) { told_.push_back(level); },
                        [this] { ++bad_; });
  }
  int read(DegradeLevel& level) { return level.at(now_ += seconds(1)); }

  std::filesystem::path directory_;
  Instant now_ = Instant{} + seconds(1000);
  int versions_ = 0;
  std::vector<int> told_;
  int bad_ = 0;
};

TEST_F(DegradeLevelFile, FollowsWhatTheKubeletPublishes) {
  auto level = make();
  EXPECT_EQ(read(level), 0);  // No file yet.
  for (const int published : {1, 2, 0}) {
    publish(std::to_string(published));
    EXPECT_EQ(read(level), published);
  }
  EXPECT_EQ(told_, (std::vector<int>{1, 2, 0}));
  publish("");  // The annotation was removed.
  EXPECT_EQ(read(level), 0);
  EXPECT_EQ(bad_, 0);
}

TEST_F(DegradeLevelFile, IsReadAtMostOnceASecond) {
  auto level = make();
  publish("1");
  EXPECT_EQ(read(level), 1);
  publish("2");
  EXPECT_EQ(level.at(now_ + milliseconds(999)), 1);
  EXPECT_EQ(level.at(now_ + milliseconds(1000)), 2);
}

TEST_F(DegradeLevelFile, NonsenseIsZeroAndCounted) {
  auto level = make();
  publish("2");
  EXPECT_EQ(read(level), 2);
  publish(std::string(10'000, 'x'));
  EXPECT_EQ(read(level), 0);
  EXPECT_EQ(read(level), 0);
  EXPECT_EQ(bad_, 2);
  publish("1");
  EXPECT_EQ(read(level), 1);
}

}  // namespace
}  // namespace scalableapp::workload
