// What came of the requests: by second for the live view, by phase for the report. Pure
// bookkeeping: the caller tells what happened and when a second is over. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "workload/load/histogram.h"
#include "workload/load/profile.h"

namespace scalableapp::workload {

enum class Outcome {
  kOk,         // A status below 400, within the time-out.
  kTimeout,    // No complete answer within the time-out from the intended start.
  kConnect,    // The connection was refused or not made.
  kReset,      // The connection broke before the answer was complete.
  kShed,       // 503.
  kStatus5xx,  // Any other 5xx.
  kStatus4xx,
  kProtocol,      // The answer is not HTTP.
  kNoConnection,  // All of --max-connections were busy until the time-out: the generator's own
                  // limit.
};
inline constexpr std::size_t kOutcomes = 9;
const char* to_string(Outcome outcome);

using OutcomeCounts = std::array<std::uint64_t, kOutcomes>;

// Counts and latencies of some part of a run. Latency is that of kOk only, from the intended start.
struct Tally {
  std::uint64_t offered = 0;
  OutcomeCounts outcomes{};
  std::uint64_t retried = 0;
  LatencyHistogram latency;
  LatencyHistogram lag;  // From the intended to the real start: the generator's own delay.

  std::uint64_t completed() const { return outcomes[static_cast<std::size_t>(Outcome::kOk)]; }
  std::uint64_t failed() const;
  void count(Outcome outcome, microseconds from_intended_start);
  void merge(const Tally& other);
};

struct SecondRow {
  std::int64_t time = 0;  // Unix time of the second's begin.
  double target_rate = 0;
  std::uint64_t offered = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  OutcomeCounts outcomes{};  // Both of these by kind.
  std::uint64_t retried = 0;
  std::uint64_t in_flight = 0;
  double p50_ms = 0;  // Meaningful if completed > 0.
  double p99_ms = 0;
  double lag_p99_ms = 0;
};

// The last two hours second by second, across runs.
class Timeline {
 public:
  Tally& current() { return current_; }
  // Makes a row of what was counted since the last call. Seconds in which nothing was going on
  // (`is_active` false, nothing counted) leave no row.
  void close_second(std::int64_t time, double target_rate, std::uint64_t in_flight, bool is_active);

  const std::deque<SecondRow>& rows() const { return rows_; }
  // The row of that second, zeros if there is none.
  SecondRow row_of(std::int64_t time) const;
  // Latencies of the last five closed seconds.
  const LatencyHistogram& last_five() const { return last_five_; }

 private:
  Tally current_;
  std::deque<SecondRow> rows_;
  std::array<LatencyHistogram, 5> recent_;
  std::size_t oldest_ = 0;
  LatencyHistogram last_five_;
};

// One run from its start to its last answer.
struct RunRecord {
  std::string profile;
  std::string mix;
  std::int64_t started = 0;  // Unix seconds.
  std::int64_t ended = 0;
  double elapsed_seconds = 0;  // Of the schedule, up to its end or to the stop.
  bool was_stopped = false;
  std::vector<std::string> phase_names;
  std::vector<double> phase_seconds;
  std::vector<Tally> phases;

  Tally total() const;
};

// A generator whose own delay exceeds this at p99 measures itself rather than its target.
inline constexpr double kLagLimitMs = 20;

// JSON texts of the report and of the live view.
std::string report_json(const RunRecord& run, const std::deque<SecondRow>& rows);
std::string timeline_json(const std::deque<SecondRow>& rows, std::int64_t since);
std::string stats_json(const Timeline& timeline, std::int64_t last_second, const RunRecord* run,
                       bool is_running, std::uint64_t in_flight);
// One line for a person.
std::string live_line(const SecondRow& row, double elapsed_seconds);

}  // namespace scalableapp::workload
