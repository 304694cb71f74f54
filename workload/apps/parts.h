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
class JobIntake;
class Recommender;

struct AppParts {
  prometheus::Registry& registry;
  RedisOptions redis;            // For connections of a family's own threads.
  Cache* cache = nullptr;        // Never null in the service; --cache=false makes it one that keeps nothing.
  Database* database = nullptr;  // Null without --shards: the families keep everything in Redis.
  JobIntake* jobs = nullptr;     // Never null in the service.
  Recommender* recommender = nullptr;  // Never null in the service.
  std::string region = {};       // Empty: not one of several.
  int session_ttl_seconds = 3600;
  bool keeps_sessions_itself = false;  // In the process, as no stateless service should.
  std::string queue = "jobs";    // That POST /jobs fills.
  std::string index_directory = "/tmp";  // Where the index of restaurants may be written.
  int restaurants = 2000;
};

}  // namespace scalableapp::workload
