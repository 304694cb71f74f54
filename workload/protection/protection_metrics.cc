#include "workload/protection/protection_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace scalableapp::workload {
namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;

CounterFamily& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

GaugeFamily& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace

struct ProtectionMetrics::Families {
  explicit Families(prometheus::Registry& registry)
      : rate_limited(
            counters(registry, "rate_limited_total", "Requests refused: their client's bucket was empty.").Add({})),
        rate_limit_unavailable(counters(registry, "rate_limit_unavailable_total",
                                        "Requests let through unlimited, since Redis did not answer.")
                                   .Add({})),
        concurrency_limit(
            gauges(registry, "concurrency_limit", "Requests that may be in the service at once.").Add({})),
        concurrency_shed(counters(registry, "concurrency_shed_total", "Requests refused by the concurrency limit.")),
        expired(counters(registry, "requests_expired_total", "Requests given up: no thread in --max-wait.").Add({})),
        degrade_level(gauges(registry, "degrade_level", "How much optional work is left out, 0 to 2.").Add({})),
        degrade_level_unreadable(
            counters(registry, "degrade_level_unreadable_total", "Looks at the level's file that found nonsense.")
                .Add({})),
        breaker_state(gauges(registry, "circuit_breaker_state", "0 closed, 1 half-open, 2 open.")),
        breaker_transitions(
            counters(registry, "circuit_breaker_transitions_total", "Changes of a circuit breaker's state.")),
        breaker_refused(
            counters(registry, "circuit_breaker_refused_total", "Calls not made: the circuit was open.")),
        retries(counters(registry, "retries_total", "Calls to a dependency made again.")),
        retry_budget_exhausted(
            counters(registry, "retry_budget_exhausted_total", "Retries not made: too many for the calls.")) {
    for (const auto priority : {Priority::kOptional, Priority::kNormal, Priority::kCritical}) {
      concurrency_shed.Add({{"priority", to_string(priority)}});
    }
  }

  prometheus::Counter& rate_limited;
  prometheus::Counter& rate_limit_unavailable;
  prometheus::Gauge& concurrency_limit;
  CounterFamily& concurrency_shed;
  prometheus::Counter& expired;
  prometheus::Gauge& degrade_level;
  prometheus::Counter& degrade_level_unreadable;
  GaugeFamily& breaker_state;
  CounterFamily& breaker_transitions;
  CounterFamily& breaker_refused;
  CounterFamily& retries;
  CounterFamily& retry_budget_exhausted;
};

ProtectionMetrics::ProtectionMetrics(prometheus::Registry& registry)
    : families_(std::make_unique<Families>(registry)) {}
ProtectionMetrics::~ProtectionMetrics() = default;

void ProtectionMetrics::rate_limited() { families_->rate_limited.Increment(); }
void ProtectionMetrics::rate_limit_unknown() { families_->rate_limit_unavailable.Increment(); }
void ProtectionMetrics::limit_is(int limit) { families_->concurrency_limit.Set(limit); }
void ProtectionMetrics::shed(Priority priority) {
  families_->concurrency_shed.Add({{"priority", to_string(priority)}}).Increment();
}
void ProtectionMetrics::waited_too_long() { families_->expired.Increment(); }
void ProtectionMetrics::degrade_level_is(int level) { families_->degrade_level.Set(level); }
void ProtectionMetrics::degrade_level_unreadable() { families_->degrade_level_unreadable.Increment(); }

void ProtectionMetrics::add_dependency(const std::string& name) {
  families_->breaker_state.Add({{"dependency", name}});
  families_->breaker_refused.Add({{"dependency", name}});
  families_->retries.Add({{"dependency", name}});
  families_->retry_budget_exhausted.Add({{"dependency", name}});
}

void ProtectionMetrics::breaker_became(const std::string& dependency, CircuitBreaker::State state) {
  families_->breaker_state.Add({{"dependency", dependency}}).Set(static_cast<double>(state));
  families_->breaker_transitions.Add({{"dependency", dependency}, {"to", to_string(state)}}).Increment();
}

void ProtectionMetrics::breaker_refused(const std::string& dependency) {
  families_->breaker_refused.Add({{"dependency", dependency}}).Increment();
}
void ProtectionMetrics::retried(const std::string& dependency) {
  families_->retries.Add({{"dependency", dependency}}).Increment();
}
void ProtectionMetrics::retry_budget_exhausted(const std::string& dependency) {
  families_->retry_budget_exhausted.Add({{"dependency", dependency}}).Increment();
}

const char* to_string(Priority priority) {
  switch (priority) {
    case Priority::kOptional: return "optional";
    case Priority::kNormal: return "normal";
    case Priority::kCritical: return "critical";
  }
  return "";
}

}  // namespace scalableapp::workload
