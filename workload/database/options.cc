#include "workload/database/options.h"

namespace scalableapp::workload {

void add_database_server_flags(FlagSet& flags, DatabaseOptions& options) {
  flags.text(options.shards, "shards",
             "PostgreSQL servers, PRIMARY[/REPLICA...] for each shard as HOST:PORT, apart by commas, in an order that "
             "must not change; none: no database.");
  flags.word(options.user, "database-user", "Who connects; the password is taken from PGPASSWORD.");
  flags.word(options.name, "database-name", "Database on each server.");
}

void add_database_flags(FlagSet& flags, DatabaseOptions& options) {
  add_database_server_flags(flags, options);
  flags.choice(options.read_from, "read-from", "Who answers reads while it can.", {"replica", "primary"});
  flags.boolean(options.read_your_writes, "read-your-writes",
                "Reads with the token of a write wait for no replica: the primary answers those that it lacks.");
  flags.number(options.connections, "database-connections", "Connections to each server, at most.", 1, 256);
  flags.boolean(options.pool, "database-pool", "Keep connections; false makes one for each statement.");
  flags.duration(options.timeout, "database-timeout", "Of one statement; to connect, half of it.", milliseconds(50),
                 seconds(60));
  flags.duration(options.max_replica_lag, "max-replica-lag", "A replica further behind is not read from.",
                 milliseconds(0), seconds(3600));
}

}  // namespace scalableapp::workload
