#include "operator/simulation/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::simulation {
namespace {

using ::testing::ElementsAre;

class FleetTest : public ::testing::Test {
 protected:
  static Fleet::Options options(bool is_queue) {
    return {.app = "web",
            .times = {.create = milliseconds{300},
                      .startup = milliseconds{4000},
                      .warmup = milliseconds{3000},
                      .drain = milliseconds{5000},
                      .grace = milliseconds{10000}},
            .concurrency = 1,
            .is_queue = is_queue};
  }
  void run_until(Fleet& fleet, milliseconds end) {
    for (; now_ <= end; now_ += kTick) fleet.step(now_);
  }
  std::vector<std::string> names(const Fleet& fleet, Pod::Phase phase) {
    std::vector<std::string> names;
    for (const auto& pod : fleet.pods()) {
      if (pod->phase == phase) names.push_back(pod->name);
    }
    return names;
  }
  milliseconds now_{0};
  Outcomes outcomes_{1, false, 1000, 1};
  Outcomes waits_{1, true, 1000, 1};
};

TEST_F(FleetTest, NewPodsStartWarmUpAndThenServe) {
  Fleet fleet(options(false), outcomes_);
  fleet.begin(1);
  fleet.scale(milliseconds{0}, 3);
  run_until(fleet, milliseconds{200});
  EXPECT_EQ(names(fleet, Pod::Phase::kOrdered).size(), 2U);
  run_until(fleet, milliseconds{300});
  EXPECT_EQ(names(fleet, Pod::Phase::kStarting).size(), 2U);
  run_until(fleet, milliseconds{300 + 3100});  // 0.8 of the start-up at the least.
  EXPECT_EQ(names(fleet, Pod::Phase::kStarting).size(), 2U);
  run_until(fleet, milliseconds{300 + 4900});  // 1.2 at the most, and less than the warm-up more.
  EXPECT_EQ(names(fleet, Pod::Phase::kWarming).size(), 2U);
  EXPECT_EQ(fleet.serving(), 1);
  run_until(fleet, milliseconds{300 + 4800 + 3100});
  EXPECT_EQ(fleet.serving(), 3);
  EXPECT_EQ(fleet.replica_seconds(milliseconds{10300}), 10.3 + 2 * 10);
}

TEST_F(FleetTest, OnTheWayDownWhatDoesNotServeGoesFirstThenTheNewest) {
  Fleet fleet(options(false), outcomes_);
  fleet.begin(3);
  fleet.scale(milliseconds{0}, 5);
  run_until(fleet, milliseconds{1000});
  fleet.scale(now_, 4);
  EXPECT_THAT(names(fleet, Pod::Phase::kStarting), ElementsAre("web-4"));
  fleet.scale(now_, 2);
  EXPECT_THAT(names(fleet, Pod::Phase::kStarting), ElementsAre());
  EXPECT_THAT(names(fleet, Pod::Phase::kServing), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(names(fleet, Pod::Phase::kDraining), ElementsAre("web-3"));
  run_until(fleet, now_ + milliseconds{4800});
  EXPECT_THAT(names(fleet, Pod::Phase::kDraining), ElementsAre("web-3"));
  run_until(fleet, now_ + milliseconds{200});
  EXPECT_EQ(fleet.pods().size(), 2U);
}

TEST_F(FleetTest, ADrainingPodEndsWhatItHas) {
  Fleet fleet(options(false), outcomes_);
  fleet.begin(2);
  fleet.arrive({0, 8, false}, ~std::uint64_t{0});  // To the newest.
  run_until(fleet, milliseconds{1000});
  fleet.scale(milliseconds{1000}, 1);
  run_until(fleet, milliseconds{7900});
  EXPECT_EQ(fleet.pods().size(), 2U);
  run_until(fleet, milliseconds{8000});
  EXPECT_EQ(fleet.pods().size(), 1U);
  EXPECT_EQ(outcomes_.served, 1);
}

TEST_F(FleetTest, ADrainingPodServesAgainWhereTheOperatorNeedsIt) {
  for (const bool takes_back : {true, false}) {
    for (const bool is_queue : {false, true}) {
      Fleet::Options options = this->options(is_queue);
      options.takes_back = takes_back;
      Fleet fleet(options, outcomes_);
      fleet.begin(3);
      now_ = milliseconds{0};
      for (int i = 0; i < 3; ++i) fleet.arrive({0, 10, false}, std::uint64_t(i) << 62);
      run_until(fleet, milliseconds{1000});
      fleet.scale(milliseconds{1000}, 1);
      run_until(fleet, milliseconds{3000});
      fleet.scale(milliseconds{3000}, 2);
      EXPECT_EQ(fleet.serving(), takes_back ? 2 : 1);
      EXPECT_EQ(names(fleet, Pod::Phase::kDraining).size(), takes_back ? 1U : 2U);
      EXPECT_EQ(names(fleet, Pod::Phase::kOrdered).size(), takes_back ? 0U : 1U);
      run_until(fleet, milliseconds{30000});
      EXPECT_EQ(fleet.serving(), 2);
      fleet.advance(30);
      EXPECT_EQ(fleet.in_progress() + fleet.waiting(), 0);
    }
  }
}

TEST_F(FleetTest, WhatADrainingPodCannotEndInTimeFails) {
  for (const bool is_queue : {false, true}) {
    Outcomes& outcomes = is_queue ? waits_ : outcomes_;
    Fleet fleet(options(is_queue), outcomes);
    fleet.begin(1);
    fleet.arrive({0, 500, false}, 0);
    now_ = milliseconds{0};
    run_until(fleet, milliseconds{1000});
    fleet.advance(1);
    fleet.scale(milliseconds{1000}, 0);
    run_until(fleet, milliseconds{15900});
    EXPECT_EQ(outcomes.failed, 0);
    run_until(fleet, milliseconds{16000});
    EXPECT_EQ(outcomes.failed, 1);
    EXPECT_EQ(fleet.pods().size(), 0U);
  }
}

TEST_F(FleetTest, WithoutAPodRequestsFailAndJobsWait) {
  Fleet service(options(false), outcomes_);
  service.begin(0);
  service.arrive({0, 1, false}, 0);
  EXPECT_EQ(outcomes_.failed, 1);
  EXPECT_EQ(outcomes_.seconds[0].missed, 1U);

  Fleet queue(options(true), waits_);
  queue.begin(0);
  queue.arrive({0, 1, false}, 0);
  queue.scale(milliseconds{0}, 1);
  run_until(queue, milliseconds{20000});
  queue.advance(20);
  EXPECT_EQ(waits_.served, 1);
  EXPECT_EQ(waits_.seconds[0].missed, 1U);  // It waited for the pod, longer than 1 s.
}

TEST_F(FleetTest, ThePodsGetTheirShareByChance) {
  Fleet fleet(options(false), outcomes_);
  fleet.begin(4);
  for (std::uint64_t i = 0; i < 4; ++i) fleet.arrive({0, 1, false}, (2 * i + 1) << 61);
  for (const auto& pod : fleet.pods()) EXPECT_EQ(pod->counters.arrived, 1);
}

}  // namespace
}  // namespace scalableapp::simulation
