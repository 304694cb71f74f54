#include "workload/testing/eventually.h"

#include "operator/platform/clock.h"

namespace scalableapp::workload {

bool eventually(const std::function<bool()>& condition) {
  const SystemClock clock;
  const auto deadline = clock.monotonic_now() + seconds(20);
  while (!condition()) {
    if (clock.monotonic_now() > deadline) return false;
    sleep_for(clock, milliseconds(5), {});
  }
  return true;
}

}  // namespace scalableapp::workload
