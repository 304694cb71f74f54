// What the service hands to every family of routes. Thread-compatible; what it points to is thread-safe.
#pragma once

#include <string>

#include "workload/common/redis.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class Cache;
class Database;

struct AppParts {
  prometheus::Registry& registry;
  RedisOptions redis;            // For connections of a family's own threads.
  Cache* cache = nullptr;        // Never null in the service; --cache=false makes it one that keeps nothing.
  Database* database = nullptr;  // Null without --shards: the families keep everything in Redis.
  std::string region = {};       // Empty: not one of several.
  int session_ttl_seconds = 3600;
  std::string queue = "jobs";    // That POST /jobs fills.
  // What optional work costs, such as recommendations: degrade level 1 spares it.
  double optional_cpu_ms = 0;
  double optional_wait_ms = 0;
  std::string index_directory = "/tmp";  // Where the index of restaurants may be written.
  int restaurants = 2000;
};

}  // namespace scalableapp::workload
