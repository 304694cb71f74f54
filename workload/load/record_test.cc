#include "workload/load/record.h"

#include <gtest/gtest.h>

#include "workload/load/report.h"

namespace scalableapp::workload {
namespace {

TEST(Timeline, SecondsWithNothingGoingOnLeaveNoRow) {
  Timeline timeline;
  timeline.close_second(10, 0, 0, false);
  timeline.close_second(11, 5, 0, true);
  timeline.current().offered = 3;
  timeline.close_second(12, 0, 0, false);
  ASSERT_EQ(timeline.rows().size(), 2u);
  EXPECT_EQ(timeline.row_of(12).offered, 3u);
  EXPECT_EQ(timeline.row_of(10).offered, 0u);
}

TEST(Timeline, TwoRunsWithinASecondShareItsRow) {
  Timeline timeline;
  timeline.current().offered = 3;
  timeline.close_second(12, 0, 0, true);
  timeline.current().count(Outcome::kReset, {});
  timeline.current().offered = 4;
  timeline.close_second(12, 0, 0, true);
  ASSERT_EQ(timeline.rows().size(), 1u);
  EXPECT_EQ(timeline.rows()[0].offered, 7u);
  EXPECT_EQ(timeline.rows()[0].failed, 1u);
  EXPECT_EQ(timeline.rows()[0].outcomes[static_cast<std::size_t>(Outcome::kReset)], 1u);
}

TEST(Timeline, TheLastFiveSecondsForgetTheSixth) {
  Timeline timeline;
  timeline.current().count(Outcome::kOk, seconds(9));
  timeline.close_second(0, 0, 0, true);
  for (int second = 1; second < 5; ++second) {
    timeline.current().count(Outcome::kOk, milliseconds(1));
    timeline.close_second(second, 0, 0, true);
  }
  EXPECT_EQ(timeline.last_five().max(), seconds(9));
  timeline.close_second(5, 0, 0, true);
  EXPECT_EQ(timeline.last_five().max(), milliseconds(1));
  EXPECT_EQ(timeline.last_five().count(), 4u);
}

}  // namespace
}  // namespace scalableapp::workload
