// Finds the route of a path. Pure; filled before the first request, then read from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workload/service/route.h"

namespace scalableapp::workload {

class Router {
 public:
  void add(std::vector<Route> routes);

  struct Match {
    const Route* route = nullptr;  // Null: the path is not known, or not with that method.
    std::string tail;              // What "*" stood for.
    std::string path;              // Of the routes that have it, "" if none has: a label that clients cannot choose.
    std::string allowed;           // Their methods, for a 405.
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace scalableapp::workload
