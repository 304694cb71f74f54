// What a family of routes is built from, and what builds each.
#pragma once

#include <memory>
#include <string>

#include "workload/service/route.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

class Cache;
class Database;

// All of it outlives the families.
struct AppParts {
  prometheus::Registry& registry;
  Cache* cache;        // Never null; --cache=false makes it one that keeps nothing.
  Database* database;  // Null: the families keep everything in Redis.
  const std::string& region;
};

}  // namespace scalableapp::workload
