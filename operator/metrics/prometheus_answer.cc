#include "operator/metrics/prometheus_answer.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::optional<double> parse_number(std::string_view text) {
  if (text == "NaN") return kNaN;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return text.find("e-") == text.npos ? HUGE_VAL : 0.0;
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The beginning of text that nobody vouches for, fit for a log and for JSON.
std::string excerpt(std::string_view text) {
  std::string out(text.substr(0, 80));
  for (char& c : out) c = c < ' ' || c > '~' ? ' ' : c;
  return out;
}

// Follows {"status":..., "data":{"resultType":..., "result":[{"metric":{...}, "value":[t, "v"]}]}}
// and skips whatever else there is. Of a matrix, whose series have "values":[[t, "v"], ...], it
// hands every value to `on_value`.
class AnswerReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit AnswerReader(std::size_t count) : is_combined_(count != kAsWritten) {
    answer_.queries.resize(is_combined_ ? count : 1);
  }

  std::string status, error_type, error_text, result_type;
  std::string problem;  // Why reading stopped.
  std::size_t series_count = 0;
  std::function<void(double time, double value)> on_value;

  Answer take_answer() { return std::move(answer_); }

  bool null() override { return leaf(); }
  bool boolean(bool) override { return leaf(); }
  bool number_integer(number_integer_t number) override {
    return time(static_cast<double>(number));
  }
  bool number_unsigned(number_unsigned_t number) override {
    return time(static_cast<double>(number));
  }
  bool number_float(number_float_t number, const string_t&) override { return time(number); }
  bool binary(binary_t&) override { return leaf(); }
  bool string(string_t& text) override {
    switch (place_) {
      case Place::kTop:
        if (key_ == "status") status = std::move(text);
        if (key_ == "errorType") error_type = std::move(text);
        if (key_ == "error") error_text = std::move(text);
        break;
      case Place::kData:
        if (key_ == "resultType") result_type = std::move(text);
        break;
      case Place::kMetric:
        return label(text);
      case Place::kValue:
      case Place::kResult:  // A scalar or a string: the result itself is [time, "value"].
        if (elements_++ == 1) number_ = parse_number(text);
        break;
      case Place::kPoint:
        if (elements_++ == 1 && on_value) on_value(time_, parse_number(text).value_or(kNaN));
        break;
      default:
        break;
    }
    return true;
  }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart:
        enter(Place::kTop);
        break;
      case Place::kTop:
        enter(key_ == "data" ? Place::kData : Place::kOther);
        break;
      case Place::kResult:
        query_ = 0;
        sample_ = {};
        number_.reset();
        enter(Place::kSeries);
        break;
      case Place::kSeries:
        enter(key_ == "metric" ? Place::kMetric : Place::kOther);
        break;
      default:
        enter(Place::kOther);
    }
    return true;
  }
  bool start_array(std::size_t) override {
    elements_ = 0;
    switch (place_) {
      case Place::kData:
        enter(key_ == "result" ? Place::kResult : Place::kOther);
        break;
      case Place::kSeries:
        enter(key_ == "value"    ? Place::kValue
              : key_ == "values" ? Place::kValues
                                 : Place::kOther);
        break;
      case Place::kValues:
        enter(Place::kPoint);
        break;
      default:
        enter(Place::kOther);
    }
    return true;
  }
  bool end_object() override {
    const Place left = place_;
    leave();
    return left != Place::kSeries || end_series();
  }
  bool end_array() override {
    if (place_ == Place::kResult && elements_ == 2) {
      scalar_.emplace();
      scalar_->value = number_.value_or(kNaN);
      scalar_->labels = "{}";
    }
    leave();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    problem = fmt::format("no JSON at byte {}", position);
    return false;
  }

  std::optional<Sample> scalar_;

 private:
  enum class Place {
    kStart,
    kTop,
    kData,
    kResult,
    kSeries,
    kMetric,
    kValue,
    kValues,
    kPoint,
    kOther
  };

  void enter(Place place) {
    stack_.push_back(place_);
    place_ = place;
  }
  void leave() {
    place_ = stack_.back();
    stack_.pop_back();
  }
  bool leaf() {
    ++elements_;
    return true;
  }
  bool time(double number) {
    if (place_ == Place::kPoint && elements_ == 0) time_ = number;
    return leaf();
  }

  bool label(std::string& text) {
    if (is_combined_ && key_ == kQueryLabel) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), query_);
      if (error == std::errc() && end == text.data() + text.size()) return true;
      problem = fmt::format("{}=\"{}\" is not a number", kQueryLabel, text);
      return false;
    }
    if (key_ == kIdleLabel) {
      sample_.idle = text == "true";
      return true;
    }
    sample_.labels += sample_.labels.empty() ? '{' : ',';
    fmt::format_to(std::back_inserter(sample_.labels), "{}=\"{}\"", key_, text);
    if (key_ == "pod") sample_.pod = std::move(text);
    return true;
  }

  bool end_series() {
    ++series_count;
    if (query_ >= answer_.queries.size()) {
      problem = fmt::format("series for query {} of {}", query_, answer_.queries.size());
      return false;
    }
    auto& samples = answer_.queries[query_];
    if (!samples) return true;
    if (samples->size() == kMaxSeries) {
      samples = fail(ErrorCode::kInvalid,
                     fmt::format("the answer has more than {} series: select by namespace and pod",
                                 kMaxSeries));
      return true;
    }
    sample_.labels += sample_.labels.empty() ? "{}" : "}";
    sample_.value = number_.value_or(kNaN);  // A native histogram has no value.
    samples->push_back(std::move(sample_));
    return true;
  }

  const bool is_combined_;
  Answer answer_;
  Place place_ = Place::kStart;
  std::vector<Place> stack_;
  std::string key_;
  int elements_ = 0;  // Seen of the innermost array.
  double time_ = 0;   // Of the point.
  std::size_t query_ = 0;
  Sample sample_;
  std::optional<double> number_;
};

// The parser's own promise not to throw does not cover memory or invalid UTF-8 in its messages.
bool read(std::string_view body, AnswerReader& reader) {
  try {
    return nlohmann::json::sax_parse(body, &reader);
  } catch (const std::exception& e) {
    reader.problem = e.what();
    return false;
  }
}

Result<void> read_success(std::string_view body, AnswerReader& reader) {
  if (!read(body, reader)) {
    return fail(ErrorCode::kDecode, fmt::format("Prometheus' answer: {}", reader.problem));
  }
  if (reader.status != "success" || reader.result_type.empty()) {
    return fail(ErrorCode::kDecode,
                fmt::format("this is not an answer of Prometheus: {}", excerpt(body)));
  }
  return {};
}

}  // namespace

Result<Answer> parse_answer(std::string_view body, std::size_t count) {
  AnswerReader reader(count);
  if (auto good = read_success(body, reader); !good) return tl::unexpected(good.error());
  Answer answer = reader.take_answer();
  if (reader.result_type == "vector") return answer;
  if (reader.result_type == "scalar" && reader.scalar_) {
    answer.is_scalar = true;
    answer.queries[0] = std::vector<Sample>{*reader.scalar_};
    return answer;
  }
  answer.queries[0] =
      fail(ErrorCode::kInvalid,
           fmt::format("the query yields a {} where numbers are wanted{}", reader.result_type,
                       reader.result_type == "matrix"
                           ? ": a range like x[1m] needs a function around it, e.g. rate()"
                           : ""));
  return answer;
}

Result<std::vector<double>> parse_range_answer(std::string_view body, WallTime start, seconds step,
                                              std::size_t count) {
  std::vector<double> values(count, std::numeric_limits<double>::quiet_NaN());
  const double begin = std::chrono::duration<double>(start.time_since_epoch()).count();
  AnswerReader reader(kAsWritten);
  reader.on_value = [&](double time, double value) {
    const double at = std::round((time - begin) / static_cast<double>(step.count()));
    if (at < 0 || !(at < static_cast<double>(count)) || !std::isfinite(value)) return;
    values[static_cast<std::size_t>(at)] = value;
  };
  if (auto good = read_success(body, reader); !good) return tl::unexpected(good.error());
  if (reader.result_type != "matrix") {
    return fail(ErrorCode::kDecode,
                fmt::format("a {} where a matrix is wanted", excerpt(reader.result_type)));
  }
  if (reader.series_count > 1) {
    return fail(ErrorCode::kInvalid,
                fmt::format("yields {} series where one is wanted: sum them up",
                            reader.series_count));
  }
  return values;
}

Error parse_failure(int http_status, std::string_view body) {
  AnswerReader reader(kAsWritten);
  const bool from_prometheus = read(body, reader) && reader.status == "error";
  std::string text = from_prometheus
                         ? std::move(reader.error_text)
                         : fmt::format("HTTP status {}: {}", http_status, excerpt(body));
  // Prometheus names its own form parameter here, which is not what the user wrote.
  constexpr std::string_view kPreface = "invalid parameter \"query\": ";
  if (text.starts_with(kPreface)) text.erase(0, kPreface.size());
  const auto code = [&] {
    if (from_prometheus && reader.error_type == "timeout") return ErrorCode::kTimeout;
    switch (http_status) {
      case 400:
      case 422:
        return from_prometheus ? ErrorCode::kInvalid : ErrorCode::kUnavailable;
      case 401:
        return ErrorCode::kUnauthorized;
      case 403:
        return ErrorCode::kForbidden;
      case 404:
        return ErrorCode::kNotFound;
      case 429:
        return ErrorCode::kTooManyRequests;
      default:
        return ErrorCode::kUnavailable;
    }
  }();
  return Error{code, fmt::format("Prometheus: {}", text), {}};
}

}  // namespace scalableapp::metrics
