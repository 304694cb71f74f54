#include "workload/load/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

TEST(Limits, ACauseIsNamedBeforeWhatFollowsFromIt) {
  const struct {
    OwnSecond own;
    Limit limit;
    const char* why;
  } rows[] = {
      {{}, Limit::kNone, ""},
      {{.cpu_share = 0.9, .lag_p99_ms = 20}, Limit::kNone, ""},
      {{.lag_p99_ms = 21}, Limit::kLate, "21 ms late"},
      {{.cpu_share = 0.97, .lag_p99_ms = 80}, Limit::kCpu, "97 % of a core"},
      {{.cpu_share = 1, .lag_p99_ms = 80, .waited = 5}, Limit::kConnections, "5 requests waited"},
      {{.waited = 5, .out_of_descriptors = 2}, Limit::kDescriptors, "descriptor for 2"},
      {{.waited = 5, .out_of_ports = 3, .out_of_descriptors = 2}, Limit::kPorts, "port for 3"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(limit_of(row.own), row.limit) << row.why;
    EXPECT_THAT(explain(row.limit, row.own), HasSubstr(row.why));
  }
}

TEST(Limits, AFewConnectionsAlwaysFit) {
  EXPECT_EQ(room_for_connections(100), 100);
  EXPECT_LT(room_for_connections(2'000'000'000), 2'000'000'000);
}

}  // namespace
}  // namespace scalableapp::workload
