#include "workload/jobs/redis_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "workload/jobs/audit.h"
#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr milliseconds kNoWait{0};
constexpr WallTime kSomeTime(milliseconds(1'700'000'000'000));

class RedisStreamsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    connection_ = connect();
    queue_.emplace(*connection_, "jobs", options());
  }
  // Dead at once where a test says so by reading with `impatient`.
  static RedisStreamsOptions options() { return {.dead_after = seconds(60)}; }
  std::unique_ptr<RedisConnection> connect() const {
    return std::make_unique<RedisConnection>(
        RedisOptions{.server = {"127.0.0.1", server_->port()}, .command_timeout = seconds(5)});
  }
  // For whom every consumer is dead that has not renewed within this very millisecond.
  RedisStreams impatient() { return RedisStreams(*connection_, "jobs", {.dead_after = milliseconds(0)}); }
  void put(const std::string& id, const std::string& payload = "{}") {
    ASSERT_TRUE(queue_->put({id, payload, kSomeTime}).value());
  }
  ClaimedJob claim(const std::string& consumer = "worker") { return queue_->claim(consumer, kNoWait).value().value(); }
  bool is_empty(const std::string& consumer = "worker") { return !queue_->claim(consumer, kNoWait).value().has_value(); }
  Backlog backlog() { return queue_->backlog().value(); }
  RedisReply run(const RedisConnection::Command& command) { return connection_->run_once({command}).value(); }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisConnection> connection_;
  std::optional<RedisStreams> queue_;
};

TEST_F(RedisStreamsTest, GivesJobsInOrderAsTheyWerePutIn) {
  const std::string bytes("a\r\n\0\xff b", 8);
  put("first id", bytes);
  put("second");
  const auto job = claim();
  EXPECT_EQ(job.job.id, "first id");
  EXPECT_EQ(job.job.payload, bytes);
  EXPECT_EQ(job.job.enqueued, kSomeTime);
  EXPECT_EQ(job.attempts, 0);
  EXPECT_EQ(claim().job.id, "second");
  EXPECT_TRUE(is_empty());
}

TEST_F(RedisStreamsTest, WhatIsDoneIsForgottenButForItsId) {
  put("a");
  const auto job = claim();
  EXPECT_TRUE(queue_->done(job, {}).value());
  EXPECT_FALSE(queue_->done(job, {}).value());
  EXPECT_EQ(backlog(), Backlog{.finished = 1});
  EXPECT_FALSE(queue_->put({"a", "", kSomeTime}).value());
  EXPECT_THAT(read_queue_ids(*connection_, "jobs").value().done, ElementsAre("a"));
}

TEST_F(RedisStreamsTest, TheSameIdIsTakenOnce) {
  put("a");
  EXPECT_FALSE(queue_->put({"a", "other", kSomeTime}).value());
  EXPECT_EQ(backlog().waiting, 1);
}

TEST_F(RedisStreamsTest, RefusesWhatIsTooLargeAndWhatIsTooMuch) {
  EXPECT_EQ(queue_->put({"", "", kSomeTime}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(queue_->put({std::string(129, 'x'), "", kSomeTime}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(queue_->put({"a", std::string(16 * 1024 + 1, 'x'), kSomeTime}).error().code, ErrorCode::kInvalid);
  RedisStreams small(*connection_, "small", {.max_length = 2});
  EXPECT_TRUE(small.put({"a", std::string(16 * 1024, 'x'), kSomeTime}).value());
  EXPECT_TRUE(small.put({"b", "", kSomeTime}).value());
  const auto refused = small.put({"c", "", kSomeTime});
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  EXPECT_TRUE(refused.error().retry_after);
  EXPECT_FALSE(small.put({"a", "", kSomeTime}).value()) << "it is in there already";
}

TEST_F(RedisStreamsTest, AWaitingClaimGetsAJobThatComesMeanwhile) {
  std::jthread producer([this] {
    const auto connection = connect();
    // The consumer is on the list from its first claim on; before that there is no wait to be tested.
    EXPECT_TRUE(eventually([&] { return connection->run_once({{"XINFO", "GROUPS", "jobs"}}).has_value(); }));
    EXPECT_TRUE(RedisStreams(*connection, "jobs").put({"a", "", kSomeTime}).value());
  });
  EXPECT_TRUE(eventually([&] { return queue_->claim("worker", seconds(1)).value().has_value(); }));
}

TEST_F(RedisStreamsTest, AFailedJobComesBackWhenDueWithItsTriesCounted) {
  put("a", "payload");
  ASSERT_TRUE(queue_->retry_later(claim(), seconds(60)).value());
  EXPECT_TRUE(is_empty());
  EXPECT_EQ(backlog(), (Backlog{.delayed = 1}));
  run({"ZINCRBY", "jobs:delayed", "-60000", run({"ZRANGE", "jobs:delayed", "0", "0"}).items[0].text});
  EXPECT_EQ(backlog(), (Backlog{.waiting = 1})) << "due, so a worker could begin it";
  const auto again = claim();
  EXPECT_EQ(again.job.id, "a");
  EXPECT_EQ(again.job.payload, "payload");
  EXPECT_EQ(again.job.enqueued, kSomeTime);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_FALSE(again.is_reclaimed);
  ASSERT_TRUE(queue_->retry_later(again, kNoWait).value());
  EXPECT_EQ(claim().attempts, 2);
}

TEST_F(RedisStreamsTest, KeepingUpWakesThoseWhoWait) {
  put("a");
  ASSERT_TRUE(queue_->retry_later(claim(), kNoWait).value());
  ASSERT_TRUE(queue_->keep_up());
  EXPECT_EQ(run({"XLEN", "jobs"}).integer, 1);
}

TEST_F(RedisStreamsTest, ABuriedJobIsADeadLetterWithItsReason) {
  put("a", "payload");
  ASSERT_TRUE(queue_->bury(claim(), "does not parse").value());
  EXPECT_EQ(backlog(), (Backlog{.finished = 1}));
  const auto letters = run({"XRANGE", "jobs:dead", "-", "+"});
  std::vector<std::string> letter;
  for (const auto& field : letters.items.at(0).items.at(1).items) letter.push_back(field.text);
  EXPECT_THAT(letter, ElementsAre("id", "a", "payload", "payload", "enqueued", "1700000000000", "attempts", "0", "why",
                                  "does not parse"));
  EXPECT_THAT(read_queue_ids(*connection_, "jobs").value().dead, ElementsAre("a"));
}

TEST_F(RedisStreamsTest, AJobGivenBackIsTheNextAndItsTryDoesNotCount) {
  put("a");
  put("b");
  ASSERT_TRUE(queue_->give_back(claim()).value());
  EXPECT_EQ(backlog().waiting, 2);
  const auto again = claim("other");
  EXPECT_EQ(again.job.id, "a");
  EXPECT_EQ(again.attempts, 0);
  EXPECT_FALSE(again.is_reclaimed);
}

TEST_F(RedisStreamsTest, TheJobsOfADeadConsumerAreClaimedByTheLiving) {
  put("a");
  put("b");
  const auto lost = claim("dead");
  EXPECT_EQ(backlog(), (Backlog{.waiting = 1, .in_work = 1, .oldest_age_seconds = backlog().oldest_age_seconds}));
  auto heir = impatient();
  EXPECT_EQ(heir.backlog().value().waiting, 2);
  const auto inherited = heir.claim("heir", kNoWait).value().value();
  EXPECT_EQ(inherited.job.id, "a");
  EXPECT_TRUE(inherited.is_reclaimed);
  EXPECT_EQ(inherited.attempts, 1);
  // The dead one was only slow: what it does with the job has no effect any more.
  EXPECT_FALSE(queue_->done(lost, {}).value());
  EXPECT_FALSE(queue_->retry_later(lost, kNoWait).value());
  EXPECT_FALSE(queue_->bury(lost, "").value());
  EXPECT_FALSE(queue_->give_back(lost).value());
  EXPECT_TRUE(heir.done(inherited, {}).value());
}

TEST_F(RedisStreamsTest, AConsumerThatRenewsKeepsItsJob) {
  put("a");
  const auto job = claim();
  run({"XCLAIM", "jobs", "workers", "worker", "0", job.handle.substr(0, job.handle.find(' ')), "IDLE", "61000", "JUSTID"});
  EXPECT_EQ(backlog().in_work, 0);
  EXPECT_GE(backlog().oldest_age_seconds, 61) << "nobody has worked on it for so long";
  ASSERT_TRUE(queue_->renew("worker"));
  EXPECT_EQ(backlog().in_work, 1);
  EXPECT_TRUE(is_empty("other"));
  EXPECT_TRUE(queue_->done(job, {}).value());
}

TEST_F(RedisStreamsTest, ADeadOnesJobIsFoundBehindManyOfTheLiving) {
  for (int index = 0; index < 30; ++index) put(std::to_string(index));
  for (int index = 0; index < 30; ++index) claim("worker" + std::to_string(index));
  const auto last = run({"XPENDING", "jobs", "workers", "-", "+", "30"}).items.back().items[0].text;
  run({"XCLAIM", "jobs", "workers", "worker29", "0", last, "IDLE", "61000", "JUSTID"});
  EXPECT_EQ(claim("heir").job.id, "29");
}

TEST_F(RedisStreamsTest, LeavingGivesBackAndForgetsTheConsumer) {
  put("a");
  claim();
  ASSERT_TRUE(queue_->leave("worker"));
  EXPECT_EQ(claim("other").attempts, 0);
  ASSERT_TRUE(queue_->leave("other"));
  const auto consumers = run({"XINFO", "CONSUMERS", "jobs", "workers"});
  for (const auto& consumer : consumers.items) {
    EXPECT_EQ(consumer.items[1].text, "returned");
  }
}

TEST_F(RedisStreamsTest, SilentConsumersWithoutJobsAreForgottenAndThoseWithJobsAreNot) {
  put("a");
  claim("holds one");
  EXPECT_TRUE(is_empty("has none"));
  auto strict = impatient();
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(strict.keep_up());
    return run({"XINFO", "CONSUMERS", "jobs", "workers"}).items.size() == 1;
  }));
  EXPECT_EQ(backlog().in_work, 1);
}

TEST_F(RedisStreamsTest, WhatIsDoneGoesToTheNextStageInTheSameStep) {
  put("a", "order");
  const auto job = claim();
  EXPECT_TRUE(queue_->done(job, NextStage{"next", "assignment"}).value());
  EXPECT_FALSE(queue_->done(job, NextStage{"next", "assignment"}).value()) << "the answer to the first got lost, say";
  RedisStreams next(*connection_, "next");
  const auto handed = next.claim("worker", kNoWait).value().value();
  EXPECT_EQ(handed.job.id, "a");
  EXPECT_EQ(handed.job.payload, "assignment");
  EXPECT_EQ(handed.job.enqueued, kSomeTime) << "its age is that of the order";
  EXPECT_FALSE(next.claim("worker", kNoWait).value());
}

TEST_F(RedisStreamsTest, AFullNextStageHoldsTheJobBack) {
  RedisStreams queue(*connection_, "jobs", {.max_length = 1});
  put("a");
  ASSERT_TRUE(RedisStreams(*connection_, "next").put({"x", "", kSomeTime}).value());
  const auto job = queue.claim("worker", kNoWait).value().value();
  EXPECT_EQ(queue.done(job, NextStage{"next", ""}).error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(backlog().in_work, 1);
  RedisStreams next(*connection_, "next");
  ASSERT_TRUE(next.done(next.claim("worker", kNoWait).value().value(), {}).value());
  EXPECT_TRUE(queue.done(job, NextStage{"next", ""}).value());
}

TEST_F(RedisStreamsTest, AnIdThatIsDoneHasNoSecondEffect) {
  put("a");
  ASSERT_TRUE(queue_->done(claim(), NextStage{"next", ""}).value());
  run({"DEL", "jobs:ids"});  // Put in again after longer than the ids are remembered.
  put("a");
  EXPECT_FALSE(queue_->done(claim(), NextStage{"next", ""}).value());
  EXPECT_EQ(RedisStreams(*connection_, "next").backlog().value().waiting, 1);
}

TEST_F(RedisStreamsTest, RemembersNoMoreIdsThanItMay) {
  RedisStreams queue(*connection_, "jobs", {.ids_kept = 3});
  for (const char* id : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(queue.put({id, "", kSomeTime}).value());
    ASSERT_TRUE(queue.done(queue.claim("worker", kNoWait).value().value(), {}).value());
  }
  const auto ids = read_queue_ids(*connection_, "jobs").value();
  EXPECT_EQ(ids.put.size(), 3u);
  EXPECT_EQ(ids.done.size(), 3u);
  EXPECT_GT(run({"TTL", "jobs:ids"}).integer, 0);
  EXPECT_GT(run({"TTL", "jobs:done-ids"}).integer, 0);
}

TEST_F(RedisStreamsTest, EntriesThatAreNoJobsAreTold) {
  run({"XADD", "jobs", "*", "x", "y"});
  run({"XADD", "jobs", "*", "id", "a", "payload", "", "enqueued", "soon", "attempts", "0"});
  run({"XADD", "jobs", "*", "id", "b", "payload", std::string(20'000, 'x'), "enqueued", "1", "attempts", "0"});
  run({"XADD", "jobs", "*", "id", "c", "payload", "", "enqueued", "1", "attempts", "-1"});
  for (const char* why : {"id must", "enqueued must", "payload must", "attempts must"}) {
    const auto job = claim();
    EXPECT_THAT(job.why_malformed, ::testing::StartsWith(why));
    EXPECT_TRUE(queue_->bury(job, job.why_malformed).value());
  }
}

TEST_F(RedisStreamsTest, TheAgeIsOfTheLineAndNotOfTheJob) {
  EXPECT_EQ(backlog().oldest_age_seconds, 0);
  run({"XADD", "jobs", "1700000000000-0", "id", "a", "payload", "", "enqueued", "1", "attempts", "0"});
  EXPECT_GT(backlog().oldest_age_seconds, 1e6);
  ASSERT_TRUE(queue_->retry_later(claim(), kNoWait).value());
  ASSERT_TRUE(queue_->keep_up());
  EXPECT_LT(backlog().oldest_age_seconds, 60) << "it has joined the line anew";
  claim();
  EXPECT_EQ(backlog().oldest_age_seconds, 0) << "what is in work does not wait";
}

TEST_F(RedisStreamsTest, AClaimOfUnknownOutcomeIsFoundByTheNext) {
  put("a");
  RedisConnection slow({.server = {"127.0.0.1", server_->port()}, .command_timeout = milliseconds(200)});
  RedisStreams queue(slow, "jobs", options());
  ASSERT_TRUE(slow.run_once({{"PING"}}));
  // Redis holds every write for half a second: the claim's answer comes too late, and its effect may come all the same.
  run({"CLIENT", "PAUSE", "500", "WRITE"});
  EXPECT_EQ(queue.claim("worker", kNoWait).error().code, ErrorCode::kTimeout);
  std::optional<ClaimedJob> job;
  ASSERT_TRUE(eventually([&] {
    const auto claimed = queue.claim("worker", kNoWait);
    if (claimed && *claimed) job = **claimed;
    return job.has_value();
  }));
  EXPECT_EQ(job->attempts, 0);
  EXPECT_TRUE(queue.done(*job, {}).value());
  EXPECT_EQ(backlog(), (Backlog{.finished = 1}));
}

TEST_F(RedisStreamsTest, ManyAtOnceThroughThreeStagesLoseAndDoubleNothing) {
  constexpr int kJobs = 300;
  for (int index = 0; index < kJobs; ++index) put(std::to_string(index));
  const auto work = [this](const std::string& queue_name, const std::string& next, int worker) {
    const auto connection = connect();
    // So impatient that workers take living ones' jobs all the time.
    RedisStreams queue(*connection, queue_name, {.dead_after = milliseconds(1)});
    const auto consumer = std::to_string(worker);
    for (int step = 0; RedisStreams(*connection, "c").backlog().value().finished < kJobs; ++step) {
      const auto job = queue.claim(consumer, milliseconds(20)).value();
      if (!job) continue;
      switch ((step + worker) % 7) {
        case 0:
          EXPECT_TRUE(queue.retry_later(*job, milliseconds(5)));
          break;
        case 1:
          EXPECT_TRUE(queue.give_back(*job));
          break;
        case 2:
          break;  // Left lying, as by a dead one.
        default:
          EXPECT_TRUE(queue.done(*job, next.empty() ? std::nullopt : std::optional(NextStage{next, "{}"})));
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (int worker = 0; worker < 2; ++worker) {
      workers.emplace_back(work, "jobs", "b", worker);
      workers.emplace_back(work, "b", "c", worker);
      workers.emplace_back(work, "c", "", worker);
    }
  }
  std::vector<QueueIds> queues;
  for (const char* queue : {"jobs", "b", "c"}) queues.push_back(read_queue_ids(*connection_, queue).value());
  const auto audit = audit_queues(queues, {});
  EXPECT_EQ(audit.lost(), 0u) << audit.json();
  EXPECT_EQ(audit.duplicated(), 0u) << audit.json();
  EXPECT_EQ(audit.queues[2].done, static_cast<std::size_t>(kJobs));
}

TEST_F(RedisStreamsTest, AConnectionOutlivesARestartOfRedis) {
  put("a");
  EXPECT_EQ(claim().job.id, "a");
  server_->restart();
  EXPECT_EQ(backlog(), Backlog{});
  put("b");
  EXPECT_EQ(claim().job.id, "b");
}

TEST_F(RedisStreamsTest, ARedisThatIsDownIsAnErrorAtOnce) {
  server_->stop();
  EXPECT_EQ(queue_->backlog().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(queue_->claim("worker", kNoWait).error().code, ErrorCode::kUnavailable);
  server_->restart();
  EXPECT_TRUE(eventually([&] { return queue_->backlog().has_value(); }));  // After its backoff.
}

}  // namespace
}  // namespace scalableapp::workload
