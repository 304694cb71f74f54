#include "workload/database/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace scalableapp::workload {
namespace {

// Between the server's time-out and ours, so that a slow statement is told by the server and the connection stays.
constexpr milliseconds kAnswerMargin{250};
// More is a statement that lacks a limit.
constexpr int kMaxRows = 100'000;

using Answer = std::unique_ptr<PGresult, void (*)(PGresult*)>;

int milliseconds_until(Instant deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - instant_now()).count();
  return static_cast<int>(std::max<long long>(left, 0));
}

std::string first_line(const char* text) {
  const std::string_view all(text == nullptr ? "" : text);
  return std::string(all.substr(0, all.find('\n')));
}

ErrorCode code_of(std::string_view state) {
  if (state == "23505") return ErrorCode::kAlreadyExists;
  if (state == "57014") return ErrorCode::kTimeout;
  if (state.starts_with("22") || state.starts_with("23")) return ErrorCode::kInvalid;
  if (state.starts_with("40")) return ErrorCode::kConflict;
  // Resources, the operator's intervention, and a write to what is a replica.
  if (state.starts_with("53") || state.starts_with("57") || state == "25006") return ErrorCode::kUnavailable;
  return ErrorCode::kInternal;
}

Rows to_rows(const PGresult& result) {
  Rows rows;
  const int columns = PQnfields(&result);
  for (int row = 0; row < PQntuples(&result); ++row) {
    auto& values = rows.values.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(&result, row, column) != 0) {
        values.emplace_back();
      } else {
        values.emplace_back(std::in_place, PQgetvalue(&result, row, column),
                            static_cast<std::size_t>(PQgetlength(&result, row, column)));
      }
    }
  }
  // libpq's signature lacks the const.
  double affected = 0;
  if (parse_number(PQcmdTuples(const_cast<PGresult*>(&result)), affected)) {
    rows.affected = static_cast<long long>(affected);
  }
  return rows;
}

}  // namespace

void DatabaseConnection::Free::operator()(pg_conn* connection) const { PQfinish(connection); }

DatabaseConnection::DatabaseConnection(ConnectionOptions options) : options_(std::move(options)) {}
DatabaseConnection::~DatabaseConnection() = default;

Result<void> DatabaseConnection::open() {
  const auto deadline = instant_now() + options_.connect_timeout;
  const std::string port = fmt::format("{}", options_.server.port);
  const std::string settings = fmt::format("-c statement_timeout={} -c client_min_messages=error",
                                           options_.statement_timeout.count());
  const char* const names[] = {"host",    "port",           "user",       "dbname", "application_name",
                               "options", "gssencmode", "keepalives_idle", nullptr};
  const char* const values[] = {options_.server.host.c_str(), port.c_str(), options_.user.c_str(),
                                options_.database.c_str(),    "workload",   settings.c_str(),
                                "disable",                    "10",         nullptr};
  connection_.reset(PQconnectStartParams(names, values, 0));
  if (connection_ == nullptr) return fail(ErrorCode::kInternal, "out of memory");
  auto state = PQstatus(connection_.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    if (auto ready = await(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline); !ready) return ready;
    state = PQconnectPoll(connection_.get());
  }
  if (state != PGRES_POLLING_OK) {
    // libpq keeps no SQLSTATE of a refused connection; these are the server's own words in its default language.
    const std::string_view why(PQerrorMessage(connection_.get()));
    const bool is_full = why.find("too many clients") != why.npos || why.find("remaining connection slots") != why.npos;
    return broken(is_full ? ErrorCode::kTooManyRequests : ErrorCode::kUnavailable, first_line(why.data()));
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1) {
    return broken(ErrorCode::kUnavailable, first_line(PQerrorMessage(connection_.get())));
  }
  return {};
}

bool DatabaseConnection::is_open() {
  if (connection_ == nullptr) return false;
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  // Nothing is due between statements but the server's farewell, or news (a setting reloaded) that do not matter.
  if (poll(&socket, 1, 0) == 0) return true;
  if (PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK) {
    PQisBusy(connection_.get());  // Reads the farewell, if it is one.
    if (poll(&socket, 1, 0) == 0 && PQstatus(connection_.get()) == CONNECTION_OK) return true;
  }
  connection_.reset();
  return false;
}

Result<std::vector<Rows>> DatabaseConnection::run(const std::vector<Statement>& statements) {
  if (connection_ == nullptr) return fail(ErrorCode::kUnavailable, "not connected");
  const auto deadline = instant_now() + options_.statement_timeout + kAnswerMargin;
  if (auto sent = send(statements, deadline); !sent) return tl::unexpected(sent.error());
  std::vector<Rows> all;
  Result<std::vector<Rows>> answer;
  for (std::size_t index = 0; index < statements.size(); ++index) {
    auto rows = receive(deadline);
    if (!rows && answer) answer = tl::unexpected(rows.error());
    if (connection_ == nullptr) return answer;
    if (rows) all.push_back(std::move(*rows));
  }
  if (answer) answer = std::move(all);
  return answer;
}

Result<void> DatabaseConnection::send(const std::vector<Statement>& statements, Instant deadline) {
  for (const auto& [sql, parameters] : statements) {
    std::vector<const char*> values;
    for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                          nullptr, nullptr, 0) != 1 ||
        PQpipelineSync(connection_.get()) != 1) {
      return broken(ErrorCode::kUnavailable, first_line(PQerrorMessage(connection_.get())));
    }
  }
  int left = 1;
  while ((left = PQflush(connection_.get())) == 1) {
    // What the server sends meanwhile must be taken off it, or both would wait for the other.
    if (auto ready = await(POLLIN | POLLOUT, deadline); !ready) return ready;
    if (PQconsumeInput(connection_.get()) != 1) break;
  }
  if (left == 0) return {};
  return broken(ErrorCode::kTimeout, first_line(PQerrorMessage(connection_.get())));
}

// What one statement gave: its result, a null that ends it, and the mark of its sync.
Result<Rows> DatabaseConnection::receive(Instant deadline) {
  Result<Rows> rows;
  while (true) {
    auto next = next_result(deadline);
    if (!next) return tl::unexpected(next.error());
    const Answer result(*next, PQclear);
    if (result == nullptr) continue;
    switch (PQresultStatus(result.get())) {
      case PGRES_PIPELINE_SYNC: return rows;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        if (PQntuples(result.get()) > kMaxRows) {
          rows = fail(ErrorCode::kInternal, fmt::format("more than {} rows: the statement needs a limit", kMaxRows));
        } else {
          rows = to_rows(*result);
        }
        break;
      default: {
        const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
        const char* const text = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
        // Without a state it is libpq's own: the connection is lost.
        if (state == nullptr) return broken(ErrorCode::kTimeout, first_line(PQresultErrorMessage(result.get())));
        rows = fail(code_of(state), fmt::format("{}:{}: {} (SQLSTATE {})", options_.server.host, options_.server.port,
                                                text == nullptr ? "" : text, state));
        // The server says so on its way out.
        if (std::string_view(state).starts_with("57P")) {
          connection_.reset();
          return rows;
        }
      }
    }
  }
}

Result<pg_result*> DatabaseConnection::next_result(Instant deadline) {
  while (PQisBusy(connection_.get()) == 1) {
    if (auto ready = await(POLLIN, deadline); !ready) return tl::unexpected(ready.error());
    if (PQconsumeInput(connection_.get()) != 1) {
      return broken(ErrorCode::kTimeout, first_line(PQerrorMessage(connection_.get())));
    }
  }
  pg_result* const result = PQgetResult(connection_.get());
  // Two nulls in a row never come from a sound pipeline; a lost connection gives nothing but nulls.
  if (result == nullptr && PQstatus(connection_.get()) != CONNECTION_OK) {
    return broken(ErrorCode::kTimeout, "connection lost");
  }
  return result;
}

Result<void> DatabaseConnection::await(short events, Instant deadline) {
  pollfd socket{PQsocket(connection_.get()), events, 0};
  while (true) {
    const int ready = poll(&socket, 1, milliseconds_until(deadline));
    if (ready > 0) return {};
    if (ready == 0) return broken(ErrorCode::kTimeout, "no answer in time");
    if (errno != EINTR) return broken(ErrorCode::kUnavailable, "poll failed");
  }
}

// What was sent may or may not have been carried out, and a late answer would be taken for the next statement's.
tl::unexpected<Error> DatabaseConnection::broken(ErrorCode code, const std::string& what) {
  connection_.reset();
  return fail(code, fmt::format("{}:{}: {}", options_.server.host, options_.server.port, what));
}

}  // namespace scalableapp::workload
