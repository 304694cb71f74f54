#include "workload/load/slo.h"

#include <algorithm>

namespace scalableapp::workload {

void SloSeconds::count(std::int64_t second, bool is_bad) {
  constexpr std::int64_t kMostSeconds = 7200;
  const std::int64_t index = second - first_;
  if (index < 0 || index >= kMostSeconds) return;
  if (index >= static_cast<std::int64_t>(seconds_.size())) {
    seconds_.resize(static_cast<std::size_t>(index) + 1);
  }
  auto& counted = seconds_[static_cast<std::size_t>(index)];
  ++counted.all;
  counted.bad += is_bad ? 1 : 0;
}

bool SloSeconds::is_violated(std::int64_t second) const {
  const std::int64_t index = second - first_;
  return index >= 0 && index < static_cast<std::int64_t>(seconds_.size()) &&
         seconds_[static_cast<std::size_t>(index)].is_violated();
}

std::uint64_t SloSeconds::violated_seconds() const {
  return static_cast<std::uint64_t>(std::count_if(
      seconds_.begin(), seconds_.end(), [](const Second& each) { return each.is_violated(); }));
}

}  // namespace scalableapp::workload
