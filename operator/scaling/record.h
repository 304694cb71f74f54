// A decision as a record: what /debug/decisions serves. It ends in everything that was decided on, so
// that the same decision can be made again elsewhere, to the same bytes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "operator/scaling/decide.h"

namespace scalableapp::scaling {

// One JSON object on one line, keys in a fixed order. `before`: the history that was decided on.
std::string render_record(WallTime now, const api::ScalableApp& app, const Observation& observation,
                          const api::ScalingHistory& before, const Decision& decision);

struct RecordedInput {
  WallTime now{};
  std::string namespace_name, name;
  std::int64_t generation = 0;
  Observation observation;
  api::ScalingHistory history;
};
// kDecode names the member that is missing, wrong or unknown, by its path: what is left out in silence
// would leave another case to be decided. Members that tell of the decision (reason, steps, ...) may be
// left out: a case written by hand needs `time` and `input.observation`.
Result<RecordedInput> parse_record(std::string_view text);

}  // namespace scalableapp::scaling
