#include "workload/jobs/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace scalableapp::workload {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Audit, FindsEveryJobInOnePlace) {
  const auto audit = audit_queues({{"a", {"1", "2", "3", "4"}, {"1"}, {"2", "3"}, {"4"}}, {"b", {"2", "3"}, {}, {"2", "3"}, {}}},
                                  std::vector<std::string>{"1", "2"});
  EXPECT_EQ(audit.lost(), 0u);
  EXPECT_EQ(audit.duplicated(), 0u);
  const auto report = nlohmann::json::parse(audit.json());
  EXPECT_EQ(report["accepted"], 2);
  EXPECT_EQ(report["queues"][0]["put"], 4);
  EXPECT_EQ(report["queues"][0]["waiting"], 1);
  EXPECT_EQ(report["queues"][0]["done"], 2);
  EXPECT_EQ(report["queues"][0]["dead"], 1);
}

TEST(Audit, NamesWhatIsNowhere) {
  const auto audit = audit_queues({{"a", {"1", "2"}, {}, {"1"}, {}}}, {});
  EXPECT_THAT(audit.queues[0].lost, ElementsAre("2"));
  EXPECT_EQ(audit.lost(), 1u);
}

TEST(Audit, NamesWhatGotLostBetweenTwoQueues) {
  const auto audit = audit_queues({{"a", {"1", "2"}, {}, {"1", "2"}, {}}, {"b", {"1"}, {"1"}, {}, {}}}, {});
  EXPECT_THAT(audit.queues[0].lost, ElementsAre("2"));
  EXPECT_THAT(audit.queues[1].lost, IsEmpty());
}

TEST(Audit, NamesWhatIsInTwoPlacesOrInOneTwice) {
  const auto audit = audit_queues({{"a", {"1", "2", "3"}, {"1", "2", "2"}, {"1", "3"}, {"3"}}}, {});
  EXPECT_THAT(audit.queues[0].duplicated, ElementsAre("2", "1", "3"));
}

TEST(Audit, NamesAcceptedJobsThatNeverArrived) {
  const auto audit = audit_queues({{"a", {"1"}, {"1"}, {}, {}}}, std::vector<std::string>{"1", "9"});
  EXPECT_THAT(audit.never_put, ElementsAre("9"));
  EXPECT_EQ(audit.lost(), 1u);
}

TEST(Audit, SaysWhatIsWrongWithItsFlags) {
  EXPECT_EQ(run_audit({.redis = "nowhere"}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(run_audit({.queues = "a,,b"}).error().code, ErrorCode::kInvalid);
  EXPECT_THAT(run_audit({.accepted_file = "/nowhere"}).error().message, ::testing::HasSubstr("--accepted=/nowhere"));
}

}  // namespace
}  // namespace scalableapp::workload
