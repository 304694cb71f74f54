// How many requests may be in the service at once, found from their latency, and who is refused first. A queue adds
// latency and no throughput; the limit follows the number at which latency starts to grow.
#pragma once

#include <mutex>
#include <optional>

#include "workload/protection/gradient_limit.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// What a request's end says of the load: only a request that was served as it should be has a latency worth a look.
enum class Ending { kServed, kFailed, kDropped };  // kDropped: given up for lack of capacity, behind the limit.

// Requests of that priority are admitted while fewer than so many are in the service. Optional work stops at three
// quarters of the limit, so it is the first to go; critical work may go to twice the limit: it is refused only where it
// alone is more than the service can do.
int admitted_below(Priority priority, int limit);

// Thread-safe; each call holds a mutex for some tens of nanoseconds (once in 100 ms for a sort of at most 256 numbers).
class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(const GradientLimitOptions& options) : gradient_(options) {}

  struct Place {
    Instant began;
    bool uncrowded;
  };
  // None: refuse the request. Each place must be given back by one release(), which returns the limit then.
  std::optional<Place> try_acquire(Priority priority, Instant now);
  int release(const Place& place, Ending outcome, Instant now);

  int limit() const;
  int in_flight() const;

 private:
  mutable std::mutex mutex_;  // Guards the rest.
  GradientLimit gradient_;
  int in_flight_ = 0;
};

}  // namespace scalableapp::workload
