#include "operator/rollout/slow_start.h"

#include <algorithm>

#include "operator/rollout/gates.h"

namespace scalableapp::rollout {

OpeningRoom room_to_open(WallTime now, const api::SlowStart& slow_start,
                         const std::vector<std::shared_ptr<const api::Pod>>& pods) {
  const seconds interval{slow_start.interval_seconds};
  int settled = 0, beginning = 0;
  OpeningRoom room;
  for (const auto& pod : pods) {
    if (!in_service(*pod) || pod->draining()) continue;
    // One that begins in the far future began before the clock was set back.
    const bool begins = pod->has_warm_gate && pod->warm_since && !pod->returned &&
                        *pod->warm_since > now - interval && *pod->warm_since < now + interval;
    if (!begins) {
      ++settled;
      continue;
    }
    ++beginning;
    room.next = std::min(room.next.value_or(WallTime::max()), *pod->warm_since + interval);
  }
  if (settled == 0) return {};
  const int share = (settled * slow_start.max_percent + 99) / 100;
  room.gates = std::max(0, std::max(1, share) - beginning);
  return room;
}

}  // namespace scalableapp::rollout
