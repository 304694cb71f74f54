#include "operator/scaling/combine.h"

#include <gtest/gtest.h>

namespace scalableapp::scaling {
namespace {

Signal proposes(int replicas) {
  Signal signal;
  signal.proposal = replicas;
  return signal;
}
Signal nothing(bool waiting = false) {
  Signal signal;
  signal.waiting = waiting;
  signal.missing = "?";
  return signal;
}

struct Row {
  const char* name;
  int current;
  std::vector<Signal> signals;
  int proposed;
  int replicas;
};
const Row kRows[] = {
    {"The highest proposal wins", 4, {proposes(3), proposes(7), proposes(5)}, 7, 7},
    {"The highest wins on the way down", 9, {proposes(3), proposes(5)}, 5, 5},
    {"A missing metric does not stop a scale up", 4, {nothing(), proposes(6)}, 6, 6},
    {"A missing metric stops a scale down", 4, {proposes(2), nothing()}, 2, 4},
    {"A waiting metric stops a scale down", 4, {proposes(2), nothing(true)}, 2, 4},
    {"With every metric missing the count holds", 4, {nothing(), nothing()}, 4, 4},
    {"Without metrics the count holds", 4, {}, 4, 4},
    {"Zero may be asked for", 4, {proposes(0)}, 0, 0},
};

TEST(Combine, FollowsTheTable) {
  for (const Row& row : kRows) {
    const Combined combined = combine(row.current, row.signals);
    EXPECT_EQ(combined.proposed, row.proposed) << row.name;
    EXPECT_EQ(combined.replicas, row.replicas) << row.name;
  }
}

TEST(Combine, TellsWaitingFromMissing) {
  const Signal waiting[] = {nothing(true), proposes(3)};
  const Signal mixed[] = {nothing(true), nothing()};
  const Signal fine[] = {proposes(3)};
  EXPECT_TRUE(combine(3, waiting).only_waiting);
  EXPECT_FALSE(combine(3, mixed).only_waiting);
  EXPECT_FALSE(combine(3, fine).only_waiting);
}

}  // namespace
}  // namespace scalableapp::scaling
