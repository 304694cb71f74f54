// One server as all threads share it: a bounded pool of connections, and whether the server is known to be down. It is
// from a connection that failed until the probe says otherwise; meanwhile whoever asks fails at once. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "workload/database/connection.h"
#include "workload/database/metrics.h"

namespace scalableapp::workload {

struct PoolOptions {
  int connections = 8;
  bool keep = true;  // False: each use makes a connection and closes it.
  milliseconds max_wait{500};  // For one to become free.
};

class Endpoint {
 public:
  // `on_down` is called whenever a connection fails, by the thread that met it.
  Endpoint(ConnectionOptions connection, PoolOptions pool, prometheus::Registry& registry,
           std::function<void()> on_down);

  struct Attempt {
    Result<std::vector<Rows>> rows;
    bool is_server_lost = false;  // The error is one of the connection: another server may do better.
  };
  // On any connection, as DatabaseConnection::run() says. kUnavailable, too, when all connections stay busy.
  Attempt run(const std::vector<Statement>& statements);

  bool is_down() const { return is_down_; }
  void set_down(bool is_down);  // By the probe.

  const std::string& name() const { return name_; }
  const ConnectionOptions& connection_options() const { return connection_; }
  EndpointMetrics& metrics() { return metrics_; }

 private:
  using Connection = std::unique_ptr<DatabaseConnection>;
  // kTooManyRequests: all connections are busy, or the server takes no more of them.
  Result<Connection> take();
  Result<Connection> open();
  void lost();
  void give_back(Connection connection);

  const ConnectionOptions connection_;
  const PoolOptions pool_;
  const std::string name_;
  EndpointMetrics metrics_;
  const std::function<void()> on_down_;
  std::atomic<bool> is_down_ = false;
  std::mutex mutex_;  // Guards the next two.
  std::vector<Connection> idle_;
  int used_ = 0;
  std::condition_variable freed_;
};

}  // namespace scalableapp::workload
