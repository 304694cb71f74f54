// The two kinds of time, as distinct types, and the text formats the project reads and writes.
// Pure code takes a WallTime argument named `now`; only operator/platform/clock.cc asks the
// machine. Does not know time zones: all text is UTC.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp {

using std::chrono::milliseconds;
using std::chrono::seconds;

using WallTime = std::chrono::sys_time<milliseconds>;  // Comparable across machines; may jump.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock,
                                              milliseconds>;  // Never jumps; this process only.

// RFC 3339 with seconds ("2026-01-31T12:00:00Z"), as metav1.Time is written.
std::string format_rfc3339(WallTime time);
// RFC 3339 with microseconds ("2026-01-31T12:00:00.250000Z"), as metav1.MicroTime (Lease) is
// written.
std::string format_rfc3339_micro(WallTime time);
// Reads both forms, with any number of fraction digits, "Z" or a numeric offset. kDecode on other
// text.
Result<WallTime> parse_rfc3339(std::string_view text);

// Go's duration text: "200ms", "1.5s", "1m30s", "2h". kInvalid on other text or on a value over 10
// years.
Result<milliseconds> parse_duration(std::string_view text);
// The shortest such text: 90 s -> "1m30s", 200 ms -> "200ms", 0 -> "0s".
std::string format_duration(milliseconds duration);

}  // namespace scalableapp
