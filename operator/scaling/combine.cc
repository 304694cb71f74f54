#include "operator/scaling/combine.h"

#include <algorithm>

namespace scalableapp::scaling {

Combined combine(int current, std::span<const Signal> signals) {
  Combined result;
  int waiting = 0;
  for (const Signal& signal : signals) {
    if (signal.proposal) result.proposed = std::max(result.proposed, *signal.proposal);
    if (signal.proposal && !signal.fallback) {
      ++result.usable;
    } else {
      ++result.missing;
      if (signal.waiting) ++waiting;
    }
  }
  if (result.usable == 0) result.proposed = std::max(result.proposed, current);
  result.replicas = result.missing > 0 ? std::max(result.proposed, current) : result.proposed;
  result.only_waiting = result.missing > 0 && waiting == result.missing;
  return result;
}

}  // namespace scalableapp::scaling
