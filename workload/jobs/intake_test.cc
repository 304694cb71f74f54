#include "workload/jobs/intake.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

class JobIntakeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    redis_ = RedisOptions{.server = {"127.0.0.1", server_->port()}};
    connection_ = std::make_unique<RedisConnection>(redis_);
  }
  std::unique_ptr<JobIntake> start(const IntakeOptions& options) {
    return JobIntake::start(options, redis_, registry_).value();
  }
  Job job() { return {std::to_string(++jobs_), "{}", WallTime(milliseconds(1))}; }
  double value(const std::string& family_name) {
    double sum = 0;
    for (const auto& family : registry_.Collect()) {
      if (family.name != family_name) continue;
      for (const auto& metric : family.metric) sum += metric.counter.value + metric.gauge.value;
    }
    return sum;
  }
  // A job that has waited since 2023.
  void make_old() {
    ASSERT_TRUE(connection_->run_once(
        {{"XADD", "jobs", "1700000000000-0", "id", "old", "payload", "", "enqueued", "1", "attempts", "0"}}));
  }
  bool is_refused(JobIntake& intake) {
    const auto put = intake.put(*connection_, "jobs", job());
    return !put && put.error().code == ErrorCode::kTooManyRequests && put.error().retry_after >= seconds(1);
  }

  std::unique_ptr<RedisServer> server_;
  RedisOptions redis_;
  std::unique_ptr<RedisConnection> connection_;
  prometheus::Registry registry_;
  int jobs_ = 0;
};

TEST_F(JobIntakeTest, TakesJobsForItsQueuesAndCountsThem) {
  const auto intake = start({.more_queues = "a,b"});
  EXPECT_TRUE(intake->put(*connection_, "jobs", job()).value());
  const auto twice = job();
  EXPECT_TRUE(intake->put(*connection_, "b", twice).value());
  EXPECT_FALSE(intake->put(*connection_, "b", twice).value());
  EXPECT_EQ(intake->put(*connection_, "c", job()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(value("jobs_accepted_total"), 2);
  EXPECT_TRUE(eventually([&] { return value("queue_length") == 2; }));
}

TEST_F(JobIntakeTest, ShedsWhileTheQueueIsOldAndTakesJobsAgainThen) {
  const auto intake = start({.max_queue_age_seconds = 5});
  make_old();
  ASSERT_TRUE(eventually([&] { return is_refused(*intake); }));
  EXPECT_GT(value("jobs_shed_total"), 0);
  EXPECT_GT(value("queue_oldest_age_seconds"), 1e6);
  ASSERT_TRUE(connection_->run_once({{"DEL", "jobs"}}));
  EXPECT_TRUE(eventually([&] { return !is_refused(*intake); }));
}

TEST_F(JobIntakeTest, WithTheGateOffTakesJobsHoweverOldTheQueueIs) {
  const auto intake = start({.max_queue_age_seconds = 0});
  make_old();
  ASSERT_TRUE(eventually([&] { return value("queue_oldest_age_seconds") > 1e6; }));
  EXPECT_FALSE(is_refused(*intake));
  EXPECT_EQ(value("jobs_shed_total"), 0);
}

TEST_F(JobIntakeTest, RefusesBeyondTheLengthOfTheQueue) {
  const auto intake = start({.transport = {.max_queue_length = 1}});
  EXPECT_FALSE(is_refused(*intake));
  EXPECT_TRUE(is_refused(*intake));
  EXPECT_EQ(value("jobs_shed_total"), 1);
}

TEST_F(JobIntakeTest, AnUnknownLengthIsNoSample) {
  const auto intake = start({});
  const auto samples = [&] {
    std::size_t count = 0;
    for (const auto& family : registry_.Collect()) count += family.name == "queue_length" ? family.metric.size() : 0;
    return count;
  };
  ASSERT_TRUE(eventually([&] { return samples() == 1; }));
  server_->stop();
  EXPECT_TRUE(eventually([&] { return samples() == 0; }));
}

TEST(JobIntake, SaysWhatIsWrongWithItsQueues) {
  prometheus::Registry registry;
  for (const char* queues : {"a,,b", ",", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"}) {
    const auto intake = JobIntake::start({.more_queues = queues}, {}, registry);
    ASSERT_FALSE(intake) << queues;
    EXPECT_EQ(intake.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(intake.error().message.find("--job-queues="), 0u) << intake.error().message;
  }
}

}  // namespace
}  // namespace scalableapp::workload
