#include "workload/common/job_queue.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

class JobQueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    connection_ = connect();
    queue_.emplace(*connection_, "jobs");
  }
  std::unique_ptr<RedisConnection> connect() const {
    return std::make_unique<RedisConnection>(
        RedisOptions{.server = {"127.0.0.1", server_->port()}, .command_timeout = seconds(5)});
  }
  // What happens when a slot's worker has not renewed it for long.
  void let_expire(const std::string& slot) {
    ASSERT_TRUE(connection_->run_once({{"DEL", "jobs:alive:" + slot}}));
  }
  void put(const std::string& id) {
    ASSERT_TRUE(queue_->put({id, WallTime(milliseconds(1))}).value());
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisConnection> connection_;
  std::optional<JobQueue> queue_;
};

TEST(Job, ComesBackFromItsEncodingAndRefusesOtherText) {
  const auto job = Job::decode(Job{"an id", WallTime(milliseconds(123))}.encoded()).value();
  EXPECT_EQ(job.id, "an id");
  EXPECT_EQ(job.enqueued, WallTime(milliseconds(123)));
  for (const char* text : {"", "x", "12", "12x y"}) EXPECT_FALSE(Job::decode(text)) << text;
}

TEST_F(JobQueueTest, ClaimsInOrderAndForgetsWhatIsDone) {
  put("a");
  put("b");
  const auto first = queue_->claim("slot").value().value();
  EXPECT_EQ(Job::decode(first).value().id, "a");
  EXPECT_EQ(queue_->length().value(), 1);
  EXPECT_TRUE(queue_->done("slot", first).value());
  EXPECT_FALSE(queue_->done("slot", first).value());
  EXPECT_EQ(queue_->processed_total().value(), 1);
}

TEST_F(JobQueueTest, TheSameIdIsTakenOnce) {
  put("a");
  EXPECT_FALSE(queue_->put({"a", WallTime(milliseconds(2))}).value());
  EXPECT_EQ(queue_->length().value(), 1);
}

TEST_F(JobQueueTest, AnEmptyQueueGivesNothing) { EXPECT_FALSE(queue_->claim("slot").value()); }

TEST_F(JobQueueTest, AJobGivenBackIsTheNext) {
  put("a");
  put("b");
  const auto first = queue_->claim("slot").value().value();
  ASSERT_TRUE(queue_->give_back("slot", first));
  EXPECT_EQ(queue_->claim("slot").value().value(), first);
}

TEST_F(JobQueueTest, JobsOfDeadSlotsComeBackAndThoseOfLivingOnesStay) {
  put("a");
  put("b");
  const auto lost = queue_->claim("dead").value().value();
  const auto kept = queue_->claim("living").value().value();
  let_expire("dead");
  EXPECT_EQ(queue_->reclaim().value(), 1);
  EXPECT_EQ(queue_->reclaim().value(), 0);
  EXPECT_EQ(queue_->claim("living-2").value().value(), lost);
  EXPECT_TRUE(queue_->done("living", kept).value());
  EXPECT_FALSE(queue_->done("dead", lost).value());  // It came to life again and learns of it.
}

TEST_F(JobQueueTest, ASlotThatComesBackAfterItsReclaimIsListedAgain) {
  put("a");
  ASSERT_TRUE(queue_->claim("slot").value());
  let_expire("slot");
  ASSERT_EQ(queue_->reclaim().value(), 1);
  ASSERT_TRUE(queue_->claim("slot").value());
  let_expire("slot");
  EXPECT_EQ(queue_->reclaim().value(), 1);
}

TEST_F(JobQueueTest, LeavingWithAJobLeavesItToBeReclaimed) {
  put("a");
  ASSERT_TRUE(queue_->claim("slot").value());
  ASSERT_TRUE(queue_->leave("slot"));
  EXPECT_EQ(queue_->reclaim().value(), 1);
}

TEST_F(JobQueueTest, WhatASlotHoldsIsKnownAfterAnUnclearClaim) {
  put("a");
  EXPECT_FALSE(queue_->held_by("slot").value());
  const auto job = queue_->claim("slot").value();
  EXPECT_EQ(queue_->held_by("slot").value(), job);
}

TEST_F(JobQueueTest, ManyClaimersAtOnceTakeEachJobOnce) {
  constexpr int kJobs = 200;
  for (int index = 0; index < kJobs; ++index) put(std::to_string(index));
  std::mutex mutex;
  std::multiset<std::string> taken;
  {
    std::vector<std::jthread> claimers;
    for (int index = 0; index < 4; ++index) {
      claimers.emplace_back([&, index] {
        const auto connection = connect();
        JobQueue queue(*connection, "jobs");
        const std::string slot = "slot" + std::to_string(index);
        while (const auto job = queue.claim(slot).value()) {
          EXPECT_TRUE(queue.done(slot, *job).value());
          const std::lock_guard lock(mutex);
          taken.insert(*job);
        }
      });
    }
  }
  EXPECT_EQ(taken.size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(std::set<std::string>(taken.begin(), taken.end()).size(),
            static_cast<std::size_t>(kJobs));
}

TEST_F(JobQueueTest, AConnectionOutlivesARestartOfRedis) {
  put("a");
  server_->restart();
  EXPECT_EQ(queue_->length().value(), 0);
}

TEST_F(JobQueueTest, ARedisThatIsDownIsAnErrorAtOnce) {
  server_->stop();
  EXPECT_EQ(queue_->length().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(queue_->length().error().code, ErrorCode::kUnavailable);
  server_->restart();
  EXPECT_TRUE(eventually([&] { return queue_->length().has_value(); }));  // After its backoff.
}

}  // namespace
}  // namespace scalableapp::workload
