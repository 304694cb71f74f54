// All that stands between a request and the service's work. Parts that are switched off let everything through.
//
//   thread that reads requests:  auto place = protection.admit(priority, now);     if (!place) -> overloaded()
//                                put `place` into the exchange, queue the request
//   thread that may block:       if (protection.waited_too_long(*place, now)) -> overloaded()
//                                auto rate = protection.check_rate(request, redis);
//                                if (!rate.allowed) -> too_many_requests(), with rate.headers as on every answer
//                                call.degrade_level = protection.degrade_level(now)
//   with the answer:             place->done(ending_of(status), now)
//
// Must outlive the places it gives. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "workload/common/http_server.h"
#include "workload/common/redis.h"
#include "workload/protection/concurrency_limit.h"
#include "workload/protection/options.h"
#include "workload/service/route.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class Dependency;

class Protection {
 public:
  // `registry` must outlive this.
  Protection(const ProtectionOptions& options, prometheus::Registry& registry);
  ~Protection();
  Protection(const Protection&) = delete;
  Protection& operator=(const Protection&) = delete;

  // A request's place in the service, given back by done(), or when it goes: then the request counts as failed.
  class Place {
   public:
    Place(Place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), place_(other.place_) {}
    Place& operator=(Place&&) = delete;
    ~Place();
    void done(Ending outcome, Instant now);
    Instant began() const { return place_.began; }

   private:
    friend class Protection;
    Place(Protection& owner, const ConcurrencyLimit::Place& place) : owner_(&owner), place_(place) {}
    Protection* owner_;
    ConcurrencyLimit::Place place_;
  };
  // None: the concurrency limit is reached for that priority. Never blocks.
  std::optional<Place> admit(Priority priority, Instant now);

  // True if the request waited for a thread longer than --max-wait: whoever sent it has given up or will soon.
  bool waited_too_long(const Place& place, Instant now);

  struct Rate {
    bool allowed = true;
    std::vector<std::pair<std::string, std::string>> headers = {};  // For the answer, whichever it is.
  };
  // One round trip to Redis if --rate-limit is set. Lets everything through, counted, while Redis does not answer.
  Rate check_rate(const HttpRequest& request, RedisConnection& redis);

  int degrade_level(Instant now);

  // The dependency of that name, made when first asked for. Names are constants of the code: a few.
  Dependency& dependency(const std::string& name);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Below 400: served. The rest was cut short and says nothing of the latency. kDropped is for who has no thread to give.
Ending ending_of(int status);
// 503 with Retry-After: 1.
HttpResponse overloaded();
// 429; Retry-After is one of the headers of check_rate.
HttpResponse too_many_requests();

}  // namespace scalableapp::workload
