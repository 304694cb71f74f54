#include "workload/database/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace scalableapp::workload {
namespace {

constexpr milliseconds kProbeInterval{1000};
constexpr milliseconds kProbeTimeout{500};

// The one value of a statement that gives a place in the log.
Result<Lsn> lsn_of(const Rows& rows) {
  if (rows.empty() || !rows.values[0][0]) return fail(ErrorCode::kUnavailable, "is no replica");
  return parse_lsn(*rows.values[0][0]);
}

// Where the log of a server is now; connects if need be.
Result<Lsn> look(DatabaseConnection& connection, const char* sql) {
  if (!connection.is_open()) {
    if (auto opened = connection.open(); !opened) return tl::unexpected(opened.error());
  }
  const auto rows = connection.run({{sql}});
  if (!rows) return tl::unexpected(rows.error());
  return lsn_of(rows->front());
}

constexpr const char* kWritten = "select pg_current_wal_lsn()";
constexpr const char* kReplayed = "select pg_last_wal_replay_lsn()";

}  // namespace

struct Shard::Replica {
  template <typename... Arguments>
  explicit Replica(Arguments&&... arguments) : endpoint(std::forward<Arguments>(arguments)...) {}

  Endpoint endpoint;
  std::atomic<Lsn> replayed = 0;  // As last seen.
  std::atomic<Instant::duration> lag = Instant::duration{};
};

Shard::Shard(std::size_t number, const ShardServers& servers, const DatabaseOptions& options,
             prometheus::Registry& registry)
    : number_(number),
      options_(options),
      metrics_(registry, fmt::format("{}", number), !servers.replicas.empty()) {
  const PoolOptions pool{.connections = options.connections, .keep = options.pool, .max_wait = options.timeout / 2};
  const auto wake = [this] { wake_probe(); };
  primary_ = std::make_unique<Endpoint>(connection_options(servers.primary), pool, registry, wake);
  for (const auto& replica : servers.replicas) {
    replicas_.push_back(std::make_unique<Replica>(connection_options(replica), pool, registry, wake));
  }
  prober_ = std::jthread([this](const std::stop_token& stop) { probe(stop); });
}

Shard::~Shard() = default;

bool Shard::is_down() const {
  return primary_->is_down() && std::all_of(replicas_.begin(), replicas_.end(),
                                            [](const auto& replica) { return replica->endpoint.is_down(); });
}

ConnectionOptions Shard::connection_options(const HostPort& server) const {
  return {.server = server,
          .user = options_.user,
          .database = options_.name,
          .connect_timeout = options_.timeout / 2,
          .statement_timeout = options_.timeout};
}

Endpoint::Attempt Shard::timed(Endpoint& endpoint, bool is_replica, const std::vector<Statement>& statements) {
  const auto begin = instant_now();
  auto attempt = endpoint.run(statements);
  metrics_.took(is_replica, to_seconds(instant_now() - begin));
  return attempt;
}

Result<ReadAnswer> Shard::answer_of(Endpoint::Attempt attempt, DatabaseRole role) {
  if (!attempt.rows) return tl::unexpected(attempt.rows.error());
  metrics_.read(role == DatabaseRole::kReplica);
  return ReadAnswer{std::move(attempt.rows->back()), number_, role};
}

Result<ReadAnswer> Shard::read_primary(const Statement& statement) {
  return answer_of(timed(*primary_, false, {statement}), DatabaseRole::kPrimary);
}

std::optional<Result<ReadAnswer>> Shard::read_replica(Replica& replica, const Statement& statement, Lsn wanted,
                                                      Diversion& why) {
  const bool must_look = wanted > replica.replayed;
  // The look comes first, so the read sees at least what it found, and costs no round trip of its own.
  auto attempt = must_look ? timed(replica.endpoint, true, {{kReplayed}, statement})
                           : timed(replica.endpoint, true, {statement});
  if (attempt.is_server_lost) {
    why = Diversion::kDown;
    return std::nullopt;
  }
  if (!attempt.rows && attempt.rows.error().code == ErrorCode::kConflict) {
    why = Diversion::kConflict;
    return std::nullopt;
  }
  if (attempt.rows && must_look) {
    const auto replayed = lsn_of(attempt.rows->front());
    if (replayed) replica.replayed = *replayed;
    if (!replayed || *replayed < wanted) {
      why = Diversion::kBehind;
      return std::nullopt;
    }
  }
  // A replica that is overloaded keeps its error: passed on, its load would take the primary down as well.
  return answer_of(std::move(attempt), DatabaseRole::kReplica);
}

Result<ReadAnswer> Shard::read(const Statement& statement, const ReadAfter& after) {
  if (options_.read_from == "primary" || replicas_.empty()) return read_primary(statement);
  const Lsn wanted = options_.read_your_writes ? after.lsn(number_) : 0;
  const std::size_t first = turn_++;
  Replica* lagging = nullptr;
  Diversion why = Diversion::kDown;
  for (std::size_t index = 0; index < replicas_.size(); ++index) {
    Replica& replica = *replicas_[(first + index) % replicas_.size()];
    if (replica.endpoint.is_down()) continue;
    if (replica.lag.load() > options_.max_replica_lag) {
      lagging = &replica;
      why = Diversion::kLag;
      continue;
    }
    if (auto answer = read_replica(replica, statement, wanted, why)) return *std::move(answer);
  }
  metrics_.diverted(why);
  auto attempt = timed(*primary_, false, {statement});
  if (attempt.is_server_lost && lagging != nullptr) {
    // Old data is better than none, unless the reader has written what it lacks.
    if (auto answer = read_replica(*lagging, statement, wanted, why)) {
      metrics_.diverted(Diversion::kStale);
      return *std::move(answer);
    }
  }
  return answer_of(std::move(attempt), DatabaseRole::kPrimary);
}

Result<WriteAnswer> Shard::write(const Statement& statement) {
  // The log's end after the commit is at or beyond the commit's own record.
  auto attempt = timed(*primary_, false, {statement, {kWritten}});
  if (!attempt.rows) return tl::unexpected(attempt.rows.error());
  const auto written = lsn_of(attempt.rows->back());
  if (!written) return tl::unexpected(written.error());
  return WriteAnswer{std::move(attempt.rows->front()), number_, ReadAfter(number_, *written)};
}

void Shard::wake_probe() {
  {
    const std::lock_guard lock(mutex_);
    is_probe_due_ = true;
  }
  probe_due_.notify_one();
}

void Shard::probe(const std::stop_token& stop) {
  const auto connect = [this](const Endpoint& endpoint) {
    auto options = endpoint.connection_options();
    options.connect_timeout = options.statement_timeout = kProbeTimeout;
    return std::make_unique<DatabaseConnection>(std::move(options));
  };
  LogHistory history;
  const auto primary = connect(*primary_);
  std::vector<std::unique_ptr<DatabaseConnection>> connections;
  for (const auto& replica : replicas_) connections.push_back(connect(replica->endpoint));
  while (!stop.stop_requested()) {
    const auto written = look(*primary, kWritten);
    primary_->set_down(!written);
    if (written) history.add(instant_now(), *written);
    for (std::size_t index = 0; index < replicas_.size(); ++index) {
      Replica& replica = *replicas_[index];
      const auto replayed = look(*connections[index], kReplayed);
      replica.endpoint.set_down(!replayed);
      if (replayed) replica.replayed = *replayed;
      if (replica.replayed == 0 || history.written() == 0) continue;
      replica.lag = history.lag(instant_now(), replica.replayed);
      const Lsn missing = history.written() - std::min<Lsn>(history.written(), replica.replayed);
      replica.endpoint.metrics().lag(to_seconds(replica.lag), static_cast<double>(missing));
    }
    std::unique_lock lock(mutex_);
    probe_due_.wait_for(lock, stop, kProbeInterval, [this] { return is_probe_due_; });
    is_probe_due_ = false;
  }
}

}  // namespace scalableapp::workload
