// One shard: a primary, its replicas, and a thread that looks at each of them once a second: whether it answers, and
// where its log is. Decides who answers a read. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "workload/database/database.h"
#include "workload/database/endpoint.h"
#include "workload/database/replica_lag.h"

namespace scalableapp::workload {

class Shard {
 public:
  Shard(std::size_t number, const ShardServers& servers, const DatabaseOptions& options,
        prometheus::Registry& registry);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  Result<ReadAnswer> read(const Statement& statement, const ReadAfter& after);
  Result<WriteAnswer> write(const Statement& statement);
  bool is_down() const;  // All of its servers are.

 private:
  struct Replica;

  ConnectionOptions connection_options(const HostPort& server) const;
  Endpoint::Attempt timed(Endpoint& endpoint, bool is_replica, const std::vector<Statement>& statements);
  Result<ReadAnswer> answer_of(Endpoint::Attempt attempt, DatabaseRole role);
  Result<ReadAnswer> read_primary(const Statement& statement);
  // None: another server must be asked, and `why` is told.
  std::optional<Result<ReadAnswer>> read_replica(Replica& replica, const Statement& statement, Lsn wanted,
                                                 Diversion& why);
  void probe(const std::stop_token& stop);
  void wake_probe();

  const std::size_t number_;
  const DatabaseOptions options_;
  ShardMetrics metrics_;
  std::unique_ptr<Endpoint> primary_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::atomic<std::size_t> turn_ = 0;  // Which replica is asked first.
  std::mutex mutex_;  // Guards is_probe_due_.
  bool is_probe_due_ = false;
  std::condition_variable_any probe_due_;
  std::jthread prober_;  // Last: joined before what it uses goes.
};

}  // namespace scalableapp::workload
