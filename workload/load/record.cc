#include "workload/load/record.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxRows = 7200;

double to_ms(microseconds latency) { return static_cast<double>(latency.count()) / 1000.0; }

}  // namespace

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kConnect:
      return "connect";
    case Outcome::kReset:
      return "reset";
    case Outcome::kShed:
      return "shed";
    case Outcome::kLimited:
      return "limited";
    case Outcome::kStatus5xx:
      return "status_5xx";
    case Outcome::kStatus4xx:
      return "status_4xx";
    case Outcome::kProtocol:
      return "protocol";
    case Outcome::kNoConnection:
      return "no_connection";
  }
  return "unknown";
}

AnswerMarks::Cache cache_mark(std::string_view x_cache) {
  if (x_cache.empty()) return AnswerMarks::Cache::kNone;
  const bool is_hit = x_cache == "HIT" || x_cache == "STALE" || x_cache == "UPDATING";
  return is_hit ? AnswerMarks::Cache::kHit : AnswerMarks::Cache::kMiss;
}

std::uint64_t Tally::failed() const {
  return std::accumulate(outcomes.begin() + 1, outcomes.end(), std::uint64_t{0});
}

std::uint64_t Tally::shed() const {
  return outcomes[static_cast<std::size_t>(Outcome::kShed)] +
         outcomes[static_cast<std::size_t>(Outcome::kLimited)];
}

void Tally::count(Outcome outcome, microseconds from_intended_start, const AnswerMarks& marks) {
  ++outcomes[static_cast<std::size_t>(outcome)];
  if (outcome == Outcome::kOk) latency.record(from_intended_start);
  cache_hits += marks.cache == AnswerMarks::Cache::kHit ? 1 : 0;
  cache_misses += marks.cache == AnswerMarks::Cache::kMiss ? 1 : 0;
  degraded += marks.is_degraded ? 1 : 0;
  sessions_lost += marks.is_session_lost ? 1 : 0;
}

void Tally::merge(const Tally& other) {
  offered += other.offered;
  retried += other.retried;
  cache_hits += other.cache_hits;
  cache_misses += other.cache_misses;
  degraded += other.degraded;
  sessions_lost += other.sessions_lost;
  for (std::size_t index = 0; index < kOutcomes; ++index) outcomes[index] += other.outcomes[index];
  latency.merge(other.latency);
  lag.merge(other.lag);
}

void Timeline::set_endpoints(EndpointNames names) {
  names_ = std::move(names);
  endpoints_.assign(names_ ? names_->size() : 0, {});
}

void Timeline::count_endpoint(const EndpointNames& names, std::size_t endpoint, bool is_ok) {
  if (names != names_) return;  // Of a run that was replaced: only the sums have it.
  auto& counts = endpoints_[endpoint];
  ++(is_ok ? counts.completed : counts.failed);
}

const SecondRow* Timeline::close_second(std::int64_t time, double target_rate,
                                        std::uint64_t in_flight, bool is_active) {
  SecondRow row{.time = time,
                .target_rate = target_rate,
                .offered = current_.offered,
                .completed = current_.completed(),
                .failed = current_.failed(),
                .outcomes = current_.outcomes,
                .retried = current_.retried,
                .cache_hits = current_.cache_hits,
                .cache_misses = current_.cache_misses,
                .degraded = current_.degraded,
                .in_flight = in_flight,
                .p50_ms = to_ms(current_.latency.quantile(0.5)),
                .p99_ms = to_ms(current_.latency.quantile(0.99)),
                .own = std::exchange(own_, {}),
                .names = names_,
                .endpoints = endpoints_};
  row.own.lag_p99_ms = to_ms(current_.lag.quantile(0.99));
  row.limit = limit_of(row.own);
  endpoints_.assign(endpoints_.size(), {});
  recent_[oldest_] = current_.latency;
  oldest_ = (oldest_ + 1) % recent_.size();
  last_five_.clear();
  for (const auto& second : recent_) last_five_.merge(second);
  current_ = {};
  if (!is_active && row.offered + row.completed + row.failed == 0) return nullptr;
  if (!rows_.empty() && rows_.back().time == time) {  // A run ended and another began within it.
    const auto last = std::move(rows_.back());
    rows_.pop_back();
    row.offered += last.offered;
    row.completed += last.completed;
    row.failed += last.failed;
    for (std::size_t index = 0; index < kOutcomes; ++index) {
      row.outcomes[index] += last.outcomes[index];
    }
    row.retried += last.retried;
    row.cache_hits += last.cache_hits;
    row.cache_misses += last.cache_misses;
    row.degraded += last.degraded;
    row.p50_ms = std::max(last.p50_ms, row.p50_ms);
    row.p99_ms = std::max(last.p99_ms, row.p99_ms);
    row.own.lag_p99_ms = std::max(last.own.lag_p99_ms, row.own.lag_p99_ms);
    if (row.limit == Limit::kNone) row.limit = last.limit;
    if (row.names == last.names) {
      for (std::size_t index = 0; index < row.endpoints.size(); ++index) {
        row.endpoints[index].completed += last.endpoints[index].completed;
        row.endpoints[index].failed += last.endpoints[index].failed;
      }
    }
  }
  rows_.push_back(std::move(row));
  if (rows_.size() > kMaxRows) rows_.pop_front();
  return &rows_.back();
}

SecondRow Timeline::row_of(std::int64_t time) const {
  for (auto row = rows_.rbegin(); row != rows_.rend() && row->time >= time; ++row) {
    if (row->time == time) return *row;
  }
  SecondRow none;
  none.time = time;
  return none;
}

Tally RunRecord::total() const {
  Tally sum;
  for (const auto& phase : phases) sum.merge(phase.tally);
  return sum;
}

bool RunRecord::has_slo() const {
  return std::any_of(endpoints.begin(), endpoints.end(),
                     [](const auto& endpoint) { return endpoint.slo.has_value(); });
}

std::uint64_t RunRecord::generator_limited_seconds() const {
  return std::accumulate(limited_seconds.begin() + 1, limited_seconds.end(), std::uint64_t{0});
}

void RunRecord::count(std::size_t phase, std::size_t endpoint, std::int64_t intended_second,
                      Outcome outcome, microseconds latency, const AnswerMarks& marks) {
  phases[phase].tally.count(outcome, latency, marks);
  auto& to = endpoints[endpoint];
  to.tally.count(outcome, latency, marks);
  if (!to.slo) return;
  const bool is_bad = outcome != Outcome::kOk || latency > *to.slo;
  to.slo_seconds.count(intended_second, is_bad);
  slo_seconds.count(intended_second, is_bad);
}

}  // namespace scalableapp::workload
