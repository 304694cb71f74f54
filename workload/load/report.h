// Records as text: JSON for programs, a line for a person. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "workload/load/record.h"

namespace scalableapp::workload {

// What the generator could do at most, whatever it is asked.
struct OwnLimits {
  int max_connections = 0;
  int local_ports = 0;
};

std::string report_json(const RunRecord& run, const std::deque<SecondRow>& rows,
                        const OwnLimits& limits);
// All rows from a Unix time on; `run`, the last one, may be null.
std::string timeline_json(const std::deque<SecondRow>& rows, std::int64_t since,
                          const RunRecord* run);
std::string stats_json(const Timeline& timeline, std::int64_t last_second, const RunRecord* run,
                       bool is_running, std::uint64_t in_flight);
// POST requests answered 2xx, one id a line. All endpoints one after the other if `endpoint` is
// empty; none if it is not of the run.
std::optional<std::string> accepted_text(const RunRecord& run, const std::string& endpoint,
                                         std::size_t offset, std::size_t limit);
std::string live_line(const SecondRow& row, double elapsed_seconds);

}  // namespace scalableapp::workload
