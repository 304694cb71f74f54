// POST /login and GET /session: sessions in Redis, so any pod can serve any client, and a pod that goes takes none with
// it.
//
//   POST /login    ?user=NAME: a new session, its id as cookie and as JSON
//   GET  /session  the session of the cookie `session` or the header X-Session; 401 if Redis does not know it; starts an
//                  anonymous one for a client that sends none
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_sessions(const AppParts& parts);

}  // namespace scalableapp::workload
