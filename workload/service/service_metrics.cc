#include "workload/service/service_metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace scalableapp::workload {
namespace {

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

struct ServiceMetrics::Families {
  explicit Families(prometheus::Registry& registry)
      : durations(prometheus::BuildHistogram()
                      .Name("http_request_duration_seconds")
                      .Help("From the request read to its answer ready, waiting included.")
                      .Register(registry)),
        shed(prometheus::BuildCounter()
                 .Name("http_requests_shed_total")
                 .Help("Requests answered with 503 because the queue was full.")
                 .Register(registry)),
        redis_errors(counter(registry, "redis_errors_total", "Redis commands that failed.")),
        in_flight(gauge(registry, "http_requests_in_flight", "Requests read and not answered.")),
        queued(gauge(registry, "http_queue_length", "Requests that wait for a work thread.")),
        warmup(gauge(registry, "warmup_progress_ratio", "0 at the start, 1 when warm.")),
        draining(gauge(registry, "draining", "1 from SIGTERM on.")),
        redis_up(gauge(registry, "redis_up", "1 when the last look at Redis succeeded.")) {}

  prometheus::Family<prometheus::Histogram>& durations;
  prometheus::Family<prometheus::Counter>& shed;
  prometheus::Counter& redis_errors;
  prometheus::Gauge& in_flight;
  prometheus::Gauge& queued;
  prometheus::Gauge& warmup;
  prometheus::Gauge& draining;
  prometheus::Gauge& redis_up;
};

ServiceMetrics::ServiceMetrics(const std::string& version, const std::string& queue)
    : queue_(queue), families_(std::make_unique<Families>(page_.registry())) {
  prometheus::BuildGauge()
      .Name("workload_info")
      .Help("Always 1; the label tells the version.")
      .Register(page_.registry())
      .Add({{"version", version}})
      .Set(1);
  families_->shed.Add(
      {{"route", "/work"}});  // Present from the start, so that rate() sees the first.
  families_->durations.Add({{"route", "/work"}, {"method", "GET"}, {"code", "200"}},
                           latency_buckets());
}

ServiceMetrics::~ServiceMetrics() = default;

void ServiceMetrics::answered(const std::string& route, const std::string& method, int status,
                              double duration_seconds) {
  families_->durations
      .Add({{"route", route}, {"method", method}, {"code", fmt::format("{}", status)}},
           latency_buckets())
      .Observe(duration_seconds);
}

void ServiceMetrics::shed(const std::string& route) {
  families_->shed.Add({{"route", route}}).Increment();
}
void ServiceMetrics::redis_failed() { families_->redis_errors.Increment(); }

std::string ServiceMetrics::page(const ServiceGauges& gauges) const {
  families_->in_flight.Set(gauges.in_flight);
  families_->queued.Set(gauges.queued);
  families_->warmup.Set(gauges.warmup_progress);
  families_->draining.Set(gauges.draining ? 1 : 0);
  families_->redis_up.Set(gauges.redis_up ? 1 : 0);
  return page_.render() + queue_length_text(queue_, gauges.jobs_waiting);
}

}  // namespace scalableapp::workload
