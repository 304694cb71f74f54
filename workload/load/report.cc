#include "workload/load/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace scalableapp::workload {
namespace {

using json = nlohmann::ordered_json;

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

json share_or_null(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? json() : json(static_cast<double>(part) / static_cast<double>(all));
}

json row_json(const SecondRow& row) {
  const bool has_latency = row.completed > 0;
  json text{{"time", row.time},
            {"target_rate", row.target_rate},
            {"offered", row.offered},
            {"completed", row.completed},
            {"failed", row.failed},
            {"failures", failures_json(row.outcomes)},
            {"retried", row.retried},
            {"cache_hits", row.cache_hits},
            {"cache_misses", row.cache_misses},
            {"degraded", row.degraded},
            {"in_flight", row.in_flight},
            {"p50_ms", has_latency ? json(row.p50_ms) : json()},
            {"p99_ms", has_latency ? json(row.p99_ms) : json()},
            {"schedule_lag_p99_ms", row.own.lag_p99_ms},
            {"generator_cpu_share", row.own.cpu_share},
            {"generator_limited", row.limit != Limit::kNone}};
  if (row.limit != Limit::kNone) text["generator_limited_by"] = to_string(row.limit);
  json endpoints = json::object();
  for (std::size_t index = 0; index < row.endpoints.size(); ++index) {
    const auto& counts = row.endpoints[index];
    if (counts.completed + counts.failed == 0) continue;
    endpoints[(*row.names)[index]] = {counts.completed, counts.failed};
  }
  text["endpoints"] = std::move(endpoints);
  return text;
}

json tally_json(const Tally& tally, double duration) {
  return {
      {"duration_seconds", duration},
      {"offered", tally.offered},
      {"completed", tally.completed()},
      {"failed", tally.failed()},
      {"shed", tally.shed()},
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
      {"cache_hits", tally.cache_hits},
      {"cache_misses", tally.cache_misses},
      {"cache_hit_share", share_or_null(tally.cache_hits, tally.cache_hits + tally.cache_misses)},
      {"degraded", tally.degraded},
      {"degraded_share", share_or_null(tally.degraded, tally.completed())},
      {"sessions_lost", tally.sessions_lost},
      {"schedule_lag_p99_ms", to_ms(tally.lag.quantile(0.99))}};
}

json total_json(const RunRecord& run) {
  auto total = tally_json(run.total(), run.elapsed_seconds);
  total["slo_violation_seconds"] = run.has_slo() ? json(run.slo_seconds.violated_seconds()) : json();
  std::uint64_t accepted = 0;
  for (const auto& endpoint : run.endpoints) accepted += endpoint.accepted.count();
  total["accepted"] = accepted;
  total["generator_limited"] = run.generator_limited_seconds() > 0;
  return total;
}

json endpoints_json(const RunRecord& run) {
  json list = json::array();
  for (const auto& endpoint : run.endpoints) {
    json each{{"name", endpoint.name}, {"method", endpoint.method}};
    each.update(tally_json(endpoint.tally, run.elapsed_seconds));
    each["slo_ms"] = endpoint.slo ? json(endpoint.slo->count()) : json();
    each["slo_violation_seconds"] =
        endpoint.slo ? json(endpoint.slo_seconds.violated_seconds()) : json();
    each["accepted"] = endpoint.accepted.count();
    each["accepted_not_kept"] = endpoint.accepted.not_kept();
    list.push_back(std::move(each));
  }
  return list;
}

json generator_json(const RunRecord& run, const OwnLimits& limits) {
  json by = json::object();
  for (std::size_t index = 1; index < kLimits; ++index) {
    if (run.limited_seconds[index] > 0) {
      by[to_string(static_cast<Limit>(index))] = run.limited_seconds[index];
    }
  }
  return {{"limited", run.generator_limited_seconds() > 0},
          {"limited_seconds", run.generator_limited_seconds()},
          {"limited_seconds_by", std::move(by)},
          {"max_connections", limits.max_connections},
          {"local_ports", limits.local_ports}};
}

json rows_json(const std::deque<SecondRow>& rows, std::int64_t since, std::int64_t until,
               const RunRecord* run) {
  json list = json::array();
  for (const auto& row : rows) {
    if (row.time < since || row.time > until) continue;
    auto each = row_json(row);
    if (run != nullptr && run->has_slo() && row.time >= run->started) {
      each["slo_violated"] = run->slo_seconds.is_violated(row.time);
    }
    list.push_back(std::move(each));
  }
  return list;
}

}  // namespace

std::string report_json(const RunRecord& run, const std::deque<SecondRow>& rows,
                        const OwnLimits& limits) {
  json phases = json::array();
  for (const auto& phase : run.phases) {
    json each{{"name", phase.name}};
    each.update(tally_json(phase.tally, phase.duration_seconds));
    phases.push_back(std::move(each));
  }
  return json{{"profile", run.profile},
              {"mix", run.mix},
              {"started", run.started},
              {"ended", run.ended},
              {"stopped_early", run.was_stopped},
              {"generator", generator_json(run, limits)},
              {"total", total_json(run)},
              {"endpoints", endpoints_json(run)},
              {"phases", std::move(phases)},
              {"seconds", rows_json(rows, run.started, run.ended, &run)}}
             .dump(2) +
         "\n";
}

std::string timeline_json(const std::deque<SecondRow>& rows, std::int64_t since,
                          const RunRecord* run) {
  constexpr auto kForever = std::numeric_limits<std::int64_t>::max();
  return json{{"seconds", rows_json(rows, since, kForever, run)}}.dump() + "\n";
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
             {"generator_limited", row.limit != Limit::kNone},
             {"generator_limited_why", explain(row.limit, row.own)}};
  if (run != nullptr) {
    stats["profile"] = run->profile;
    stats["started"] = run->started;
    stats["total"] = total_json(*run);
  }
  return stats.dump() + "\n";
}

std::optional<std::string> accepted_text(const RunRecord& run, const std::string& endpoint,
                                         std::size_t offset, std::size_t limit) {
  constexpr std::size_t kLine = 33;
  std::string text;
  bool is_known = endpoint.empty();
  for (const auto& each : run.endpoints) {
    if (!endpoint.empty() && each.name != endpoint) continue;
    is_known = true;
    const auto before = text.size();
    each.accepted.list(offset, limit, text);
    limit -= (text.size() - before) / kLine;
    offset -= std::min(offset, each.accepted.size());
  }
  if (!is_known) return std::nullopt;
  return text;
}

std::string live_line(const SecondRow& row, double elapsed_seconds) {
  return fmt::format(
      "{:5.0f}s  target {:5.0f}/s  offered {:5}  completed {:5}  failed {:4}  in flight {:4}  "
      "p50 {:7.1f} ms  p99 {:7.1f} ms{}\n",
      elapsed_seconds, row.target_rate, row.offered, row.completed, row.failed, row.in_flight,
      row.p50_ms, row.p99_ms,
      row.limit == Limit::kNone
          ? ""
          : fmt::format("  (the generator is the limit: {})", explain(row.limit, row.own)));
}

}  // namespace scalableapp::workload
