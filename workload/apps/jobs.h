// Jobs for the workers.
//
//   POST /jobs         puts the body (at most 16 KiB) into the service's queue: 202 and the job's id, which is the
//   header
//                      Idempotency-Key if there is one; 429 and Retry-After while the queue is too old or too long
//   POST /jobs/QUEUE   the same for another queue of --job-queues; 404 if it is none of them
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// Needs parts.jobs.
std::unique_ptr<RouteFamily> make_jobs(const AppParts& parts);

}  // namespace scalableapp::workload
