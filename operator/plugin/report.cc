#include "operator/plugin/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "operator/plugin/command_line.h"
#include "operator/plugin/table.h"

namespace scalableapp::plugin {
namespace {

using Json = nlohmann::ordered_json;
using simulation::PolicyResult;

struct Column {
  const char* heading;  // Of the table; nullptr: JSON and CSV only.
  const char* field;    // Of JSON and CSV.
  std::function<double(const PolicyResult&)> value;
  bool has_best = false;  // The lowest value is the best.
};

template <typename T>
std::function<double(const PolicyResult&)> of(T PolicyResult::*member) {
  return [member](const PolicyResult& result) { return static_cast<double>(result.*member); };
}

const std::vector<Column>& columns() {
  static const std::vector<Column> kColumns{
      {"SLO-VIOLATION(s)", "sloViolationSeconds", of(&PolicyResult::slo_violation_seconds), true},
      {"REPLICA-SECONDS", "replicaSeconds", of(&PolicyResult::replica_seconds), true},
      {"SCALE-EVENTS", "scaleEvents", of(&PolicyResult::scale_events), true},
      {"TURNS", "directionChanges", of(&PolicyResult::direction_changes), true},
      {"WORST-QUEUE", "worstQueue", of(&PolicyResult::worst_queue), true},
      {"RECOVERY(s)", "recoverySeconds", of(&PolicyResult::recovery_seconds), true},
      {"MAX-REPLICAS", "maxReplicas", of(&PolicyResult::max_replicas), false},
      {"FAILED", "failed", of(&PolicyResult::failed), true},
      {nullptr, "measuredSeconds", of(&PolicyResult::measured_seconds)},
      {nullptr, "loadDirectionChanges", of(&PolicyResult::load_direction_changes)},
      {nullptr, "arrived", of(&PolicyResult::arrived)},
      {nullptr, "served", of(&PolicyResult::served)},
      {nullptr, "unfinished", of(&PolicyResult::unfinished)},
      {nullptr, "meanLatencySeconds", of(&PolicyResult::mean_latency_seconds)},
  };
  return kColumns;
}

// Counts without a point, in JSON too.
Json json_number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) == value) return whole;
  return value;
}

std::string table_of(const TraceReport& report) {
  Table table{.headings = {"POLICY"}, .is_number = {false}};
  for (const PolicyResult& policy : report.policies) table.rows.push_back({policy.name});
  bool is_marked = false;
  for (const Column& column : columns()) {
    if (column.heading == nullptr) continue;
    table.headings.push_back(column.heading);
    table.is_number.push_back(true);
    std::vector<std::string> cells;
    for (const PolicyResult& policy : report.policies) {
      cells.push_back(short_number(column.value(policy)));
    }
    const auto less = [&](const PolicyResult& a, const PolicyResult& b) {
      return column.value(a) < column.value(b);
    };
    const auto [lowest, highest] = std::ranges::minmax_element(report.policies, less);
    const std::string best = short_number(column.value(*lowest));
    const bool has_best = column.has_best && best != short_number(column.value(*highest));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const bool is_best = has_best && cells[i] == best;
      if (report.policies.size() > 1 && column.has_best) cells[i] += is_best ? "*" : " ";
      is_marked = is_marked || is_best;
      table.rows[i].push_back(cells[i]);
    }
  }
  const PolicyResult& first = report.policies.front();
  std::string out =
      fmt::format("{}: {} s, {} requests or jobs, the load turns {}x; wanted: {}\n\n{}",
                  report.trace, short_number(first.measured_seconds), first.arrived,
                  first.load_direction_changes, first.slo, render(table));
  if (is_marked) out += "* the best of its column\n";
  for (const std::string& note : report.notes) out += note + "\n";
  return out;
}

// Policies keep their settings from trace to trace.
std::string settings_of(std::span<const TraceReport> reports) {
  std::string out = "Settings:\n";
  std::size_t width = 0;
  for (const PolicyResult& policy : reports.front().policies) {
    width = std::max(width, policy.name.size());
  }
  for (const PolicyResult& policy : reports.front().policies) {
    out += fmt::format("  {:<{}}   {}\n", policy.name, width,
                       wrapped(policy.settings, 96, std::string(width + 5, ' ')));
  }
  return out;
}

}  // namespace

std::string report_table(std::span<const TraceReport> reports) {
  std::string out;
  for (const TraceReport& report : reports) out += table_of(report) + "\n";
  return out + settings_of(reports);
}

std::string report_json(std::span<const TraceReport> reports) {
  Json all = Json::array();
  for (const TraceReport& report : reports) {
    Json policies = Json::array();
    for (const PolicyResult& result : report.policies) {
      Json policy{{"name", result.name}};
      for (const Column& column : columns())
        policy[column.field] = json_number(column.value(result));
      policy["slo"] = result.slo;
      policy["settings"] = result.settings;
      policies.push_back(std::move(policy));
    }
    Json one{{"trace", report.trace}, {"policies", std::move(policies)}};
    if (!report.notes.empty()) one["notes"] = report.notes;
    all.push_back(std::move(one));
  }
  return (reports.size() == 1 ? all[0] : all).dump(2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

std::string report_csv(std::span<const TraceReport> reports) {
  Table table{.headings = {"trace", "policy"}};
  for (const Column& column : columns()) table.headings.push_back(column.field);
  for (const TraceReport& report : reports) {
    for (const PolicyResult& result : report.policies) {
      std::vector<std::string> row{report.trace, result.name};
      for (const Column& column : columns()) {
        row.push_back(json_number(column.value(result)).dump());
      }
      table.rows.push_back(std::move(row));
    }
  }
  return render_csv(table);
}

std::string series_csv(std::span<const TraceReport> reports) {
  Table table{.headings = {"trace", "policy", "seconds", "requests_per_second", "latency_seconds",
                           "replicas_desired", "replicas_serving", "queue"}};
  for (const TraceReport& report : reports) {
    for (const PolicyResult& result : report.policies) {
      for (const simulation::Point& point : result.points) {
        table.rows.push_back({report.trace, result.name, json_number(point.seconds).dump(),
                              json_number(point.arrivals_per_second).dump(),
                              json_number(point.latency_seconds).dump(), std::to_string(point.replicas_desired),
                              std::to_string(point.replicas_serving), std::to_string(point.queue)});
      }
    }
  }
  return render_csv(table);
}

}  // namespace scalableapp::plugin
