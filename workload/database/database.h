// PostgreSQL over several primaries, each with streaming replicas: a key's shard is found by its hash, writes go to the
// shard's primary, reads to a replica that is up, not far behind, and has replayed what the reader wrote; else to the
// primary, and that is counted. A server that is down is noticed by one call or by the probe, at most a second later;
// from then on its callers fail at once or go elsewhere, and nobody else waits. No transactions of several statements,
// none across shards, no failover: a primary that is gone is gone until it is back. Thread-safe.
//
//   auto found = database.read(user_id, "select name from users where id = $1", {to_string(user_id)}, read_after);
//   auto done = database.write(user_id, "update users set name = $2 where id = $1", {to_string(user_id), name});
//   answer.headers.emplace_back(kReadAfterHeader, done->read_after.text());
//
// Metrics, each with those labels of shard, role (primary, replica) and endpoint (HOST:PORT) that it needs:
//   database_query_duration_seconds{shard,role}   connection waited for, statement, answer
//   database_reads_total{shard,role}              which servers answered reads
//   database_reads_diverted_total{shard,reason}   reads that a replica should have answered and the primary did: behind
//                                                 (of the reader's own write), lag, down, conflict (with the replay);
//                                                 stale: a lagging replica answered, since the primary is down
//   database_replica_lag_seconds{endpoint}, database_replica_lag_bytes{endpoint}
//   database_connections{endpoint,state}          idle, used; database_connections_opened_total{endpoint}
//   database_errors_total{endpoint}               statements and connections that failed, but for the data's own errors
//   database_up{endpoint}
#pragma once

#include <memory>
#include <string>

#include "operator/base/result.h"
#include "workload/database/options.h"
#include "workload/database/read_after.h"
#include "workload/database/rows.h"
#include "workload/database/shard_map.h"

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

enum class DatabaseRole { kPrimary, kReplica };

struct ReadAnswer {
  Rows rows;
  std::size_t shard = 0;
  DatabaseRole role = DatabaseRole::kPrimary;

  std::string served_by() const;  // "shard-0/replica"
};

struct WriteAnswer {
  Rows rows;  // Of a "returning" clause.
  std::size_t shard = 0;
  ReadAfter read_after;  // Reads with it see the write.
};

class Database {
 public:
  // Connects when first used: kInvalid is the only error, and tells which option is wrong.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options, prometheus::Registry& registry);
  virtual ~Database() = default;

  // One statement with its parameters. Errors of both:
  //   kAlreadyExists  a unique key is taken       kInvalid  the data does not fit (classes 22 and 23 of SQLSTATE)
  //   kConflict       serialization or deadlock: may be tried again
  //   kUnavailable    not carried out: the shard's server is down or all connections are busy
  //   kTimeout        no answer in time; whether a write was carried out is unknown
  //   kInternal       the statement is wrong
  virtual Result<ReadAnswer> read(ShardKey key, const std::string& sql, const Parameters& parameters = {},
                                  const ReadAfter& after = {}) = 0;
  virtual Result<WriteAnswer> write(ShardKey key, const std::string& sql, const Parameters& parameters = {}) = 0;
  // Reads one shard by its number, for what is spread over all of them.
  virtual Result<ReadAnswer> read_shard(std::size_t shard, const std::string& sql, const Parameters& parameters = {},
                                        const ReadAfter& after = {}) = 0;

  virtual std::size_t shards() const = 0;
  // Why no key can be read at all; empty while one server of any shard is up or not known to be down. Does not block.
  virtual std::string why_not_ready() const = 0;
};

}  // namespace scalableapp::workload
