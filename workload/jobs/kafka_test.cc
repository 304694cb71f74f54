#include "workload/jobs/kafka.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "workload/common/instant.h"
#include "workload/testing/eventually.h"
#include "workload/testing/kafka_broker.h"

namespace scalableapp::workload {
namespace {

constexpr WallTime kSomeTime(milliseconds(1'700'000'000'000));
constexpr milliseconds kWait{1000};

// Where the broker is: one of Kafka itself, and librdkafka's own, which speaks the protocol in this process.
struct Cluster {
  virtual ~Cluster() = default;
  virtual std::string address() const = 0;
};

struct RealCluster final : Cluster {
  explicit RealCluster(std::unique_ptr<KafkaBroker> real) : broker(std::move(real)) {}
  std::string address() const override { return broker->address(); }
  std::unique_ptr<KafkaBroker> broker;
};

struct MockCluster final : Cluster {
  MockCluster() : handle(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0)) {
    cluster = rd_kafka_mock_cluster_new(handle, 1);
  }
  ~MockCluster() override {
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
  }
  std::string address() const override { return rd_kafka_mock_cluster_bootstraps(cluster); }
  rd_kafka_t* handle;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

class KafkaTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void TearDownTestSuite() { clusters_.clear(); }
  void SetUp() override {
    auto& cluster = clusters_[GetParam()];
    if (cluster == nullptr && GetParam() == "Mock") {
      cluster = std::make_unique<MockCluster>();
    } else if (cluster == nullptr) {
      if (auto broker = KafkaBroker::start()) cluster = std::make_unique<RealCluster>(std::move(broker));
    }
    if (cluster == nullptr) {
      GTEST_SKIP() << "no Kafka: SCALABLEAPP_TEST_KAFKA must be the directory of its jars, and java be on PATH";
    }
    client_ = KafkaClient::open({.brokers = cluster->address(), .dead_after = seconds(6), .max_length = 50}).value();
    // A topic a test: nothing of one is another's.
    static int tests = 0;
    name_ = "jobs" + std::to_string(++tests);
    queue_ = open_kafka_queue(*client_, name_);
    // The broker may not have begun, or have no leader for a new topic yet.
    ASSERT_TRUE(eventually([&] { return queue_->backlog().has_value(); }));
  }
  void put(const std::string& id, const std::string& payload = "{}") {
    ASSERT_TRUE(eventually([&] { return queue_->put({id, payload, kSomeTime}).has_value(); }));
  }
  // Patient: librdkafka's own broker takes steps of 5 s to let a second consumer into a group.
  std::optional<ClaimedJob> next(JobTransport& queue) {
    std::optional<ClaimedJob> job;
    for (int tries = 0; tries < 60 && !job; ++tries) job = queue.claim("worker", kWait).value_or(std::nullopt);
    return job;
  }
  // What is left after everything that can be claimed has been for a while.
  bool is_empty(JobTransport& queue) { return !queue.claim("worker", milliseconds(1500)).value().has_value(); }
  Backlog counts(JobTransport& queue) {
    auto now = queue.backlog().value();
    now.oldest_age_seconds = 0;
    return now;
  }

  static std::map<std::string, std::unique_ptr<Cluster>> clusters_;
  std::unique_ptr<KafkaClient> client_;
  std::string name_;
  std::unique_ptr<JobTransport> queue_;
};
std::map<std::string, std::unique_ptr<Cluster>> KafkaTest::clusters_;

TEST_P(KafkaTest, GivesJobsAsTheyWerePutInAndForgetsThoseDone) {
  const std::string bytes("a\r\n\0\xff b", 8);
  put("an id", bytes);
  EXPECT_EQ(counts(*queue_), (Backlog{.waiting = 1}));
  const auto job = next(*queue_);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->job.id, "an id");
  EXPECT_EQ(job->job.payload, bytes);
  EXPECT_EQ(job->job.enqueued, kSomeTime);
  EXPECT_EQ(job->attempts, 0);
  EXPECT_TRUE(queue_->done(*job, {}).value());
  EXPECT_FALSE(queue_->done(*job, {}).value());
  EXPECT_EQ(counts(*queue_), (Backlog{.finished = 1}));
  EXPECT_TRUE(is_empty(*queue_));
}

TEST_P(KafkaTest, AFailedJobComesBackWhenDueWithItsTriesCounted) {
  put("a", "payload");
  const auto job = next(*queue_).value();
  const WallTime failed = wall_now();
  ASSERT_TRUE(queue_->retry_later(job, seconds(2)).value());
  EXPECT_EQ(counts(*queue_), (Backlog{.delayed = 1}));
  const auto again = next(*queue_);
  ASSERT_TRUE(again);
  EXPECT_GE(wall_now() - failed, seconds(2));
  EXPECT_EQ(again->job.id, "a");
  EXPECT_EQ(again->job.payload, "payload");
  EXPECT_EQ(again->attempts, 1);
  EXPECT_TRUE(queue_->done(*again, {}).value());
  EXPECT_EQ(counts(*queue_), (Backlog{.finished = 1}));
}

TEST_P(KafkaTest, ABuriedJobIsADeadLetter) {
  put("a", "payload");
  ASSERT_TRUE(queue_->bury(next(*queue_).value(), "does not parse").value());
  EXPECT_EQ(counts(*queue_), (Backlog{.finished = 1}));
  const auto dead = open_kafka_queue(*client_, name_ + ".dead");
  const auto letter = next(*dead);
  ASSERT_TRUE(letter);
  EXPECT_EQ(letter->job.payload, "payload");
}

TEST_P(KafkaTest, AJobGivenBackIsTheNextAndAfterItsConsumerHasLeftAnothers) {
  put("a");
  ASSERT_TRUE(queue_->give_back(next(*queue_).value()).value());
  const auto again = next(*queue_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->job.id, "a");
  ASSERT_TRUE(queue_->leave("worker"));
  EXPECT_FALSE(queue_->done(*again, {}).value());
  const auto other = open_kafka_queue(*client_, name_);
  const auto inherited = next(*other);
  ASSERT_TRUE(inherited);
  EXPECT_EQ(inherited->job.id, "a");
  EXPECT_TRUE(other->done(*inherited, {}).value());
}

TEST_P(KafkaTest, AnIdIsTakenOnceAlsoByAConsumerThatComesLater) {
  put("a");
  put("a");
  put("b");
  std::vector<std::string> taken;
  for (int index = 0; index < 2; ++index) {
    const auto job = next(*queue_);
    ASSERT_TRUE(job);
    taken.push_back(job->job.id);
    ASSERT_TRUE(queue_->done(*job, {}).value());
  }
  EXPECT_THAT(taken, ::testing::UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(is_empty(*queue_));
  ASSERT_TRUE(queue_->leave("worker"));
  put("a");
  put("c");
  const auto later = open_kafka_queue(*client_, name_);
  const auto job = next(*later);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->job.id, "c");
  ASSERT_TRUE(later->done(*job, {}).value());
  EXPECT_TRUE(is_empty(*later));
  EXPECT_EQ(counts(*later).waiting, 0) << "records of known ids do not wait";
}

TEST_P(KafkaTest, WhatIsDoneGoesToTheNextStage) {
  put("a", "order");
  const auto job = next(*queue_).value();
  ASSERT_TRUE(queue_->done(job, NextStage{name_ + "-next", "assignment"}).value());
  const auto stage = open_kafka_queue(*client_, name_ + "-next");
  const auto handed = next(*stage);
  ASSERT_TRUE(handed);
  EXPECT_EQ(handed->job.id, "a");
  EXPECT_EQ(handed->job.payload, "assignment");
  EXPECT_EQ(handed->job.enqueued, kSomeTime);
}

TEST_P(KafkaTest, TellsHowLongTheFirstHasWaitedAndRefusesBeyondItsBound) {
  for (int index = 0; index < 50; ++index) put(std::to_string(index));
  EXPECT_TRUE(eventually([&] { return queue_->backlog().value().oldest_age_seconds > 0.5; }));
  EXPECT_LT(queue_->backlog().value().oldest_age_seconds, 60);
  const auto refused = queue_->put({"one more", "", kSomeTime});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  EXPECT_TRUE(refused.error().retry_after);
}

TEST_P(KafkaTest, RefusesWhatIsTooLarge) {
  EXPECT_EQ(queue_->put({"", "", kSomeTime}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(queue_->put({"a", std::string(kMaxJobPayloadBytes + 1, 'x'), kSomeTime}).error().code, ErrorCode::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(On, KafkaTest, ::testing::Values("Mock", "Broker"),
                         [](const auto& where) { return where.param; });

TEST(KafkaClient, ABrokerThatIsDownIsAnErrorInTime) {
  const auto client = KafkaClient::open({.brokers = "127.0.0.1:1"}).value();
  EXPECT_EQ(open_kafka_queue(*client, "jobs")->put({"a", "", kSomeTime}).error().code, ErrorCode::kTimeout);
}

}  // namespace
}  // namespace scalableapp::workload
