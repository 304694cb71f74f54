// What load to offer when: rate over time as phases of segments, with its integral and the
// integral's inverse, from which arrival times follow. Pure.
//
//   40:30s,400:90s,40:60s        steps: requests/s, duration
//   40-400:30s                   a ramp
//   sine(100,50,60s):120s        mean, amplitude, period
//
// Bounded for the sake of whatever is at the other end: at most 5000 requests/s and one hour.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::workload {

inline constexpr double kMaxRate = 5000;
inline constexpr seconds kMaxDuration{3600};

// rate(t) = from + (to - from) * t / duration + amplitude * sin(2 pi t / period), t in seconds.
struct Segment {
  double duration = 0;
  double from = 0;
  double to = 0;
  double amplitude = 0;
  double period = 1;

  double rate_at(double t) const;
  double requests_until(double t) const;  // The integral of the rate from 0 to t.
};

struct Phase {
  std::string name;  // Its text in the profile.
  std::vector<Segment> segments;
};

struct Profile {
  std::vector<Phase> phases;

  double duration_seconds() const;
  double requests() const;
};

// kInvalid says which part of the text is wrong and what it should be.
Result<Profile> parse_profile(const std::string& text);
// A trace of the simulator (operator/simulation/trace.h): lines of
// `seconds,requests_per_second[,...]`, seconds rising, begun at the first one; a header line and #
// comments allowed. A rate holds until the next line's second; the last line's as long as the one
// before, or for 600 s if it is alone.
struct TraceScaling {
  double rate = 1;   // Rates are multiplied by this,
  double speed = 1;  // times divided by this.
};
// Appends to `notes`, if given, which columns were ignored.
Result<Profile> parse_profile_csv(const std::string& text, const TraceScaling& scaling = {},
                                  std::vector<std::string>* notes = nullptr);

enum class Arrivals { kConstant, kPoisson };

struct Arrival {
  double at_seconds;  // Since the start of the profile.
  std::size_t phase;
};

// The intended start of each request. Constant: the n-th when the integral of the rate passes n -
// 1/2, i.e. evenly spaced at a constant rate. Poisson: when it passes the n-th event of a unit-rate
// Poisson process, which makes an inhomogeneous Poisson process of that rate (time change).
class ArrivalSchedule {
 public:
  ArrivalSchedule(Profile profile, Arrivals arrivals, std::uint64_t seed);
  std::optional<Arrival> next();
  // The rate intended at that time; 0 outside the profile.
  double rate_at(double at_seconds) const;
  const Profile& profile() const { return profile_; }

 private:
  const Profile profile_;
  const Arrivals arrivals_;
  std::mt19937_64 random_;
  double passed_ = 0;  // Requests that the integral has to pass for the next arrival.
  // Where the segment at [phase_][segment_] begins, in time and in requests.
  std::size_t phase_ = 0;
  std::size_t segment_ = 0;
  double segment_start_ = 0;
  double segment_requests_ = 0;
};

}  // namespace scalableapp::workload
