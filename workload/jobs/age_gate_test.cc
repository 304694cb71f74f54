#include "workload/jobs/age_gate.h"

#include <gtest/gtest.h>

#include <deque>

namespace scalableapp::workload {
namespace {

Instant at(double seconds_count) { return Instant{} + to_duration(1000 + seconds_count); }
Backlog aged(double age, long long waiting = 100, long long finished = 0) {
  return {.waiting = waiting, .finished = finished, .oldest_age_seconds = age};
}

TEST(AgeGate, ClosesPastItsBoundAndOpensAtHalfOfIt) {
  AgeGate gate(10);
  gate.look(at(0), aged(10));
  EXPECT_FALSE(gate.retry_after(at(0)));
  gate.look(at(1), aged(10.1));
  EXPECT_TRUE(gate.retry_after(at(1)));
  gate.look(at(2), aged(5.1));
  EXPECT_TRUE(gate.retry_after(at(2))) << "in between it stays as it is";
  gate.look(at(3), aged(5));
  EXPECT_FALSE(gate.retry_after(at(3)));
  gate.look(at(4), aged(9));
  EXPECT_FALSE(gate.retry_after(at(4)));
}

TEST(AgeGate, WithoutABoundIsAlwaysOpen) {
  AgeGate gate(0);
  EXPECT_FALSE(gate.retry_after(at(0)));
  gate.look(at(0), aged(1e6));
  EXPECT_FALSE(gate.retry_after(at(0)));
}

TEST(AgeGate, OpensWhenTheQueueIsNotSeenAnyMore) {
  AgeGate gate(10);
  gate.look(at(0), aged(100));
  EXPECT_TRUE(gate.retry_after(at(5)));
  EXPECT_FALSE(gate.retry_after(at(5.1)));
}

TEST(AgeGate, TellsWhenTheLineWillBeYoungByThePaceOfTheWorkers) {
  AgeGate gate(100);
  gate.look(at(0), aged(120, 3000, 0));
  gate.look(at(1), aged(120, 3000, 100));
  // 100 a second leave; in 120 s 3000 came: each second takes 100 * 120 / 3000 - 1 = 3 s off the age, of 70 too much.
  EXPECT_EQ(gate.retry_after(at(1)), seconds(24));
  EXPECT_EQ(gate.retry_after(at(5)), seconds(20));
}

TEST(AgeGate, ALineThatShrinksTooSlowlyToGetYoungerIsToBeEmptiedFirst) {
  AgeGate gate(10);
  gate.look(at(0), aged(12, 200, 0));
  gate.look(at(1), aged(12, 200, 10));  // 10 * 12 / 200 < 1: the first gets older still.
  EXPECT_EQ(gate.retry_after(at(1)), seconds(20));
}

TEST(AgeGate, WhenNobodyWorksTheLongestIsTold) {
  AgeGate gate(10);
  gate.look(at(0), aged(12));
  EXPECT_EQ(gate.retry_after(at(0)), AgeGate::kLongestRetryAfter);
  gate.look(at(1), aged(13));
  EXPECT_EQ(gate.retry_after(at(1)), AgeGate::kLongestRetryAfter);
}

// A producer of 150 jobs a second and workers of 100 a second, over ten minutes.
struct Outcome {
  double oldest_seconds = 0;  // The oldest that a job got in the line.
  long long accepted = 0;
};
Outcome overload(AgeGate gate) {
  std::deque<double> line;
  Outcome outcome;
  long long finished = 0;
  for (int tick = 0; tick < 6000; ++tick) {
    const double now = tick / 10.0;
    const bool is_shed = gate.retry_after(at(now)).has_value();
    for (int job = 0; job < 15 && !is_shed; ++job) line.push_back(now);
    if (!is_shed) outcome.accepted += 15;
    for (int job = 0; job < 10 && !line.empty(); ++job, ++finished) line.pop_front();
    const double age = line.empty() ? 0 : now - line.front();
    outcome.oldest_seconds = std::max(outcome.oldest_seconds, age);
    if (tick % 5 == 0) {
      gate.look(at(now), {.waiting = std::ssize(line), .finished = finished, .oldest_age_seconds = age});
    }
  }
  return outcome;
}

TEST(AgeGate, BoundsTheAgeUnderOverloadWhereWithoutItTheAgeGrows) {
  const auto on = overload(AgeGate(5));
  const auto off = overload(AgeGate(0));
  // What is in the line when the gate closes gets older until it is worked off: by half here.
  EXPECT_LT(on.oldest_seconds, 8);
  EXPECT_GT(on.accepted, 58'000) << "the workers are kept busy";
  EXPECT_GT(off.oldest_seconds, 190);
}

}  // namespace
}  // namespace scalableapp::workload
