#include "workload/common/metrics_page.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace scalableapp::workload {
namespace {

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type,
                                double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {std::move(name), std::move(help), type, {metric}};
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_bytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::vector<double> latency_buckets() {
  return {0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25,
          0.3,   0.4,  0.5,  0.75, 1,    1.5,   2,   3,    5,   10};
}

MetricsPage::MetricsPage() : registry_(std::make_unique<prometheus::Registry>()) {}
MetricsPage::~MetricsPage() = default;

std::string MetricsPage::render() const {
  auto families = registry_->Collect();
  families.push_back(family("process_cpu_seconds_total", "CPU time used, user and system.",
                            prometheus::MetricType::Counter, cpu_seconds()));
  families.push_back(family("process_resident_memory_bytes", "Resident memory.",
                            prometheus::MetricType::Gauge, resident_bytes()));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace scalableapp::workload
