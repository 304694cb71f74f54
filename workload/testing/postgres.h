// Real PostgreSQL servers for tests: two primaries, each with a streaming replica, as child processes on loopback ports
// that were free, their data below a temporary directory. PostgreSQL refuses to run as root, so root runs it as
// `postgres` or `nobody`. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/database/connection.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {

class PostgresServer {
 public:
  PostgresServer(std::string data_directory, int port);
  ~PostgresServer();

  int port() const { return port_; }
  std::string address() const;
  void start();  // Returns when it answers.
  void stop();   // At once, as a crash would.
  void send(int signal) const { process_->send(signal); }
  // One statement as superuser, over a connection of the server's own.
  std::vector<std::vector<Value>> run(const std::string& sql, const Parameters& parameters = {});
  // A replica stops replaying its log, or goes on; returns when it does. What it receives is kept.
  void set_replay(bool is_on);

 private:
  const std::string data_directory_;
  const int port_;
  std::optional<Process> process_;
  std::unique_ptr<DatabaseConnection> connection_;
};

class PostgresCluster {
 public:
  // The same for all who ask, made when first asked for and ended with the process. Null where there is no PostgreSQL:
  // skip the test and say why_none().
  static PostgresCluster* shared();
  static std::string why_none();
  ~PostgresCluster();

  PostgresServer& primary(int shard) { return *primaries_[static_cast<std::size_t>(shard)]; }
  PostgresServer& replica(int shard) { return *replicas_[static_cast<std::size_t>(shard)]; }
  std::string shards() const;  // As --shards takes it.
  // Returns when the replicas have replayed all that their primaries have written.
  void catch_up();

 private:
  PostgresCluster() = default;
  static std::unique_ptr<PostgresCluster> start();

  std::string directory_;
  std::vector<std::unique_ptr<PostgresServer>> primaries_;
  std::vector<std::unique_ptr<PostgresServer>> replicas_;
};

}  // namespace scalableapp::workload
