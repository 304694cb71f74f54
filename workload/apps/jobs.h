// POST /jobs: 202 and the job's id, which is the header Idempotency-Key if there is one.
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_jobs(const AppParts& parts);

}  // namespace scalableapp::workload
