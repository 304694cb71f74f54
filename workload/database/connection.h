// One connection to one PostgreSQL server over libpq, which only connection.cc knows: opened by hand, bounded in time
// throughout (but for the name of the host, which the C library resolves in its own time), never opened again by
// itself. Does not pool, retry or count. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/flags.h"
#include "workload/common/instant.h"
#include "workload/database/rows.h"

struct pg_conn;
struct pg_result;

namespace scalableapp::workload {

struct ConnectionOptions {
  HostPort server;
  std::string user;
  std::string database;
  milliseconds connect_timeout{500};
  milliseconds statement_timeout{1000};  // The server's; its answer is waited for a little longer.
};

struct Statement {
  std::string sql;
  Parameters parameters = {};
};

class DatabaseConnection {
 public:
  explicit DatabaseConnection(ConnectionOptions options);
  ~DatabaseConnection();
  DatabaseConnection(const DatabaseConnection&) = delete;
  DatabaseConnection& operator=(const DatabaseConnection&) = delete;

  // kTooManyRequests when the server is up and takes no more connections, kUnavailable when there is none to be had.
  Result<void> open();
  // False as well when the server has closed it since its last use.
  bool is_open();

  // Carries out the statements in one round trip, each a transaction of its own, and returns the rows of all. The first
  // error is returned, as Database says of them, and those after it are carried out all the same. After an error of the
  // connection itself it is closed.
  Result<std::vector<Rows>> run(const std::vector<Statement>& statements);

 private:
  Result<void> send(const std::vector<Statement>& statements, Instant deadline);
  Result<Rows> receive(Instant deadline);
  Result<void> await(short events, Instant deadline);
  Result<pg_result*> next_result(Instant deadline);
  tl::unexpected<Error> broken(ErrorCode code, const std::string& what);

  struct Free {
    void operator()(pg_conn* connection) const;
  };
  const ConnectionOptions options_;
  std::unique_ptr<pg_conn, Free> connection_;
};

}  // namespace scalableapp::workload
