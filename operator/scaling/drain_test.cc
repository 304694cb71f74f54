#include "operator/scaling/drain.h"

#include <gtest/gtest.h>

#include <vector>

namespace scalableapp::scaling {
namespace {

constexpr WallTime kNow{seconds{1'767'571'200}};

std::vector<PodState> workers(int count, seconds ready_for) {
  std::vector<PodState> pods(static_cast<std::size_t>(count));
  for (PodState& pod : pods) {
    pod.serving = true;
    pod.ready_since = kNow - ready_for;
  }
  return pods;
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
  EXPECT_DOUBLE_EQ(learned(0, 50, 50, workers(4, seconds{60})), 12.5) << "faster than was known";
}

}  // namespace
}  // namespace scalableapp::scaling
