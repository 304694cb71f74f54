// The generator's metrics page. Counting is for the IO thread, rendering for any.
#pragma once

#include <array>
#include <map>
#include <string>

#include "workload/common/metrics_page.h"
#include "workload/load/record.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
template <typename T>
class Family;
}  // namespace prometheus

namespace scalableapp::workload {

class GeneratorMetrics {
 public:
  using ByOutcome = std::array<prometheus::Counter*, kOutcomes>;

  GeneratorMetrics();

  // The counters load_requests_total of an endpoint, which last as long as this. Labels stay
  // bounded over many plans: from the 257th name on, endpoints are counted as "other".
  const ByOutcome& requests_of(const std::string& endpoint);
  void count(const ByOutcome& requests, Outcome outcome, double latency_seconds);
  void offered();
  void retried();
  void lag(double lag_seconds);
  void set_rate(double requests_per_second);
  void set_connections(int open);
  void set_limited(bool is_limited);
  std::string render() const { return page_.render(); }

 private:
  MetricsPage page_;
  prometheus::Family<prometheus::Counter>& requests_;
  std::map<std::string, ByOutcome> by_endpoint_;
  prometheus::Counter& offered_;
  prometheus::Counter& retried_;
  prometheus::Histogram& latency_;
  prometheus::Histogram& lag_;
  prometheus::Gauge& rate_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& limited_;
};

}  // namespace scalableapp::workload
