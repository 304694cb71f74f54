// A registry of prometheus-cpp and its text page, with what every process exports: its CPU seconds
// and resident memory under the names Prometheus' own clients use. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Upper bounds in seconds from 5 ms to 10 s, denser around latency targets of 50 to 500 ms, where a
// quantile is interpolated within one bucket and so can be wrong by that bucket's width.
std::vector<double> latency_buckets();

class MetricsPage {
 public:
  MetricsPage();
  ~MetricsPage();

  prometheus::Registry& registry() { return *registry_; }
  std::string render() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace scalableapp::workload
