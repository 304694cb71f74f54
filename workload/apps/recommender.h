// What might please a user: the work that a service leaves out first. Either the pod's own, or another service's, which
// may be slow or gone: then a circuit breaker keeps it from holding up the rest of the answer. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "workload/apps/parts.h"
#include "workload/common/http_client.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

class Dependency;

class Recommender {
 public:
  struct Cost {
    double cpu_ms = 0;   // Of the model that ranks for one user.
    double wait_ms = 0;
  };
  // Makes them itself.
  explicit Recommender(const Cost& cost) : cost_(cost) {}
  // Asks GET /recommendations?user= there, each time for as long as `timeout` at most.
  Recommender(HostPort server, milliseconds timeout, Dependency& dependency);
  ~Recommender();

  // A place in whatever list is recommended from; the same one for the same user.
  Result<std::size_t> place_for(const std::string& user);

 private:
  Result<std::size_t> ask(const std::string& user);

  const Cost cost_;
  const HostPort server_;
  const milliseconds timeout_{};
  Dependency* const dependency_ = nullptr;  // Null: makes them itself.
  std::mutex mutex_;                        // Guards the next.
  std::vector<std::unique_ptr<HttpClient>> clients_;  // Those that nobody uses now.
};

// GET /recommendations ?user=: {"place": N}, what a Recommender elsewhere asks for.
std::unique_ptr<RouteFamily> make_recommendations(const AppParts& parts);

}  // namespace scalableapp::workload
