// Users in the sharded database, where the pattern can be watched: X-Served-By tells who answered, and a client that
// sends the X-Read-After of its last write back reads what it wrote.
//
//   GET /users/ID    {"id", "name", "region"}; 404 if there is none
//   PUT /users/ID    {"name", "region"}: makes or changes the user
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// parts.database must be set.
std::unique_ptr<RouteFamily> make_users(const AppParts& parts);

}  // namespace scalableapp::workload
