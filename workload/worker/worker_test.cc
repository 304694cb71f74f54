#include "workload/worker/worker.h"

#include <gtest/gtest.h>

#include "workload/common/job_queue.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    redis_ = RedisServer::start();
    if (redis_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    connection_ = std::make_unique<RedisConnection>(
        RedisOptions{.server = {"127.0.0.1", redis_->port()}, .command_timeout = seconds(5)});
    queue_.emplace(*connection_, "jobs");
  }
  WorkerOptions options() const {
    WorkerOptions options;
    options.address = "127.0.0.1";
    options.admin_port = 0;
    options.redis = redis_->address();
    options.job_ms = 1;
    options.job_cpu_ms = 0.1;
    return options;
  }
  void put(int count) {
    for (int index = 0; index < count; ++index) {
      ASSERT_TRUE(queue_->put({"job" + std::to_string(index), WallTime(milliseconds(1))}).value());
    }
  }
  bool are_processed(int count) {
    return eventually([&] { return queue_->processed_total().value_or(0) >= count; });
  }
  std::vector<RedisReply> slots() {
    return connection_->run_once({{"SMEMBERS", "jobs:slots"}}).value().items;
  }
  // The number of jobs that slots hold.
  std::size_t held() {
    std::size_t count = 0;
    for (const auto& slot : slots()) {
      if (queue_->held_by(slot.text).value()) ++count;
    }
    return count;
  }

  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<RedisConnection> connection_;
  std::optional<JobQueue> queue_;
};

TEST_F(WorkerTest, WorksOffTheQueueAndCounts) {
  put(50);
  const auto worker = Worker::start(options()).value();
  ASSERT_TRUE(are_processed(50));
  EXPECT_TRUE(
      eventually([&] { return metric(worker->admin_port(), "jobs_processed_total") == 50; }));
  EXPECT_TRUE(eventually(
      [&] { return metric(worker->admin_port(), "queue_length{queue=\"jobs\"}") == 0; }));
  EXPECT_EQ(metric(worker->admin_port(), "job_duration_seconds_count"), 50);
  EXPECT_EQ(metric(worker->admin_port(), "job_age_seconds_count"), 50);
  EXPECT_EQ(http_get(worker->admin_port(), "/readyz").status, 200);
  EXPECT_EQ(http_get(worker->admin_port(), "/livez").status, 200);
}

TEST_F(WorkerTest, AStopLetsJobsInWorkFinish) {
  put(4);
  auto changed = options();
  changed.job_ms = 300;
  const auto worker = Worker::start(changed).value();
  ASSERT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_in_progress") == 2; }));
  worker->drain();
  EXPECT_EQ(queue_->processed_total().value(), 2);
  EXPECT_EQ(queue_->length().value(), 2);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(http_get(worker->admin_port(), "/readyz").body, "draining\n");
}

TEST_F(WorkerTest, JobsThatNeedLongerThanTheStopAllowsGoBack) {
  put(3);
  auto changed = options();
  changed.job_ms = 600'000;
  changed.drain_seconds = 0;
  const auto worker = Worker::start(changed).value();
  ASSERT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_in_progress") == 2; }));
  worker->drain();
  EXPECT_EQ(queue_->length().value(), 3);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(metric(worker->admin_port(), "jobs_returned_total"), 2);
}

TEST_F(WorkerTest, AKilledWorkerLosesNoJob) {
  constexpr int kJobs = 30;
  put(kJobs);
  Process victim({DEMO_WORKLOAD_BINARY, "worker", "--address=127.0.0.1", "--admin-port=0",
                  "--redis=" + redis_->address(), "--job-ms=100", "--concurrency=3"});
  ASSERT_TRUE(are_processed(4));
  ASSERT_TRUE(eventually([&] { return held() > 0; }));
  victim.send(SIGKILL);
  EXPECT_EQ(victim.wait(), -1);
  for (const auto& slot : slots()) {
    // Its signs of life expire; the test does not wait for that.
    ASSERT_TRUE(connection_->run_once({{"DEL", "jobs:alive:" + slot.text}}));
  }
  const auto successor = Worker::start(options()).value();
  ASSERT_TRUE(are_processed(kJobs));
  EXPECT_EQ(queue_->processed_total().value(), kJobs);
  EXPECT_EQ(queue_->length().value(), 0);
  EXPECT_EQ(held(), 0u);
}

TEST_F(WorkerTest, ATerminatedProcessExitsWithZeroAndLeavesNothingBehind) {
  put(20);
  Process worker({DEMO_WORKLOAD_BINARY, "worker", "--address=127.0.0.1", "--admin-port=0",
                  "--redis=" + redis_->address(), "--job-ms=50"});
  ASSERT_TRUE(are_processed(3));
  worker.send(SIGTERM);
  EXPECT_EQ(worker.wait(), 0);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(queue_->processed_total().value() + queue_->length().value(), 20);
  EXPECT_TRUE(slots().empty());
}

TEST_F(WorkerTest, RedisGoingAwayAndComingBackIsSurvived) {
  const auto worker = Worker::start(options()).value();
  put(5);
  ASSERT_TRUE(are_processed(5));
  redis_->restart();
  ASSERT_TRUE(eventually([&] { return queue_->length().has_value(); }));
  put(5);
  EXPECT_TRUE(are_processed(5));
}

TEST_F(WorkerTest, EntriesThatAreNotJobsAreDroppedAndCounted) {
  ASSERT_TRUE(connection_->run_once({{"LPUSH", "jobs", "garbage"}}));
  put(1);
  const auto worker = Worker::start(options()).value();
  ASSERT_TRUE(are_processed(2));
  EXPECT_EQ(metric(worker->admin_port(), "jobs_malformed_total"), 1);
  EXPECT_TRUE(
      eventually([&] { return metric(worker->admin_port(), "jobs_processed_total") == 1; }));
}

}  // namespace
}  // namespace scalableapp::workload
