// The trace's values by time, and chance's part in the load. Internal to simulation/.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "operator/simulation/pod_model.h"
#include "operator/simulation/random.h"
#include "operator/simulation/simulation.h"
#include "operator/simulation/trace.h"

namespace scalableapp::simulation {

// The run begins so long before its trace, with the first row's values, and nothing is scaled
// before the trace begins: windows are full by then, and what can be learned is learned.
inline constexpr milliseconds kPreRoll{300'000};

// What the metrics of type Prometheus say.
class PrometheusColumns {
 public:
  PrometheusColumns(const Trace& trace, milliseconds scrape) : trace_(trace), scrape_(scrape) {}
  // As of the last scrape before `now`; unset if the trace has no such column.
  std::optional<double> at(milliseconds now, const std::string& metric) const;

 private:
  const Trace& trace_;
  milliseconds scrape_;
};

// A Poisson process whose rate the trace sets. The same for every policy.
class Arrivals {
 public:
  // Before the trace begins at most `highest_first_rate` a second arrive.
  Arrivals(const Trace& trace, const Workload& workload, double highest_first_rate);

  // Calls arrive(request, chance) for those in [begin, end), in order. Seconds since the run began;
  // `begin` is the last call's end.
  template <typename Arrive>
  void generate(double begin, double end, Arrive&& arrive) {
    while (begin < end) {
      while (row_ + 1 < rows_ && row_begin(row_ + 1) <= begin) ++row_;
      const bool is_before = begin < kPreRollSeconds;
      const double row_end = is_before          ? kPreRollSeconds
                             : row_ + 1 < rows_ ? row_begin(row_ + 1)
                                                : std::numeric_limits<double>::infinity();
      const double stop = std::min(end, row_end);
      const double listed = trace_.requests_per_second[row_];
      const double rate = is_before ? std::min(listed, highest_first_rate_) : listed;
      if (rate > 0) {
        const double service =
            workload_.service_seconds * (service_factor_ == nullptr ? 1 : (*service_factor_)[row_]);
        double at = begin + until_next_ / rate;
        while (at < stop) {
          Request request;
          request.arrival = at;
          request.service_seconds = static_cast<float>(service * lognormal_.draw(services_));
          request.is_error =
              error_ratio_ != nullptr && errors_.unit() < (*error_ratio_)[row_];
          arrive(request, choices_.next());
          at += exponential_.draw(gaps_) / rate;
        }
        until_next_ = (at - stop) * rate;
      }
      begin = stop;
    }
  }

 private:
  static constexpr double kPreRollSeconds = static_cast<double>(kPreRoll.count()) * 1e-3;
  double row_begin(std::size_t row) const {
    return trace_.seconds[row] - trace_.seconds[0] + kPreRollSeconds;
  }
  const Trace& trace_;
  const Workload& workload_;
  const std::vector<double>* service_factor_ = nullptr;
  const std::vector<double>* error_ratio_ = nullptr;
  const std::size_t rows_;
  const double highest_first_rate_;
  std::size_t row_ = 0;
  const Exponential exponential_;
  const Lognormal lognormal_;
  Random gaps_, services_, choices_, errors_;
  double until_next_;  // In mean gaps.
};

}  // namespace scalableapp::simulation
