#include "workload/apps/handlers.h"

#include "workload/apps/orders.h"
#include "workload/apps/rides.h"

namespace scalableapp::workload {

JobHandlers story_handlers(Database* database) {
  auto handlers = plain_handlers();
  handlers["assign"] = [database](const Job& job, RedisConnection& redis) {
    return assign_partner(job.payload, redis, database);
  };
  handlers["eta"] = [database](const Job& job, RedisConnection& redis) {
    return estimate_arrival(job.payload, redis, database);
  };
  handlers["match"] = [](const Job& job, RedisConnection& redis) { return match_ride(job.payload, redis); };
  return handlers;
}

}  // namespace scalableapp::workload
