// Drivers tell where they are, riders ask for one, and the price follows from both.
//
//   POST /locations  {"driver": "d1", "lat": 40.7, "lng": -74.0}: the cell it is in
//   POST /rides      {"rider": "r1", "lat": ..., "lng": ...}: 202, the ride's id (the header Idempotency-Key if there is
//                    one) and the surge factor it is priced at; the ride waits in the queue "rides" to be matched
//   GET  /rides/*    the ride's driver, once it has one
//   GET  /surge      ?lat=&lng=: the factor, and the requests and drivers it follows from
//
// The worker of the queue is started with --handler=match.
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_rides(const AppParts& parts);

// What the handler "match" does with a job of the queue: finds the ride a driver. kUnavailable while nobody is free, so
// that it is tried again.
Result<std::string> match_ride(const std::string& payload, RedisConnection& redis);

}  // namespace scalableapp::workload
