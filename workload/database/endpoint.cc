#include "workload/database/endpoint.h"

#include <fmt/format.h>

#include <utility>

namespace scalableapp::workload {
namespace {

// Tells of the server or the way to it, not of the data or the statement.
bool is_of_the_server(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout ||
         error.code == ErrorCode::kTooManyRequests || error.code == ErrorCode::kInternal;
}

}  // namespace

Endpoint::Endpoint(ConnectionOptions connection, PoolOptions pool, prometheus::Registry& registry,
                   std::function<void()> on_down)
    : connection_(std::move(connection)),
      pool_(pool),
      name_(fmt::format("{}:{}", connection_.server.host, connection_.server.port)),
      metrics_(registry, name_),
      on_down_(std::move(on_down)) {
  metrics_.up(true);
}

Endpoint::Attempt Endpoint::run(const std::vector<Statement>& statements) {
  auto connection = take();
  if (!connection) {
    metrics_.failed();
    // Busy or full, it is up: its other users are served. Whatever it was, the statements were not sent.
    const bool is_busy = connection.error().code == ErrorCode::kTooManyRequests;
    return {fail(ErrorCode::kUnavailable, connection.error().message), !is_busy};
  }
  Attempt attempt{(*connection)->run(statements), false};
  if (!attempt.rows && is_of_the_server(attempt.rows.error())) metrics_.failed();
  if (!attempt.rows && !(*connection)->is_open()) {
    attempt.is_server_lost = true;
    lost();
  }
  give_back(std::move(*connection));
  return attempt;
}

void Endpoint::set_down(bool is_down) {
  {
    const std::lock_guard lock(mutex_);
    is_down_ = is_down;
  }
  metrics_.up(!is_down);
  if (is_down) freed_.notify_all();
}

// It may be this connection only, or a server that hangs: the probe, which asks for next to nothing, finds out at once.
void Endpoint::lost() {
  set_down(true);
  on_down_();
}

Result<Endpoint::Connection> Endpoint::take() {
  std::unique_lock lock(mutex_);
  if (!freed_.wait_for(lock, pool_.max_wait, [this] { return is_down_ || used_ < pool_.connections; })) {
    return fail(ErrorCode::kTooManyRequests, fmt::format("{}: all {} connections are busy", name_, pool_.connections));
  }
  if (is_down_) return fail(ErrorCode::kUnavailable, fmt::format("{}: is down", name_));
  ++used_;
  Connection connection;
  while (!idle_.empty() && connection == nullptr) {
    connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->is_open()) connection.reset();  // The server has closed it since.
  }
  metrics_.connections(static_cast<int>(idle_.size()), used_);
  lock.unlock();
  if (connection != nullptr) return connection;
  return open();
}

Result<Endpoint::Connection> Endpoint::open() {
  auto connection = std::make_unique<DatabaseConnection>(connection_);
  auto opened = connection->open();
  if (opened) {
    metrics_.connection_opened();
    return connection;
  }
  if (opened.error().code != ErrorCode::kTooManyRequests) lost();
  give_back(nullptr);
  return tl::unexpected(opened.error());
}

void Endpoint::give_back(Connection connection) {
  const bool is_kept = pool_.keep && connection != nullptr && connection->is_open();
  {
    const std::lock_guard lock(mutex_);
    --used_;
    if (is_kept) idle_.push_back(std::move(connection));
    metrics_.connections(static_cast<int>(idle_.size()), used_);
  }
  freed_.notify_one();
}

}  // namespace scalableapp::workload
