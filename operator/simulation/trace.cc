#include "operator/simulation/trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace scalableapp::simulation {
namespace {

constexpr std::string_view kSeconds = "seconds";
constexpr std::string_view kRate = "requests_per_second";
// Far over any app; keeps a slip of the keyboard from running for hours.
constexpr double kHighestRate = 1e6;
constexpr double kLongestSeconds = 100.0 * 86400;
constexpr double kSecondsOfOneRow = 600;  // Enough for a policy to come to rest.

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const auto comma = line.find(',');
    cells.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// For a message: what may be a whole file on one line.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  return text.size() <= kShown ? fmt::format("\"{}\"", text)
                               : fmt::format("\"{}...\"", text.substr(0, kShown));
}

class Reader {
 public:
  explicit Reader(std::string name) { trace_.name = std::move(name); }

  Result<void> header(int line, const std::vector<std::string_view>& cells) {
    if (cells.size() < 2 || cells[0] != kSeconds || cells[1] != kRate) {
      return wrong(line, fmt::format("the header must begin with {},{}", kSeconds, kRate));
    }
    for (std::size_t i = 2; i < cells.size(); ++i) {
      if (cells[i].empty()) return wrong(line, fmt::format("column {} has no name", i + 1));
      const auto [place, is_new] = trace_.columns.try_emplace(std::string(cells[i]));
      if (!is_new || cells[i] == kSeconds || cells[i] == kRate) {
        return wrong(line, fmt::format("column {} is there twice", quoted(cells[i])));
      }
      columns_.push_back(&place->second);
      names_.emplace_back(cells[i]);
    }
    return {};
  }

  Result<void> row(int line, const std::vector<std::string_view>& cells) {
    if (cells.size() != columns_.size() + 2) {
      return wrong(line, fmt::format("has {} values where the header has {} columns", cells.size(),
                                     columns_.size() + 2));
    }
    std::vector<double> values;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string_view column = i == 0 ? kSeconds : i == 1 ? kRate : names_[i - 2];
      const auto value = number(cells[i]);
      if (!value || *value < 0) {
        return wrong(line,
                     fmt::format("{}: {} is not a number from 0 on", column, quoted(cells[i])));
      }
      values.push_back(*value);
    }
    if (!trace_.seconds.empty() && values[0] <= trace_.seconds.back()) {
      return wrong(line, fmt::format("seconds: {} comes after {}; they must ascend", values[0],
                                     trace_.seconds.back()));
    }
    if (values[0] > kLongestSeconds) {
      return wrong(line, fmt::format("seconds: {} is over 100 days", values[0]));
    }
    if (values[1] > kHighestRate) {
      return wrong(line, fmt::format("{}: {} is over {}", kRate, values[1], kHighestRate));
    }
    trace_.seconds.push_back(values[0]);
    trace_.requests_per_second.push_back(values[1]);
    for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i]->push_back(values[i + 2]);
    return {};
  }

  Trace take() { return std::move(trace_); }
  bool is_empty() const { return trace_.seconds.empty(); }
  tl::unexpected<Error> wrong(int line, const std::string& what) const {
    return fail(ErrorCode::kInvalid, fmt::format("{} line {}: {}", trace_.name, line, what));
  }

 private:
  Trace trace_;
  std::vector<std::vector<double>*> columns_;
  std::vector<std::string> names_;
};

}  // namespace

Result<Trace> parse_trace(std::string name, std::string_view csv) {
  Reader reader(std::move(name));
  bool has_header = false;
  int line = 0;
  if (csv.starts_with("\xef\xbb\xbf")) csv.remove_prefix(3);  // A byte order mark.
  while (!csv.empty()) {
    const auto end = std::min(csv.find('\n'), csv.size());
    const std::string_view text = trimmed(csv.substr(0, end));
    csv.remove_prefix(std::min(end + 1, csv.size()));
    ++line;
    if (text.empty() || text.front() == '#') continue;
    const auto cells = cells_of(text);
    const auto read = has_header ? reader.row(line, cells) : reader.header(line, cells);
    if (!read) return tl::unexpected(read.error());
    has_header = true;
  }
  if (!has_header) {
    return reader.wrong(1, fmt::format("the header {},{} is missing", kSeconds, kRate));
  }
  if (reader.is_empty()) return reader.wrong(line + 1, "at least one row must follow the header");
  return reader.take();
}

double end_seconds(const Trace& trace) {
  const std::size_t rows = trace.seconds.size();
  if (rows == 0) return 0;
  if (rows == 1) return trace.seconds[0] + kSecondsOfOneRow;
  return 2 * trace.seconds[rows - 1] - trace.seconds[rows - 2];
}

Result<void> check_columns(const Trace& trace, const api::ScalableAppSpec& spec) {
  std::vector<std::string> known{"service_factor", "error_ratio"};
  for (const api::MetricSpec& metric : spec.metrics) {
    if (metric.type == api::MetricType::kPrometheus) known.push_back(metric.name);
  }
  for (const auto& [name, values] : trace.columns) {
    if (std::ranges::find(known, name) == known.end()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: column \"{}\" is not known: it may be {}", trace.name, name,
                              fmt::join(known, ", ")));
    }
    if (values.size() != trace.seconds.size()) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: column \"{}\" has {} values for {} rows",
                                                   trace.name, name, values.size(),
                                                   trace.seconds.size()));
    }
    const bool ratio = name == "error_ratio";
    if (ratio && std::ranges::any_of(values, [](double value) { return value > 1; })) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: error_ratio must be from 0 to 1", trace.name));
    }
    if (name == "service_factor" &&
        std::ranges::any_of(values, [](double value) { return !(value > 0 && value <= 1e4); })) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: service_factor must be over 0 and at most 10000", trace.name));
    }
  }
  return {};
}

}  // namespace scalableapp::simulation
