// Load that somebody knows of before any metric does: traffic that is about to be moved here, a campaign. Said by
// the annotation scalableapp.io/expect-load, which raises the app's floor until a time:
//
//   "200% until 2026-11-25T05:10:00Z"         of what the metrics need when this is first seen
//   "8 replicas until 2026-11-25T05:10:00Z"
//
// What a percentage is of is counted once and kept in api::ExpectedLoad, also over a restart: as the load arrives
// the metrics need more by themselves, and twice of that would be twice too many. Another text is another request.
// The floor only adds, and the bounds hold over it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"

namespace scalableapp::scaling {

struct LoadExpectation {
  std::optional<int> percent;   // Exactly one of the two.
  std::optional<int> replicas;
  WallTime until{};
  bool operator==(const LoadExpectation&) const = default;
};
// kInvalid says what the text should be, and names the annotation.
Result<LoadExpectation> parse_expectation(std::string_view text);

// What the annotation asks for now.
struct ExpectedFloor {
  int replicas = 0;       // 0: nothing.
  std::string detail;     // Of the step: "200% of the 4 replicas needed before, expected until ...".
  std::string problem;    // What is wrong with the text; empty: nothing.
  bool is_over = false;   // Its time has passed.
};
// `needed`: by the metrics now. Keeps in `memory` what the text meant when it was first seen; empty text: none.
ExpectedFloor keep_expected_load(WallTime now, const std::string& text, int needed, api::ExpectedLoad& memory);

// The condition ExpectedLoad, where the annotation is set. `most`: the app may have at most.
api::Condition expected_load_condition(const ExpectedFloor& floor, int most);

}  // namespace scalableapp::scaling
