#include "workload/load/generator_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxEndpoints = 256;

prometheus::Gauge& gauge(MetricsPage& page, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(page.registry()).Add({});
}
prometheus::Counter& counter(MetricsPage& page, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(page.registry()).Add({});
}
prometheus::Histogram& histogram(MetricsPage& page, const char* name, const char* help,
                                 const std::vector<double>& bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(page.registry()).Add({}, bounds);
}

}  // namespace

GeneratorMetrics::GeneratorMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("load_requests_total")
                    .Help("Requests by endpoint and outcome.")
                    .Register(page_.registry())),
      offered_(counter(page_, "load_offered_requests_total",
                       "Requests that the schedule asked for.")),
      retried_(counter(page_, "load_retried_requests_total",
                       "Requests sent again because an idle connection had been closed.")),
      latency_(histogram(page_, "load_latency_seconds",
                         "From the intended start to the complete answer, of successful requests.",
                         latency_buckets())),
      lag_(histogram(page_, "load_schedule_lag_seconds",
                     "From the intended to the real start: the generator's own delay.",
                     {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1})),
      rate_(gauge(page_, "load_target_rate", "Requests per second that the profile asks for now.")),
      connections_(gauge(page_, "load_connections", "Open connections to the targets.")),
      limited_(gauge(page_, "load_generator_limited",
                     "1 if the generator itself limited what the last second shows.")) {}

const GeneratorMetrics::ByOutcome& GeneratorMetrics::requests_of(const std::string& endpoint) {
  const bool is_new = !by_endpoint_.contains(endpoint);
  const std::string name = is_new && by_endpoint_.size() >= kMaxEndpoints ? "other" : endpoint;
  auto [place, is_added] = by_endpoint_.try_emplace(name);
  for (std::size_t index = 0; is_added && index < kOutcomes; ++index) {
    place->second[index] = &requests_.Add(
        {{"endpoint", name}, {"outcome", to_string(static_cast<Outcome>(index))}});
  }
  return place->second;
}

void GeneratorMetrics::count(const ByOutcome& requests, Outcome outcome, double latency_seconds) {
  requests[static_cast<std::size_t>(outcome)]->Increment();
  if (outcome == Outcome::kOk) latency_.Observe(latency_seconds);
}

void GeneratorMetrics::offered() { offered_.Increment(); }
void GeneratorMetrics::retried() { retried_.Increment(); }
void GeneratorMetrics::lag(double lag_seconds) { lag_.Observe(lag_seconds); }
void GeneratorMetrics::set_rate(double requests_per_second) { rate_.Set(requests_per_second); }
void GeneratorMetrics::set_connections(int open) { connections_.Set(open); }
void GeneratorMetrics::set_limited(bool is_limited) { limited_.Set(is_limited ? 1 : 0); }

}  // namespace scalableapp::workload
