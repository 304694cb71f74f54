// A TCP balancer for tests: what a Service does to connections, with endpoints that change. Each
// new connection goes to the next backend in turn and stays there. Thread-safe.
#pragma once

#include <memory>
#include <vector>

namespace scalableapp::workload {

class Balancer {
 public:
  static std::unique_ptr<Balancer> start(std::vector<int> backend_ports);
  virtual ~Balancer() = default;
  virtual int port() const = 0;
  // For connections from now on.
  virtual void set_backends(std::vector<int> backend_ports) = 0;
};

}  // namespace scalableapp::workload
