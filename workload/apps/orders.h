// Orders, kept in the database by their user, on their way through the queues orders -> assignments -> etas.
//
//   POST /orders    {"user": 7, "restaurant": 12, "item": "Masala Dosa"}: 202 and the order's id, which is the header
//                   Idempotency-Key if there is one: asking again makes no second order
//   GET  /orders/*  ?user=7: its state, partner and expected minutes; the header X-Read-After makes sure that it is seen
//
// Without a database orders are kept in Redis. Workers: --queue=orders --handler=assign --next=etas, then
// --queue=etas --handler=eta.
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_orders(const AppParts& parts);

// What the handlers do with a job; the payload of the next stage. Doing it again changes nothing. `database` may be null.
Result<std::string> assign_partner(const std::string& payload, RedisConnection& redis, Database* database);
Result<std::string> estimate_arrival(const std::string& payload, RedisConnection& redis, Database* database);

}  // namespace scalableapp::workload
