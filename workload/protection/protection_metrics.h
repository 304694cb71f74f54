// What the protection did, by name, so that the rest of it needs to know nothing of prometheus-cpp. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "workload/protection/circuit_breaker.h"
#include "workload/service/route.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class ProtectionMetrics {
 public:
  explicit ProtectionMetrics(prometheus::Registry& registry);
  ~ProtectionMetrics();

  void rate_limited();          // rate_limited_total
  void rate_limit_unknown();    // rate_limit_unavailable_total: let through, since Redis did not answer.
  void limit_is(int limit);     // concurrency_limit
  void shed(Priority priority);  // concurrency_shed_total{priority}
  void waited_too_long();       // requests_expired_total
  void degrade_level_is(int level);  // degrade_level
  void degrade_level_unreadable();   // degrade_level_unreadable_total

  // All with the label dependency, all there from the start with 0.
  void add_dependency(const std::string& name);
  // circuit_breaker_state (0 closed, 1 half-open, 2 open) and circuit_breaker_transitions_total{to}
  void breaker_became(const std::string& dependency, CircuitBreaker::State state);
  void breaker_refused(const std::string& dependency);         // circuit_breaker_refused_total
  void retried(const std::string& dependency);                 // retries_total
  void retry_budget_exhausted(const std::string& dependency);  // retry_budget_exhausted_total

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

const char* to_string(Priority priority);

}  // namespace scalableapp::workload
