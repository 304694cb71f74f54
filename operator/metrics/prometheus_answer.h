// Reads the answers of Prometheus' /api/v1/query and query_range. Pure; takes any bytes and never
// throws.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/metrics/query.h"

namespace scalableapp::metrics {

struct Answer {
  bool is_scalar = false;
  std::vector<Result<std::vector<Sample>>> queries;  // By the index in kQueryLabel.
};

// For parse_answer: one query that was asked as it was written, whose labels are all its own.
inline constexpr std::size_t kAsWritten = 0;

// The answer to `count` combined queries or to one kAsWritten. kDecode when the body is no such
// answer; a matrix, a string and more than kMaxSeries series are errors of the query.
Result<Answer> parse_answer(std::string_view body, std::size_t count);

// The answer to /api/v1/query_range as `count` values at start, start + step, ...; NaN where there
// is none, or an infinity. kDecode as above; kInvalid for more than one series.
Result<std::vector<double>> parse_range_answer(std::string_view body, WallTime start, seconds step,
                                              std::size_t count);

// What an answer with an HTTP status of 400 and more says. kInvalid: Prometheus understood the
// request and one of its queries is wrong (400 and 422 with its error object); kTimeout: evaluation
// took too long; else the code of the status, kUnavailable if there is none.
Error parse_failure(int http_status, std::string_view body);

}  // namespace scalableapp::metrics
