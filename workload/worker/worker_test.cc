#include "workload/worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "workload/jobs/audit.h"
#include "workload/jobs/kafka.h"
#include "workload/jobs/redis_streams.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/kafka_broker.h"
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
    options.retry_base = milliseconds(1);
    options.transport.dead_after = milliseconds(500);
    return options;
  }
  std::unique_ptr<Process> process(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {DEMO_WORKLOAD_BINARY, "worker", "--address=127.0.0.1", "--admin-port=0",
                                 "--redis=" + redis_->address(), "--dead-after=500ms"});
    return std::make_unique<Process>(flags);
  }
  std::unique_ptr<Worker> start(WorkerOptions options, const JobHandler& handler) {
    options.handler = "tested";
    return Worker::start(options, [&](Database*) { return JobHandlers{{"tested", handler}}; }).value();
  }
  void put(int count, int from = 0) {
    for (int index = from; index < from + count; ++index) {
      ASSERT_TRUE(queue_->put({"job" + std::to_string(index), "{}", WallTime(milliseconds(1))}).value());
    }
  }
  // Without the age, which goes on.
  Backlog backlog(const std::string& queue = "jobs") {
    auto now = RedisStreams(*connection_, queue, {.dead_after = seconds(60)}).backlog().value_or(Backlog{});
    now.oldest_age_seconds = 0;
    return now;
  }
  bool are_finished(int count, const std::string& queue = "jobs") {
    return eventually([&] { return backlog(queue).finished >= count; });
  }
  QueueIds ids(const std::string& queue = "jobs") { return read_queue_ids(*connection_, queue).value(); }
  std::string dead_reason() {
    const auto letters = connection_->run_once({{"XREVRANGE", "jobs:dead", "+", "-", "COUNT", "1"}}).value();
    return letters.items.empty() ? "" : letters.items[0].items[1].items.back().text;
  }

  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<RedisConnection> connection_;
  std::optional<RedisStreams> queue_;
};

TEST_F(WorkerTest, WorksOffTheQueueAndCounts) {
  put(50);
  const auto worker = Worker::start(options()).value();
  ASSERT_TRUE(are_finished(50));
  EXPECT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_processed_total") == 50; }));
  EXPECT_TRUE(eventually([&] { return metric(worker->admin_port(), "queue_length{queue=\"jobs\"}") == 0; }));
  EXPECT_EQ(metric(worker->admin_port(), "queue_oldest_age_seconds{queue=\"jobs\"}"), 0);
  EXPECT_EQ(metric(worker->admin_port(), "job_duration_seconds_count"), 50);
  EXPECT_EQ(metric(worker->admin_port(), "job_age_seconds_count"), 50);
  EXPECT_EQ(metric(worker->admin_port(), "jobs_reclaimed_total"), 0);
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
  EXPECT_EQ(backlog(), (Backlog{.waiting = 2, .finished = 2}));
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
  EXPECT_EQ(backlog().waiting, 3);
  EXPECT_EQ(backlog().in_work, 0);
  EXPECT_EQ(metric(worker->admin_port(), "jobs_returned_total"), 2);
}

TEST_F(WorkerTest, AJobThatTakesLongerThanADeadOnesSilenceStaysWithItsWorker) {
  put(1);
  auto changed = options();
  changed.job_ms = 1500;
  changed.transport.dead_after = milliseconds(400);
  const auto worker = Worker::start(changed).value();
  const auto envious = Worker::start(changed).value();
  ASSERT_TRUE(are_finished(1));
  for (const auto* each : {&worker, &envious}) EXPECT_EQ(metric((*each)->admin_port(), "jobs_reclaimed_total"), 0);
}

TEST_F(WorkerTest, KilledWorkersLoseNoJob) {
  constexpr int kJobs = 60;
  put(kJobs);
  for (int round = 1; round <= 3; ++round) {
    const auto victim = process({"--job-ms=60", "--concurrency=3"});
    ASSERT_TRUE(are_finished(4 * round));
    ASSERT_TRUE(eventually([&] { return backlog().in_work > 0; }));
    victim->send(SIGKILL);
    EXPECT_EQ(victim->wait(), -1);
  }
  EXPECT_GT(backlog().in_work, 0) << "the last one died with jobs in its hands";
  const auto successor = Worker::start(options()).value();
  ASSERT_TRUE(are_finished(kJobs));
  EXPECT_EQ(backlog(), Backlog{.finished = kJobs});
  EXPECT_GT(metric(successor->admin_port(), "jobs_reclaimed_total"), 0);
  const auto audit = audit_queues({ids()}, {});
  EXPECT_EQ(audit.lost() + audit.duplicated(), 0u) << audit.json();
  EXPECT_EQ(ids().done.size(), static_cast<std::size_t>(kJobs));
}

TEST_F(WorkerTest, AChainOfStagesLosesAndDoublesNothingWhileItsWorkersFailAndAreKilled) {
  constexpr int kJobs = 80;
  put(kJobs);
  const auto stage = [this](const std::string& queue, const std::string& next) {
    return process({"--queue=" + queue, "--next=" + next, "--job-ms=5", "--fail-rate=0.2", "--max-attempts=20",
                    "--retry-base=2ms"});
  };
  int finished = 0;
  for (int round = 1; round <= 3; ++round) {
    const auto orders = stage("jobs", "assignments");
    const auto assignments = stage("assignments", "etas");
    const auto etas = stage("etas", "");
    ASSERT_TRUE(are_finished(finished += 10, "etas"));
    for (const auto* each : {&orders, &assignments, &etas}) (*each)->send(SIGKILL);
  }
  const auto orders = stage("jobs", "assignments");
  const auto assignments = stage("assignments", "etas");
  const auto etas = stage("etas", "");
  ASSERT_TRUE(are_finished(kJobs, "etas"));
  const auto audit = audit_queues({ids("jobs"), ids("assignments"), ids("etas")}, {});
  EXPECT_EQ(audit.lost() + audit.duplicated(), 0u) << audit.json();
  for (const auto& queue : audit.queues) EXPECT_EQ(queue.done, static_cast<std::size_t>(kJobs)) << audit.json();
}

TEST_F(WorkerTest, ATerminatedProcessExitsWithZeroAndLeavesNothingBehind) {
  put(20);
  const auto worker = process({"--job-ms=50"});
  ASSERT_TRUE(are_finished(3));
  worker->send(SIGTERM);
  EXPECT_EQ(worker->wait(), 0);
  EXPECT_EQ(backlog().in_work, 0);
  EXPECT_EQ(backlog().finished + backlog().waiting, 20);
}

TEST_F(WorkerTest, RedisGoingAwayAndComingBackIsSurvived) {
  const auto worker = Worker::start(options()).value();
  put(5);
  ASSERT_TRUE(are_finished(5));
  redis_->restart();
  ASSERT_TRUE(eventually([&] { return queue_->backlog().has_value(); }));
  put(5);
  EXPECT_TRUE(are_finished(5));
}

TEST_F(WorkerTest, EntriesThatAreNotJobsAreDeadLetters) {
  ASSERT_TRUE(connection_->run_once({{"XADD", "jobs", "*", "garbage", ""}}));
  put(1);
  const auto worker = Worker::start(options()).value();
  ASSERT_TRUE(are_finished(2));
  EXPECT_THAT(dead_reason(), ::testing::StartsWith("malformed: id must have"));
  EXPECT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_processed_total") == 1; }));
  EXPECT_EQ(metric(worker->admin_port(), "jobs_malformed_total"), 1);
  EXPECT_EQ(metric(worker->admin_port(), "jobs_dead_total"), 1);
}

TEST_F(WorkerTest, AJobThatAlwaysFailsIsRetriedAndThenADeadLetterWhileOthersPass) {
  put(3);
  auto changed = options();
  changed.max_attempts = 3;
  const auto worker = start(changed, [](const Job& job, RedisConnection&) -> Result<std::string> {
    if (job.id == "job1") return fail(ErrorCode::kUnavailable, "no such luck");
    return "{}";
  });
  ASSERT_TRUE(are_finished(3));
  EXPECT_EQ(dead_reason(), "3 tries, the last: no such luck");
  EXPECT_THAT(ids().dead, ::testing::ElementsAre("job1"));
  EXPECT_THAT(ids().done, ::testing::UnorderedElementsAre("job0", "job2"));
  EXPECT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_dead_total") == 1; }));
  EXPECT_EQ(metric(worker->admin_port(), "jobs_retried_total"), 2);
}

TEST_F(WorkerTest, AJobThatNoRepetitionHelpsIsADeadLetterAtOnce) {
  put(1);
  const auto worker = start(options(), [](const Job&, RedisConnection&) -> Result<std::string> {
    return fail(ErrorCode::kDecode, "payload must be an order");
  });
  ASSERT_TRUE(are_finished(1));
  EXPECT_EQ(dead_reason(), "payload must be an order");
  EXPECT_EQ(metric(worker->admin_port(), "jobs_retried_total"), 0);
}

TEST_F(WorkerTest, AJobThatKilledItsWorkersIsADeadLetter) {
  put(1);
  const auto job = queue_->claim("victim", milliseconds(0)).value().value();
  const auto entry = job.handle.substr(0, job.handle.find(' '));
  ASSERT_TRUE(connection_->run_once(
      {{"XCLAIM", "jobs", "workers", "victim", "0", entry, "IDLE", "100000", "RETRYCOUNT", "5", "JUSTID"}}));
  const auto worker = Worker::start(options()).value();
  ASSERT_TRUE(are_finished(1));
  EXPECT_EQ(dead_reason(), "its worker died, 5 tries");
}

TEST_F(WorkerTest, AFullNextStageHoldsTheStageBack) {
  put(2);
  auto changed = options();
  changed.next = "slow";
  changed.transport.max_queue_length = 1;
  const auto worker = Worker::start(changed).value();
  ASSERT_TRUE(eventually([&] { return metric(worker->admin_port(), "jobs_held_back_total") > 0; }));
  EXPECT_EQ(backlog("slow").waiting, 1);
  EXPECT_EQ(backlog().in_work, 1);
  RedisStreams slow(*connection_, "slow");
  ASSERT_TRUE(slow.done(slow.claim("last", milliseconds(0)).value().value(), {}).value());
  EXPECT_TRUE(are_finished(2));
}

TEST_F(WorkerTest, SaysWhatIsWrongWithItsFlags) {
  auto changed = options();
  changed.handler = "juggle";
  EXPECT_EQ(Worker::start(changed).error().message, "--handler=juggle: must be one of sleep");
  changed = options();
  changed.next = "jobs";
  EXPECT_EQ(Worker::start(changed).error().message, "--next=jobs: must not be the queue itself");
}

TEST_F(WorkerTest, WorkersOnKafkaThatFailAndAreKilledLoseNoJobAndHandOnEachIdOnce) {
  const auto broker = KafkaBroker::start();
  if (broker == nullptr) GTEST_SKIP() << "no Kafka: SCALABLEAPP_TEST_KAFKA must be the directory of its jars";
  constexpr int kJobs = 60;
  const auto client = KafkaClient::open({.brokers = broker->address()}).value();
  const auto jobs = open_kafka_queue(*client, "jobs");
  for (int index = 0; index < kJobs; ++index) {
    const Job job{"job" + std::to_string(index), "{}", WallTime(milliseconds(1))};
    ASSERT_TRUE(eventually([&] { return jobs->put(job).has_value(); }));
  }
  const auto work = [&] {
    return process({"--transport=kafka", "--kafka-brokers=" + broker->address(), "--next=next", "--job-ms=20",
                    "--fail-rate=0.2", "--max-attempts=20", "--retry-base=5ms"});
  };
  const auto finished = [&](long long count) {
    return eventually([&] { return jobs->backlog().value_or(Backlog{}).finished >= count; });
  };
  for (int round = 1; round <= 2; ++round) {
    const auto victim = work();
    ASSERT_TRUE(finished(10 * round));
    victim->send(SIGKILL);
  }
  const auto successor = work();
  ASSERT_TRUE(finished(kJobs));
  const auto next = open_kafka_queue(*client, "next");
  std::multiset<std::string> handed;
  EXPECT_TRUE(eventually([&] {
    const auto job = next->claim("worker", milliseconds(500)).value();
    if (job) {
      handed.insert(job->job.id);
      EXPECT_TRUE(next->done(*job, {}).value());
    }
    return !job && handed.size() >= kJobs;
  }));
  EXPECT_EQ(handed.size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(std::set<std::string>(handed.begin(), handed.end()).size(), static_cast<std::size_t>(kJobs));
}

}  // namespace
}  // namespace scalableapp::workload
