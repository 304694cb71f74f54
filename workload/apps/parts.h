// What the service hands to every family of routes. Thread-compatible; what it points to is thread-safe.
#pragma once

#include <string>

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class Cache;
class Database;
class JobIntake;

struct AppParts {
  prometheus::Registry& registry;
  Cache* cache = nullptr;        // Null where the service has none.
  Database* database = nullptr;  // Null without --shards.
  std::string region = {};       // Empty: not one of several.
  int session_ttl_seconds = 3600;
  JobIntake* jobs = nullptr;     // Takes jobs for the workers.
  std::string queue = "jobs";    // That POST /jobs fills.
};

}  // namespace scalableapp::workload
