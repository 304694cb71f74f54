// What a command that uses the database can be told on its command line.
#pragma once

#include <string>

#include "operator/base/time.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

struct DatabaseOptions {
  std::string shards = {};  // As parse_shards() reads them; empty: no database.
  std::string user = "postgres";  // The password is libpq's business: PGPASSWORD or a password file.
  std::string name = "postgres";
  std::string read_from = "replica";  // Or "primary".
  bool read_your_writes = true;
  int connections = 8;  // To each server, at most.
  bool pool = true;     // False: a new connection for each statement, as many at once.
  milliseconds timeout{1000};  // Of one statement; to connect or to get a connection may take half of it.
  milliseconds max_replica_lag{5000};
};

void add_database_flags(FlagSet& flags, DatabaseOptions& options);
// Only where the servers are and who connects.
void add_database_server_flags(FlagSet& flags, DatabaseOptions& options);

}  // namespace scalableapp::workload
