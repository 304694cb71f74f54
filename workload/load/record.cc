#include "workload/load/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace scalableapp::workload {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t kMaxRows = 7200;

double to_ms(microseconds latency) { return static_cast<double>(latency.count()) / 1000.0; }

json quantile_or_null(const LatencyHistogram& latency, double fraction) {
  return latency.count() == 0 ? json() : json(to_ms(latency.quantile(fraction)));
}

json failures_json(const OutcomeCounts& outcomes) {
  json failures = json::object();
  for (std::size_t index = 1; index < kOutcomes; ++index) {
    if (outcomes[index] > 0) failures[to_string(static_cast<Outcome>(index))] = outcomes[index];
  }
  return failures;
}

json row_json(const SecondRow& row) {
  const bool has_latency = row.completed > 0;
  return {{"time", row.time},
          {"target_rate", row.target_rate},
          {"offered", row.offered},
          {"completed", row.completed},
          {"failed", row.failed},
          {"failures", failures_json(row.outcomes)},
          {"retried", row.retried},
          {"in_flight", row.in_flight},
          {"p50_ms", has_latency ? json(row.p50_ms) : json()},
          {"p99_ms", has_latency ? json(row.p99_ms) : json()},
          {"schedule_lag_p99_ms", row.lag_p99_ms}};
}

json tally_json(const Tally& tally, double duration) {
  const double lag = to_ms(tally.lag.quantile(0.99));
  return {
      {"duration_seconds", duration},
      {"offered", tally.offered},
      {"completed", tally.completed()},
      {"failed", tally.failed()},
      {"failures", failures_json(tally.outcomes)},
      {"retried", tally.retried},
      {"offered_per_second", duration > 0 ? static_cast<double>(tally.offered) / duration : 0},
      {"completed_per_second",
       duration > 0 ? static_cast<double>(tally.completed()) / duration : 0},
      {"latency_ms",
       {{"p50", quantile_or_null(tally.latency, 0.5)},
        {"p90", quantile_or_null(tally.latency, 0.9)},
        {"p99", quantile_or_null(tally.latency, 0.99)},
        {"p99.9", quantile_or_null(tally.latency, 0.999)},
        {"max", quantile_or_null(tally.latency, 1)}}},
      {"schedule_lag_p99_ms", lag},
      {"generator_was_bottleneck",
       lag > kLagLimitMs || tally.outcomes[static_cast<std::size_t>(Outcome::kNoConnection)] > 0}};
}

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

std::uint64_t Tally::failed() const {
  std::uint64_t sum = 0;
  for (std::size_t index = 1; index < kOutcomes; ++index) sum += outcomes[index];
  return sum;
}

void Tally::count(Outcome outcome, microseconds from_intended_start) {
  ++outcomes[static_cast<std::size_t>(outcome)];
  if (outcome == Outcome::kOk) latency.record(from_intended_start);
}

void Tally::merge(const Tally& other) {
  offered += other.offered;
  retried += other.retried;
  for (std::size_t index = 0; index < kOutcomes; ++index) outcomes[index] += other.outcomes[index];
  latency.merge(other.latency);
  lag.merge(other.lag);
}

void Timeline::close_second(std::int64_t time, double target_rate, std::uint64_t in_flight,
                            bool is_active) {
  SecondRow row{.time = time,
                .target_rate = target_rate,
                .offered = current_.offered,
                .completed = current_.completed(),
                .failed = current_.failed(),
                .outcomes = current_.outcomes,
                .retried = current_.retried,
                .in_flight = in_flight,
                .p50_ms = to_ms(current_.latency.quantile(0.5)),
                .p99_ms = to_ms(current_.latency.quantile(0.99)),
                .lag_p99_ms = to_ms(current_.lag.quantile(0.99))};
  recent_[oldest_] = current_.latency;
  oldest_ = (oldest_ + 1) % recent_.size();
  last_five_.clear();
  for (const auto& second : recent_) last_five_.merge(second);
  current_ = {};
  if (!is_active && row.offered + row.completed + row.failed == 0) return;
  if (!rows_.empty() && rows_.back().time == time) {  // A run ended and another began within it.
    auto& last = rows_.back();
    last.offered += row.offered;
    last.completed += row.completed;
    last.failed += row.failed;
    for (std::size_t index = 0; index < kOutcomes; ++index) last.outcomes[index] += row.outcomes[index];
    last.retried += row.retried;
    last.target_rate = row.target_rate;
    last.in_flight = row.in_flight;
    last.p50_ms = std::max(last.p50_ms, row.p50_ms);
    last.p99_ms = std::max(last.p99_ms, row.p99_ms);
    last.lag_p99_ms = std::max(last.lag_p99_ms, row.lag_p99_ms);
    return;
  }
  rows_.push_back(row);
  if (rows_.size() > kMaxRows) rows_.pop_front();
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
  for (const auto& phase : phases) sum.merge(phase);
  return sum;
}

std::string report_json(const RunRecord& run, const std::deque<SecondRow>& rows) {
  json phases = json::array();
  for (std::size_t index = 0; index < run.phases.size(); ++index) {
    json phase{{"name", run.phase_names[index]}};
    phase.update(tally_json(run.phases[index], run.phase_seconds[index]));
    phases.push_back(std::move(phase));
  }
  json seconds_list = json::array();
  for (const auto& row : rows) {
    if (row.time >= run.started && row.time <= run.ended) seconds_list.push_back(row_json(row));
  }
  return json{{"profile", run.profile},
              {"mix", run.mix},
              {"started", run.started},
              {"ended", run.ended},
              {"stopped_early", run.was_stopped},
              {"total", tally_json(run.total(), run.elapsed_seconds)},
              {"phases", std::move(phases)},
              {"seconds", std::move(seconds_list)}}
             .dump(2) +
         "\n";
}

std::string timeline_json(const std::deque<SecondRow>& rows, std::int64_t since) {
  json seconds_list = json::array();
  for (const auto& row : rows) {
    if (row.time >= since) seconds_list.push_back(row_json(row));
  }
  return json{{"seconds", std::move(seconds_list)}}.dump() + "\n";
}

std::string stats_json(const Timeline& timeline, std::int64_t last_second, const RunRecord* run,
                       bool is_running, std::uint64_t in_flight) {
  const auto row = timeline.row_of(last_second);
  json stats{{"running", is_running},
             {"in_flight", in_flight},
             {"last_second", row_json(row)},
             {"last_5_seconds",
              {{"completed", timeline.last_five().count()},
               {"p50_ms", quantile_or_null(timeline.last_five(), 0.5)},
               {"p99_ms", quantile_or_null(timeline.last_five(), 0.99)}}},
             {"generator_is_bottleneck", row.lag_p99_ms > kLagLimitMs}};
  if (run != nullptr) {
    stats["profile"] = run->profile;
    stats["started"] = run->started;
    stats["total"] = tally_json(run->total(), run->elapsed_seconds);
  }
  return stats.dump() + "\n";
}

std::string live_line(const SecondRow& row, double elapsed_seconds) {
  return fmt::format(
      "{:5.0f}s  target {:5.0f}/s  offered {:5}  completed {:5}  failed {:4}  in flight {:4}  "
      "p50 {:7.1f} ms  p99 {:7.1f} ms{}\n",
      elapsed_seconds, row.target_rate, row.offered, row.completed, row.failed, row.in_flight,
      row.p50_ms, row.p99_ms,
      row.lag_p99_ms > kLagLimitMs
          ? fmt::format("  (the generator itself is {:.0f} ms late)", row.lag_p99_ms)
          : "");
}

}  // namespace scalableapp::workload
