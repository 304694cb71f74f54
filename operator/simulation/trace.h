// A load trace: how many requests (or jobs) arrive a second, by time, and what else changes with
// time. Read from CSV text; opens no file. Values; thread-compatible.
//
//   seconds,requests_per_second[,name...]
//   0,20
//   60,250
//
// A row holds until the next row's second; the last one for as long as the one before it, or for
// 600 s if it is alone. Lines that are empty or begin with # are skipped. Besides the rate, a column
// may be `service_factor` (multiplies the time a request takes: a slow dependency), `error_ratio`
// (share of the requests that are answered with an error) or the name of a metric of type
// Prometheus of the spec, whose value it is.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"

namespace scalableapp::simulation {

struct Trace {
  std::string name;
  std::vector<double> seconds;  // Ascending. The run begins at the first one.
  std::vector<double> requests_per_second;
  std::map<std::string, std::vector<double>> columns;  // The others, as long as `seconds`.
  bool operator==(const Trace&) const = default;
};

// `name` is what errors call the text: "load.csv line 7: ...". kInvalid names what is wrong.
Result<Trace> parse_trace(std::string name, std::string_view csv);

// Where the last row ends.
double end_seconds(const Trace& trace);

// kInvalid if a column means nothing to this spec, or if a value is outside of its range.
Result<void> check_columns(const Trace& trace, const api::ScalableAppSpec& spec);

}  // namespace scalableapp::simulation
