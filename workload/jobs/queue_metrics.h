// What is exported of queues: queue_length{queue} and queue_oldest_age_seconds{queue}. Thread-safe.
//
// queue_length counts the jobs that a worker could begin now: new ones, failed ones that are due again, those of dead
// workers. Not those in work, which have their worker, nor those not due, which more workers would not make faster: it is
// what an autoscaler should provide workers for.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "workload/jobs/transport.h"

namespace prometheus {
class Gauge;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace scalableapp::workload {

class QueueMetrics {
 public:
  explicit QueueMetrics(prometheus::Registry& registry);

  // None: not known. Then there is no sample: that keeps an autoscaler where it is, a 0 would scale down.
  void show(const std::string& queue, const std::optional<Backlog>& backlog);

 private:
  struct Gauges {
    prometheus::Gauge* length;
    prometheus::Gauge* age;
  };

  std::mutex mutex_;  // Guards the map.
  std::map<std::string, Gauges> known_;
  prometheus::Family<prometheus::Gauge>& lengths_;
  prometheus::Family<prometheus::Gauge>& ages_;
};

}  // namespace scalableapp::workload
