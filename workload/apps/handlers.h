// What the stories' workers do with their jobs, by name: assign and eta (orders.h), match (rides.h), besides sleep.
#pragma once

#include "workload/jobs/handlers.h"

namespace scalableapp::workload {

class Database;

// `database` may be null and must outlive the handlers.
JobHandlers story_handlers(Database* database);

}  // namespace scalableapp::workload
