// The report of a run as one page of HTML that needs nothing else: summary, endpoints, latency by
// percentile, rate and latency over time. Pure.
#pragma once

#include <deque>
#include <string>

#include "workload/load/record.h"

namespace scalableapp::workload {

std::string html_report(const RunRecord& run, const std::deque<SecondRow>& rows);

}  // namespace scalableapp::workload
