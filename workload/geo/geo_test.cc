#include <gtest/gtest.h>

#include <set>

#include "workload/geo/cells.h"
#include "workload/geo/drivers.h"
#include "workload/geo/surge.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

constexpr Place kArena{40.7505, -73.9934};

Place meters_east(const Place& from, double meters) { return {from.latitude, from.longitude + meters / 84'000}; }

TEST(Cells, APlaceAndOneNearbyShareACellOrTouch) {
  const auto around = cell_and_neighbours(cell_of(kArena));
  EXPECT_EQ(around.front(), cell_of(kArena));
  EXPECT_EQ(std::set(around.begin(), around.end()).size(), 9u) << "itself and the eight that touch it";
  EXPECT_NE(std::find(around.begin(), around.end(), cell_of(meters_east(kArena, 600))), around.end());
  EXPECT_EQ(std::find(around.begin(), around.end(), cell_of(meters_east(kArena, 8000))), around.end());
}

TEST(Cells, ATokenThatIsNoneHasNoNeighbours) {
  EXPECT_EQ(cell_and_neighbours("no such cell"), std::vector<std::string>{"no such cell"});
}

TEST(Cells, CoordinatesOutOfRangeAreNamed) {
  EXPECT_EQ(check_place({91, 0}).error().message, "lat must be a number from -90 to 90");
  EXPECT_EQ(check_place({0, -180.1}).error().message, "lng must be a number from -180 to 180");
  EXPECT_FALSE(check_place({std::nan(""), 0}));
  EXPECT_TRUE(check_place({-90, 180}));
}

TEST(Cells, DistancesAreThoseOfAGlobe) {
  EXPECT_NEAR(distance_meters({0, 0}, {0, 1}), 111'195, 10);  // A degree of the equator.
}

TEST(Surge, RisesWithRequestsPerDriverInStepsAndStopsAtThree) {
  EXPECT_EQ(surge_factor(0, 0), 1.0);
  EXPECT_EQ(surge_factor(10, 20), 1.0);
  EXPECT_EQ(surge_factor(15, 10), 1.5);
  EXPECT_EQ(surge_factor(19, 15), 1.3);
  EXPECT_EQ(surge_factor(500, 1), 3.0);
  EXPECT_EQ(surge_factor(2, 0), 2.0) << "nobody there counts as one";
}

class DriversInRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    redis_ = std::make_unique<RedisConnection>(RedisOptions{.server = {"127.0.0.1", server_->port()}});
    drivers_ = std::make_unique<Drivers>(*redis_);
  }
  WallTime at(int second) { return WallTime(seconds(1'800'000'000 + second)); }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisConnection> redis_;
  std::unique_ptr<Drivers> drivers_;
};

TEST_F(DriversInRedis, ADriverIsInOneCellOnlyHoweverItMoves) {
  const Place far = meters_east(kArena, 20'000);
  const auto here = drivers_->report("d1", kArena, at(0)).value();
  const auto there = drivers_->report("d1", far, at(1)).value();
  EXPECT_NE(here, there);
  EXPECT_EQ(drivers_->count(here, at(1)).value().drivers, 0);
  EXPECT_EQ(drivers_->count(there, at(1)).value().drivers, 1);
}

TEST_F(DriversInRedis, ADriverThatIsNotHeardOfIsNotCounted) {
  const auto cell = drivers_->report("d1", kArena, at(0)).value();
  EXPECT_EQ(drivers_->count(cell, at(30)).value().drivers, 1);
  EXPECT_EQ(drivers_->count(cell, at(31)).value().drivers, 0);
}

TEST_F(DriversInRedis, RequestsCountForAMinuteAndOnceEach) {
  const auto cell = cell_of(kArena);
  ASSERT_TRUE(drivers_->ask("r1", cell, at(0)));
  ASSERT_TRUE(drivers_->ask("r1", cell, at(5)));
  ASSERT_TRUE(drivers_->ask("r2", cell, at(5)));
  EXPECT_EQ(drivers_->count(cell, at(60)).value().requests, 2);
  EXPECT_EQ(drivers_->count(cell, at(61)).value().requests, 1) << "it was asked for at 0 and not again";
}

TEST_F(DriversInRedis, ARideGetsTheNearestDriverAndKeepsIt) {
  ASSERT_TRUE(drivers_->report("far", meters_east(kArena, 500), at(0)));
  ASSERT_TRUE(drivers_->report("near", meters_east(kArena, 50), at(0)));
  EXPECT_EQ(drivers_->assign("r1", kArena, at(1)).value(), "near");
  EXPECT_EQ(drivers_->assign("r1", kArena, at(1)).value(), "near") << "asked for a second time";
  EXPECT_EQ(drivers_->assign("r2", kArena, at(1)).value(), "far");
  EXPECT_EQ(drivers_->assign("r3", kArena, at(1)).value(), std::nullopt);
}

TEST_F(DriversInRedis, ABusyDriverThatReportsIsNotFree) {
  const auto cell = drivers_->report("d1", kArena, at(0)).value();
  ASSERT_EQ(drivers_->assign("r1", kArena, at(0)).value(), "d1");
  ASSERT_TRUE(drivers_->report("d1", kArena, at(2)));
  EXPECT_EQ(drivers_->count(cell, at(2)).value().drivers, 0);
}

}  // namespace
}  // namespace scalableapp::workload
