#include "workload/cache/cache_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <vector>

namespace scalableapp::workload {

struct CacheMetrics::Families {
  explicit Families(prometheus::Registry& registry)
      : local_bytes(gauge(registry, "cache_local_bytes", "Memory of the tier in the process.")),
        subscribed(gauge(registry, "cache_subscribed", "1 while invalidations of other pods arrive.")) {
    auto& requests = family(registry, "cache_requests_total",
                            "Gets: a miss for each tier passed, one other result for the answer.");
    auto& invalidations = family(registry, "cache_invalidations_total", "Keys dropped since they were written.");
    auto& refused = family(registry, "cache_stores_refused_total",
                           "Values not stored since the key was invalidated while they were loaded.");
    auto& errors = family(registry, "cache_redis_errors_total", "Commands of the cache that failed in Redis.");
    auto& early = family(registry, "cache_early_refreshes_total", "Loads by chance before the entry expired.");
    // In the order of CacheEvent; all present from the start, so that rate() sees the first.
    counters = {&requests.Add({{"tier", "local"}, {"result", "hit"}}),
                &requests.Add({{"tier", "local"}, {"result", "miss"}}),
                &requests.Add({{"tier", "local"}, {"result", "stale"}}),
                &requests.Add({{"tier", "redis"}, {"result", "hit"}}),
                &requests.Add({{"tier", "redis"}, {"result", "miss"}}),
                &requests.Add({{"tier", "redis"}, {"result", "stale"}}),
                &requests.Add({{"tier", "load"}, {"result", "hit"}}),
                &requests.Add({{"tier", "load"}, {"result", "error"}}),
                &requests.Add({{"tier", "load"}, {"result", "coalesced"}}),
                &invalidations.Add({{"how", "sent"}}),
                &invalidations.Add({{"how", "received"}}),
                &invalidations.Add({{"how", "failed"}}),
                &invalidations.Add({{"how", "subscription_lost"}}),
                &errors.Add({}),
                &refused.Add({}),
                &early.Add({})};
  }

  static prometheus::Family<prometheus::Counter>& family(prometheus::Registry& registry, const char* name,
                                                         const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  std::vector<prometheus::Counter*> counters;
  prometheus::Gauge& local_bytes;
  prometheus::Gauge& subscribed;
};

CacheMetrics::CacheMetrics(prometheus::Registry& registry) : families_(std::make_unique<Families>(registry)) {}
CacheMetrics::~CacheMetrics() = default;

void CacheMetrics::count(CacheEvent event) { families_->counters[static_cast<std::size_t>(event)]->Increment(); }
void CacheMetrics::set_local_bytes(std::size_t bytes) { families_->local_bytes.Set(static_cast<double>(bytes)); }
void CacheMetrics::set_subscribed(bool is_subscribed) { families_->subscribed.Set(is_subscribed ? 1 : 0); }

}  // namespace scalableapp::workload
