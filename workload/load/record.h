// What came of the requests: by second for the live view, by phase and by endpoint for the report.
// Pure bookkeeping: the caller tells what happened and when a second is over. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/time.h"
#include "workload/load/accepted.h"
#include "workload/load/histogram.h"
#include "workload/load/limits.h"
#include "workload/load/slo.h"

namespace scalableapp::workload {

enum class Outcome {
  kOk,         // A status below 400, within the time-out.
  kTimeout,    // No complete answer within the time-out from the intended start.
  kConnect,    // The connection was refused or not made.
  kReset,      // The connection broke before the answer was complete.
  kShed,       // 503.
  kLimited,    // 429.
  kStatus5xx,  // Any other 5xx.
  kStatus4xx,  // Any other 4xx.
  kProtocol,      // The answer is not HTTP.
  kNoConnection,  // All of --max-connections were busy until the time-out: the generator's own
                  // limit.
};
inline constexpr std::size_t kOutcomes = 10;
const char* to_string(Outcome outcome);

using OutcomeCounts = std::array<std::uint64_t, kOutcomes>;

// What an answer says of the server that gave it.
struct AnswerMarks {
  enum class Cache { kNone, kHit, kMiss } cache = Cache::kNone;  // Header X-Cache.
  bool is_degraded = false;                                      // X-Degrade-Level above 0.
  bool is_session_lost = false;                                  // 401 to a cookie.
};
// HIT, and STALE and UPDATING, which do not wait for the origin either, are hits; empty is none.
AnswerMarks::Cache cache_mark(std::string_view x_cache);

// Counts and latencies of some part of a run. Latency is that of kOk only, from the intended start.
struct Tally {
  std::uint64_t offered = 0;
  OutcomeCounts outcomes{};
  std::uint64_t retried = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t cache_misses = 0;
  std::uint64_t degraded = 0;
  std::uint64_t sessions_lost = 0;
  LatencyHistogram latency;
  LatencyHistogram lag;  // From the intended to the real start: the generator's own delay.

  std::uint64_t completed() const { return outcomes[static_cast<std::size_t>(Outcome::kOk)]; }
  std::uint64_t failed() const;
  // Of the failed ones: those that the server refused on purpose, by 503 or 429.
  std::uint64_t shed() const;
  void count(Outcome outcome, microseconds from_intended_start, const AnswerMarks& marks = {});
  void merge(const Tally& other);
};

// Of one endpoint within a second.
struct EndpointCounts {
  std::uint32_t completed = 0;
  std::uint32_t failed = 0;
};
using EndpointNames = std::shared_ptr<const std::vector<std::string>>;

struct SecondRow {
  std::int64_t time = 0;  // Unix time of the second's begin.
  double target_rate = 0;
  std::uint64_t offered = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  OutcomeCounts outcomes{};  // Both of these by kind.
  std::uint64_t retried = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t cache_misses = 0;
  std::uint64_t degraded = 0;
  std::uint64_t in_flight = 0;
  double p50_ms = 0;  // Meaningful if completed > 0.
  double p99_ms = 0;
  OwnSecond own;
  Limit limit = Limit::kNone;
  EndpointNames names;                    // Of the run that went on; may be null.
  std::vector<EndpointCounts> endpoints;  // By name.
};

// The last two hours second by second, across runs.
class Timeline {
 public:
  Tally& current() { return current_; }
  OwnSecond& own() { return own_; }
  // From now on requests are counted to these endpoints.
  void set_endpoints(EndpointNames names);
  void count_endpoint(const EndpointNames& names, std::size_t endpoint, bool is_ok);
  // Makes a row of what was counted since the last call. Seconds in which nothing was going on
  // (`is_active` false, nothing counted) leave no row. The row, or null.
  const SecondRow* close_second(std::int64_t time, double target_rate, std::uint64_t in_flight, bool is_active);

  const std::deque<SecondRow>& rows() const { return rows_; }
  // The row of that second, zeros if there is none.
  SecondRow row_of(std::int64_t time) const;
  // Latencies of the last five closed seconds.
  const LatencyHistogram& last_five() const { return last_five_; }

 private:
  Tally current_;
  OwnSecond own_;
  EndpointNames names_;
  std::vector<EndpointCounts> endpoints_;
  std::deque<SecondRow> rows_;
  std::array<LatencyHistogram, 5> recent_;
  std::size_t oldest_ = 0;
  LatencyHistogram last_five_;
};

struct PhaseRecord {
  std::string name;
  double duration_seconds = 0;
  Tally tally;
};

struct EndpointRecord {
  std::string name;
  std::string method;
  std::optional<milliseconds> slo;
  Tally tally;
  SloSeconds slo_seconds;
  AcceptedIds accepted;
};

// One run from its start to its last answer.
struct RunRecord {
  std::string profile;
  std::string mix;
  std::int64_t started = 0;  // Unix seconds.
  std::int64_t ended = 0;
  double elapsed_seconds = 0;  // Of the schedule, up to its end or to the stop.
  bool was_stopped = false;
  std::vector<PhaseRecord> phases;
  std::vector<EndpointRecord> endpoints;
  SloSeconds slo_seconds;      // Of all requests whose endpoint has a target.
  std::size_t kept_ids = 0;    // In the lists of all endpoints.
  std::array<std::uint64_t, kLimits> limited_seconds{};  // By Limit.

  Tally total() const;
  bool has_slo() const;
  std::uint64_t generator_limited_seconds() const;
  void count(std::size_t phase, std::size_t endpoint, std::int64_t intended_second, Outcome outcome,
             microseconds latency, const AnswerMarks& marks);
};

}  // namespace scalableapp::workload
