#include "operator/rollout/slow_start.h"

#include <gtest/gtest.h>

namespace scalableapp::rollout {
namespace {

const WallTime kNow{seconds{100'000}};
using Pods = std::vector<std::shared_ptr<const api::Pod>>;

// A pod in service whose gate was opened so long ago.
api::Pod serving(int opened_for_seconds) {
  api::Pod one;
  one.phase = "Running";
  one.has_warm_gate = one.containers_ready = one.ready = one.warm = true;
  one.warm_since = kNow - seconds{opened_for_seconds};
  return one;
}
Pods operator*(int count, const api::Pod& pod) {
  return Pods(static_cast<std::size_t>(count), std::make_shared<const api::Pod>(pod));
}
Pods operator+(Pods left, const Pods& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST(SlowStart, SoManyMayBeginAsTheShareOfThoseThatServeLessThoseThatBegan) {
  api::Pod returned = serving(2), draining = serving(60), without_gate = serving(2);
  returned.returned = true;
  draining.draining_since = kNow;
  without_gate.has_warm_gate = false;
  struct Case {
    const char* name;
    Pods pods;
    std::optional<int> want;
    std::optional<WallTime> next;
  };
  const Case cases[] = {
      {"a quarter", 8 * serving(60), 2, {}},
      {"rounded up", 9 * serving(60), 3, {}},
      {"at least one", 1 * serving(60), 1, {}},
      {"less those that began", 8 * serving(60) + 1 * serving(3), 1, kNow + seconds{7}},
      {"none is left; the first to have served long enough makes room",
       4 * serving(60) + 1 * serving(9) + 1 * serving(3), 0, kNow + seconds{1}},
      {"those that began add nothing to the share", 4 * serving(60) + 4 * serving(3), 0, kNow + seconds{7}},
      {"all, where none serves", {}, {}, {}},
      {"all, where none has served for long: there is nobody to spare", 3 * serving(4), {}, {}},
      {"one that was set aside and is back has not begun", 4 * serving(60) + 1 * returned, 2, {}},
      {"nor has one without the gate", 4 * without_gate, 1, {}},
      {"one that is to go does not count", 8 * serving(60) + 1 * draining, 2, {}},
      {"nor one that began in the future, by a clock that was set back", 4 * serving(60) + 1 * serving(-3600), 2, {}},
  };
  for (const Case& one : cases) {
    const OpeningRoom room = room_to_open(kNow, {.max_percent = 25, .interval_seconds = 10}, one.pods);
    EXPECT_EQ(room.gates, one.want) << one.name;
    EXPECT_EQ(room.next, one.next) << one.name;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
