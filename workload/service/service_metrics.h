// The service's metrics by name, so that the rest of it needs to know nothing of prometheus-cpp.
// Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "workload/common/metrics_page.h"

namespace scalableapp::workload {

// What is read at the moment of a scrape.
struct ServiceGauges {
  double in_flight = 0;
  double queued = 0;
  double warmup_progress = 0;
  bool draining = false;
  bool redis_up = false;
  std::optional<long long> jobs_waiting;  // None when not known: then there is no sample, not a 0.
};

class ServiceMetrics {
 public:
  ServiceMetrics(const std::string& version, const std::string& queue);
  ~ServiceMetrics();

  // For what the families count.
  prometheus::Registry& registry() { return page_.registry(); }

  void answered(const std::string& route, const std::string& method, int status,
                double duration_seconds);
  void shed(const std::string& route);
  void redis_failed();

  std::string page(const ServiceGauges& gauges) const;

 private:
  struct Families;
  mutable MetricsPage page_;
  std::string queue_;
  std::unique_ptr<Families> families_;
};

}  // namespace scalableapp::workload
