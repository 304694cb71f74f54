#include "workload/load/profile.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <string_view>
#include <utility>

#include "workload/common/flags.h"

namespace scalableapp::workload {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at == text.size() || (depth == 0 && text[at] == separator)) {
      parts.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    } else if (text[at] == '(') {
      ++depth;
    } else if (text[at] == ')') {
      --depth;
    }
  }
  return parts;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

tl::unexpected<Error> bad(std::string_view part, std::string_view why) {
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\": {}", part, why));
}

bool parse_rate(std::string_view text, double& rate) {
  return parse_number(text, rate) && rate >= 0 && rate <= kMaxRate;
}

std::optional<double> parse_seconds(std::string_view text) {
  const auto parsed = parse_duration(text);
  if (!parsed || parsed->count() <= 0) return std::nullopt;
  return static_cast<double>(parsed->count()) / 1000.0;
}

Result<Segment> parse_segment(std::string_view part) {
  Segment segment;
  const auto colon = part.rfind(':');
  const auto duration = colon == part.npos ? std::nullopt : parse_seconds(part.substr(colon + 1));
  if (!duration) {
    return bad(part,
               "must be RATE:DURATION, FROM-TO:DURATION or sine(MEAN,AMPLITUDE,PERIOD):DURATION");
  }
  segment.duration = *duration;
  const auto shape = part.substr(0, colon);
  const auto rate_bounds = fmt::format("rates must be numbers from 0 to {} requests/s", kMaxRate);
  if (shape.starts_with("sine(") && shape.ends_with(")")) {
    const auto words = split(shape.substr(5, shape.size() - 6), ',');
    const auto period = words.size() == 3 ? parse_seconds(words[2]) : std::nullopt;
    if (!period || !parse_rate(words[0], segment.from) ||
        !parse_rate(words[1], segment.amplitude)) {
      return bad(part,
                 "must be sine(MEAN,AMPLITUDE,PERIOD), such as sine(100,50,60s); " + rate_bounds);
    }
    if (segment.amplitude > segment.from || segment.from + segment.amplitude > kMaxRate) {
      return bad(part, "the amplitude must not exceed the mean; " + rate_bounds);
    }
    segment.to = segment.from;
    segment.period = *period;
    return segment;
  }
  const auto dash = shape.find('-');
  if (!parse_rate(shape.substr(0, dash), segment.from)) return bad(part, rate_bounds);
  segment.to = segment.from;
  if (dash != shape.npos && !parse_rate(shape.substr(dash + 1), segment.to)) {
    return bad(part, rate_bounds);
  }
  return segment;
}

Result<Profile> checked(Profile profile) {
  const double limit = std::chrono::duration<double>(kMaxDuration).count();
  if (profile.duration_seconds() > limit + 1e-9) {
    return fail(ErrorCode::kInvalid, fmt::format("lasts {:.0f} s; at most {:.0f} s are allowed",
                                                 profile.duration_seconds(), limit));
  }
  return profile;
}

// The time in the segment at which its integral reaches `requests`, which it does reach.
double time_of(const Segment& segment, double requests) {
  double low = 0;
  double high = segment.duration;
  // The integral rises monotonously; 50 halvings of an hour end far below a nanosecond.
  for (int step = 0; step < 50; ++step) {
    const double middle = (low + high) / 2;
    (segment.requests_until(middle) < requests ? low : high) = middle;
  }
  return high;
}

}  // namespace

double Segment::rate_at(double t) const {
  return from + (to - from) * t / duration +
         amplitude * std::sin(2 * std::numbers::pi * t / period);
}

double Segment::requests_until(double t) const {
  const double waves = amplitude == 0 ? 0
                                      : amplitude * period / (2 * std::numbers::pi) *
                                            (1 - std::cos(2 * std::numbers::pi * t / period));
  return from * t + (to - from) * t * t / (2 * duration) + waves;
}

double Profile::duration_seconds() const {
  double sum = 0;
  for (const auto& phase : phases) {
    for (const auto& segment : phase.segments) sum += segment.duration;
  }
  return sum;
}

double Profile::requests() const {
  double sum = 0;
  for (const auto& phase : phases) {
    for (const auto& segment : phase.segments) sum += segment.requests_until(segment.duration);
  }
  return sum;
}

Result<Profile> parse_profile(const std::string& text) {
  Profile profile;
  for (const auto part : split(text, ',')) {
    const auto segment = parse_segment(part);
    if (!segment) return tl::unexpected(segment.error());
    profile.phases.push_back({std::string(part), {*segment}});
  }
  return checked(std::move(profile));
}

Result<Profile> parse_profile_csv(const std::string& text, const TraceScaling& scaling,
                                  std::vector<std::string>* notes) {
  constexpr double kSecondsOfOneRow = 600;
  std::vector<std::pair<double, double>> rows;
  bool is_first = true;
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // A byte order mark.
  for (auto line : split(rest, '\n')) {
    line = trimmed(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto words = split(line, ',');
    for (auto& word : words) word = trimmed(word);
    double at = 0;
    double rate = 0;
    const bool is_row =
        words.size() >= 2 && parse_number(words[0], at) && parse_number(words[1], rate);
    if (!is_row && std::exchange(is_first, false)) {  // The header.
      for (std::size_t column = 2; notes != nullptr && column < words.size(); ++column) {
        notes->push_back(fmt::format("column {} of the trace is ignored: it is no load", words[column]));
      }
      continue;
    }
    is_first = false;
    rate *= scaling.rate;
    if (!is_row || at < 0 || rate < 0 || rate > kMaxRate) {
      return bad(line, fmt::format("must be seconds,requests_per_second, a rate from 0 to {} once "
                                   "it is scaled",
                                   kMaxRate));
    }
    if (!rows.empty() && at <= rows.back().first) return bad(line, "the seconds must rise");
    rows.emplace_back(at, rate);
  }
  if (rows.empty()) return fail(ErrorCode::kInvalid, "has no line seconds,requests_per_second");
  Profile profile{{{"csv", {}}}};
  double duration = kSecondsOfOneRow;
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (index + 1 < rows.size()) duration = rows[index + 1].first - rows[index].first;
    profile.phases[0].segments.push_back({.duration = duration / scaling.speed,
                                          .from = rows[index].second,
                                          .to = rows[index].second});
  }
  return checked(std::move(profile));
}

ArrivalSchedule::ArrivalSchedule(Profile profile, Arrivals arrivals, std::uint64_t seed)
    : profile_(std::move(profile)), arrivals_(arrivals), random_(seed) {
  passed_ = arrivals_ == Arrivals::kConstant ? 0.5 : std::exponential_distribution(1.0)(random_);
}

std::optional<Arrival> ArrivalSchedule::next() {
  while (phase_ < profile_.phases.size()) {
    const auto& segments = profile_.phases[phase_].segments;
    if (segment_ == segments.size()) {
      ++phase_;
      segment_ = 0;
      continue;
    }
    const auto& segment = segments[segment_];
    const double in_segment = segment.requests_until(segment.duration);
    const double wanted = passed_ - segment_requests_;
    if (wanted <= in_segment) {
      const Arrival arrival{segment_start_ + time_of(segment, wanted), phase_};
      passed_ += arrivals_ == Arrivals::kConstant ? 1 : std::exponential_distribution(1.0)(random_);
      return arrival;
    }
    segment_start_ += segment.duration;
    segment_requests_ += in_segment;
    ++segment_;
  }
  return std::nullopt;
}

double ArrivalSchedule::rate_at(double at_seconds) const {
  if (at_seconds < 0) return 0;
  for (const auto& phase : profile_.phases) {
    for (const auto& segment : phase.segments) {
      if (at_seconds < segment.duration) return segment.rate_at(at_seconds);
      at_seconds -= segment.duration;
    }
  }
  return 0;
}

}  // namespace scalableapp::workload
