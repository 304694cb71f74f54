#include "operator/simulation/columns.h"

#include "operator/simulation/fleet.h"

namespace scalableapp::simulation {
namespace {

const std::vector<double>* column_of(const Trace& trace, const char* name) {
  const auto found = trace.columns.find(name);
  return found == trace.columns.end() ? nullptr : &found->second;
}

}  // namespace

std::optional<double> PrometheusColumns::at(milliseconds now, const std::string& metric) const {
  const auto found = trace_.columns.find(metric);
  if (found == trace_.columns.end()) return std::nullopt;
  const milliseconds scraped_at = std::max(milliseconds{0}, now - now % scrape_ - kPreRoll);
  const double scraped = in_seconds(scraped_at) + trace_.seconds[0];
  const auto next = std::ranges::upper_bound(trace_.seconds, scraped);
  return found->second[static_cast<std::size_t>(next - trace_.seconds.begin()) - 1];
}

Arrivals::Arrivals(const Trace& trace, const Workload& workload, double highest_first_rate)
    : trace_(trace),
      workload_(workload),
      service_factor_(column_of(trace, "service_factor")),
      error_ratio_(column_of(trace, "error_ratio")),
      rows_(trace.seconds.size()),
      highest_first_rate_(highest_first_rate),
      lognormal_(workload.service_cv),
      gaps_(workload.seed, 1),
      services_(workload.seed, 2),
      choices_(workload.seed, 3),
      errors_(workload.seed, 4),
      until_next_(exponential_.draw(gaps_)) {}

}  // namespace scalableapp::simulation
