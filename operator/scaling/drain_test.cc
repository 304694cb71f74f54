#include "operator/scaling/drain.h"

#include <gtest/gtest.h>

#include <cmath>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;

api::MetricSpec queue(int drain_seconds = 30) {
  api::MetricSpec metric = test::backlog();
  metric.drain_seconds = drain_seconds;
  return metric;
}
MetricReading jobs(double backlog, double arrivals, double completions = 0) {
  MetricReading reading = test::reading("backlog", backlog);
  reading.arrivals_per_second = arrivals;
  reading.completions_per_second = completions;
  return reading;
}
std::vector<PodState> workers(int count, seconds ready_for) {
  std::vector<PodState> pods(static_cast<std::size_t>(count));
  for (PodState& pod : pods) {
    pod.serving = true;
    pod.ready_since = kNow - ready_for;
  }
  return pods;
}

api::MetricMemory knows(double jobs_per_second) {
  api::MetricMemory memory;
  memory.jobs_per_second = jobs_per_second;
  return memory;
}
// Where `arrivals` have been coming for long.
int replicas_for(double backlog, double arrivals, double each, int current, int drain_seconds = 30,
                 double tolerance = 0.1) {
  api::Behavior behavior = test::unlimited_behavior();
  behavior.scale_down.tolerance = tolerance;
  api::MetricMemory memory = knows(each);
  learn_throughput(kNow, jobs(0, arrivals), seconds{10}, {}, memory);
  const auto proposal =
      replicas_to_drain(queue(drain_seconds), jobs(backlog, arrivals), current, behavior, memory);
  return proposal ? proposal->replicas : -1;
}

TEST(Drain, TheBacklogIsGoneInTime) {
  // 600 jobs in 30 s are 20 a second, at 2 a second and worker.
  EXPECT_EQ(replicas_for(600, 0, 2, 1), 10);
  EXPECT_EQ(replicas_for(600, 0, 2, 1, 60), 5) << "twice the time, half the workers";
  EXPECT_EQ(replicas_for(601, 0, 2, 1), 11) << "one job more is one worker more";
}

TEST(Drain, WhatKeepsComingIsCovered) {
  for (const double arrivals : {1.0, 5.0, 20.0, 100.0}) {
    const int workers = replicas_for(0, arrivals, 2, 1);
    EXPECT_GT(workers * 2, arrivals) << "without falling behind";
    EXPECT_LE(workers, std::ceil(arrivals / 2 / 0.8) + 1) << "and without waste";
  }
}

TEST(Drain, BacklogAndArrivalsAddUp) {
  EXPECT_EQ(replicas_for(600, 20, 2, 1), 20) << "10 for the backlog, 10 for what comes";
}

TEST(Drain, ShortDrainTimesNeedRoomForFluctuations) {
  // Jobs of 20 s each: who wants them started within a second must have idle workers.
  EXPECT_GT(replicas_for(0, 0.5, 0.05, 1, 1), replicas_for(0, 0.5, 0.05, 1, 120));
}

TEST(Drain, WithoutThroughputOrArrivalsThereIsNoAnswer) {
  const api::Behavior behavior = test::unlimited_behavior();
  EXPECT_FALSE(replicas_to_drain(queue(), jobs(100, 5), 3, behavior, {})) << "nothing learned yet";
  EXPECT_FALSE(replicas_to_drain(queue(), test::reading("backlog", 100), 3, behavior, knows(2)));
  EXPECT_FALSE(replicas_to_drain(queue(), jobs(100, test::kNan), 3, behavior, knows(2)));
  EXPECT_FALSE(replicas_to_drain(queue(), jobs(100, HUGE_VAL), 3, behavior, knows(2)));
  EXPECT_FALSE(replicas_to_drain(queue(), jobs(100, 5), 3, behavior, knows(test::kNan)));
}

TEST(Drain, AnEmptyQueueStillNeedsOneWorker) { EXPECT_EQ(replicas_for(0, 0, 2, 5), 1); }

TEST(Drain, ALuckyCountOfArrivalsIsNoReasonToScale) {
  // 20 a second by chance: over 10 s some 200 come, 14 more or less.
  const api::Behavior behavior = test::unlimited_behavior();
  api::MetricMemory memory = knows(2);
  const auto proposed = [&](int second, double arrivals, int current) {
    learn_throughput(kNow + seconds{second}, jobs(0, arrivals), seconds{10}, {}, memory);
    return replicas_to_drain(queue(), jobs(0, arrivals), current, behavior, memory)->replicas;
  };
  for (int second = 0; second < 300; second += 2) proposed(second, 20, 13);
  const int settled = proposed(300, 20, 13);
  EXPECT_EQ(proposed(302, 23, settled), settled);
  EXPECT_EQ(proposed(304, 17, settled), settled);
  EXPECT_GT(proposed(306, 60, settled), 2 * settled) << "but three times as many are no chance";
}

TEST(Drain, NegativeArrivalsAreNone) { EXPECT_EQ(replicas_for(600, -3, 2, 1), 10); }

TEST(Drain, NoFigureIsTooLarge) {
  EXPECT_LE(replicas_for(1e300, 1e12, 1e-6, 1), 1'000'000);
  EXPECT_GT(replicas_for(1e300, 1e12, 1e-6, 1), 100'000);
}

TEST(Drain, ACountBetweenWhatIsNeededAndWhatIsWantedStays) {
  // Whatever the count, some range of arrivals leaves it alone, so that it does not go to and fro.
  for (const int current : {5, 10, 20, 50}) {
    int staying = 0;
    for (double utilization = 0.5; utilization < 1; utilization += 0.01) {
      staying += replicas_for(0, utilization * current * 2, 2, current) == current ? 1 : 0;
    }
    EXPECT_GE(staying, 8) << "of a hundred shares of use, at " << current;
  }
}

TEST(Drain, UpAndDownAgainAtOneLoadDoesNotHappen) {
  for (double arrivals = 0.5; arrivals < 60; arrivals *= 1.1) {
    const int up = replicas_for(0, arrivals, 2, 1, 30, 0);
    EXPECT_EQ(replicas_for(0, arrivals, 2, up, 30, 0), up) << arrivals;
    const int down = replicas_for(0, arrivals, 2, 100, 30, 0);
    EXPECT_EQ(replicas_for(0, arrivals, 2, down, 30, 0), down) << arrivals;
    EXPECT_GE(down, up);
  }
}

TEST(Drain, TheToleranceOfScaleDownHoldsTheCount) {
  EXPECT_LT(replicas_for(600, 20, 2, 24, 30, 0), 24);
  EXPECT_EQ(replicas_for(600, 20, 2, 24, 30, 0.5), 24);
}

// --- throughput

double learned_from(std::vector<MetricReading> readings, int serving = 4, double before = 0) {
  api::MetricMemory memory = knows(before);
  WallTime at = kNow;
  for (const auto& reading : readings) learn_throughput(at += seconds{2}, reading, seconds{10}, workers(serving, seconds{60}), memory);
  return memory.jobs_per_second;
}

TEST(Throughput, IsLearnedFromBusyWorkers) {
  EXPECT_DOUBLE_EQ(learned_from({jobs(100, 5, 8)}), 2) << "8 a second by 4 workers";
  const std::vector<MetricReading> slower(20, jobs(100, 5, 4));
  EXPECT_NEAR(learned_from(slower, 4, 2), 1, 0.1);
}

TEST(Throughput, WorkersWithLittleToDoAreNotSlow) {
  const std::vector<MetricReading> idle(20, jobs(1, 0.1, 0.1));
  EXPECT_DOUBLE_EQ(learned_from(idle, 4, 2), 2);
  EXPECT_GT(learned_from({jobs(1, 12, 12)}, 4, 2), 2) << "but what they do they can do";
}

TEST(Throughput, TheSameSampleIsLearnedOnce) {
  api::MetricMemory memory = knows(2);
  learn_throughput(kNow, jobs(100, 5, 4), seconds{10}, workers(4, seconds{60}), memory);
  const double once = memory.jobs_per_second;
  EXPECT_LT(once, 2);
  learn_throughput(kNow, jobs(100, 5, 4), seconds{10}, workers(4, seconds{60}), memory);
  learn_throughput(kNow - seconds{1}, jobs(100, 5, 4), seconds{10}, workers(4, seconds{60}), memory);
  EXPECT_EQ(memory.jobs_per_second, once);
}

TEST(Throughput, WithoutCompletionsOrWorkersNothingIsLearned) {
  EXPECT_EQ(learned_from({jobs(100, 5, 0)}), 0);
  EXPECT_EQ(learned_from({jobs(100, 5, test::kNan)}), 0);
  EXPECT_EQ(learned_from({jobs(100, 5, -1)}), 0);
  EXPECT_EQ(learned_from({test::reading("backlog", 100)}), 0);
  EXPECT_EQ(learned_from({jobs(100, 5, 8)}, 0), 0);
}

TEST(Throughput, AScaleDownDoesNotMakeTheWorkersLookFaster) {
  // Of ten workers two are left; the window of the completions still has what ten did.
  std::vector<MetricReading> readings;
  for (const double completions : {20, 16, 12, 8, 4}) readings.push_back(jobs(1, 4, completions));
  EXPECT_LE(learned_from(readings, 2, 2), 4);
}

TEST(Throughput, WithoutBoundsIsNone) {
  EXPECT_EQ(learned_from({jobs(1, 1, HUGE_VAL)}, 2, 2), 2);
}

// --- the metric as a whole

int decided(const MetricReading& reading, int current, api::MetricMemory memory,
            std::string* message = nullptr) {
  auto spec = test::app({queue()});
  api::ScalingHistory history;
  memory.name = "backlog";
  history.metrics = {memory};
  const Decision decision = decide(kNow, spec, test::observe(current, {reading}), history);
  if (message != nullptr) *message = decision.message;
  return decision.replicas;
}

TEST(DrainMetric, FallsBackToTheTargetPerReplicaWhileThroughputIsUnknown) {
  EXPECT_EQ(decided(test::reading("backlog", 200), 4, {}), 10) << "200 at 20 per replica";
  EXPECT_EQ(decided(test::reading("backlog", 200), 4, knows(2)), 10) << "arrivals are unknown";
  EXPECT_EQ(decided(jobs(200, 5, 0), 4, {}), 10) << "nothing was finished yet";
}

TEST(DrainMetric, GoesByTimeOnceThroughputIsKnown) {
  std::string message;
  EXPECT_EQ(decided(jobs(600, 20, 8), 4, knows(2), &message), 20) << "not 30";
  EXPECT_EQ(message, "4 -> 20: backlog 600 and 20 more a second, to be gone within 30s, needs 20");
}

TEST(DrainMetric, AClockThatWasSetBackDoesNotStopLearning) {
  const auto spec = test::app({queue()});
  api::ScalingHistory history;
  api::MetricMemory memory = knows(1);
  memory.name = "backlog";
  memory.learned_until = kNow + std::chrono::hours{2};
  history.metrics = {memory};
  for (int second = 0; second < 120; second += 2) {
    history = decide(kNow + seconds{second}, spec, test::observe(4, {jobs(600, 5, 16)}), history).history;
  }
  EXPECT_GT(history.metrics[0].jobs_per_second, 3);
}

// What is known afterwards of a worker that was taken to do 10 jobs a second.
double learned(double backlog, double arrivals, double completions,
               const std::vector<PodState>& pods) {
  MetricReading reading;
  reading.value = backlog;
  reading.arrivals_per_second = arrivals;
  reading.completions_per_second = completions;
  api::MetricMemory memory{.jobs_per_second = 10};
  learn_throughput(kNow, reading, seconds{10}, pods, memory);
  return memory.jobs_per_second;
}

TEST(LearnThroughput, WorkersThatAreBusyAllAlongSayWhatTheyGetDone) {
  EXPECT_DOUBLE_EQ(learned(500, 20, 20, workers(4, seconds{60})), 9);
  EXPECT_DOUBLE_EQ(learned(500, 20, 60, workers(4, seconds{60})), 11);
}

TEST(LearnThroughput, WhatOthersDidBeforeAWorkerJoinedIsNotItsOwn) {
  auto pods = workers(4, seconds{60});
  pods.back().ready_since = kNow - seconds{3};
  EXPECT_DOUBLE_EQ(learned(500, 20, 20, pods), 10);
  pods = workers(4, seconds{60});
  pods.back().serving = false;
  pods.back().terminating = true;
  EXPECT_DOUBLE_EQ(learned(500, 20, 20, pods), 10);
}

TEST(LearnThroughput, WorkersThatHadNothingToDoAreNotSlow) {
  EXPECT_DOUBLE_EQ(learned(200, 40, 20, workers(4, seconds{60})), 10) << "it began just now";
  EXPECT_DOUBLE_EQ(learned(0, 20, 20, workers(4, seconds{60})), 10);
}

TEST(LearnThroughput, WorkersThatAreFasterThanWasKnownAreBelievedOverAFewWindows) {
  EXPECT_GT(learned(0, 50, 50, workers(4, seconds{60})), 10);
  const std::vector<MetricReading> faster(50, jobs(0, 50, 50));
  EXPECT_NEAR(learned_from(faster, 4, 10), 12.5, 0.2);
  auto pods = workers(4, seconds{60});
  pods.back().ready_since = kNow - seconds{3};
  EXPECT_DOUBLE_EQ(learned(0, 50, 50, pods), 12.5) << "at once where one was not there for all of it";
}

}  // namespace
}  // namespace scalableapp::scaling
