// One connection to Redis over hiredis: connects when first used, has time-outs, reconnects with
// backoff. While it backs off, commands fail at once, so that a Redis that is down costs its
// callers no time. One thread; whoever needs several at once makes a connection a thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/platform/random.h"
#include "workload/common/flags.h"
#include "workload/common/instant.h"

struct redisContext;

namespace scalableapp::workload {

struct RedisReply {
  bool is_nil = false;
  std::string text;  // A string or a status.
  long long integer = 0;
  std::vector<RedisReply> items;
};

struct RedisOptions {
  HostPort server;
  milliseconds connect_timeout{500};
  milliseconds command_timeout{500};  // Longer than the longest blocking command, if there is one.
};

class RedisConnection {
 public:
  explicit RedisConnection(RedisOptions options);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  using Command = std::vector<std::string>;

  // kUnavailable or kTimeout when there is no connection, kInvalid when Redis answers with an
  // error. A command that fails on a connection that had worked before is tried once more on a new
  // one, since Redis may just have restarted: commands must be safe to carry out twice.
  Result<RedisReply> run_twice_at_most(const Command& command);
  // Sends all in one go and returns the last one's reply; never repeats.
  Result<RedisReply> run_once(const std::vector<Command>& commands);

  // For a connection that subscribed (run_once of SUBSCRIBE) and does nothing else from then on: sends without waiting
  // for a reply (PING; kUnavailable when not connected), and takes what Redis sends, none when `wait` passes without.
  Result<void> send(const Command& command);
  Result<std::optional<RedisReply>> receive(milliseconds wait);

 private:
  Result<void> connect();
  Result<RedisReply> attempt(const std::vector<Command>& commands);
  bool append(const Command& command);
  tl::unexpected<Error> broken();

  struct Free {
    void operator()(redisContext* context) const;
  };
  const RedisOptions options_;
  std::unique_ptr<redisContext, Free> context_;
  Random random_;
  Instant next_connect_{};  // Not before; the backoff's end.
  milliseconds backoff_{};
};

}  // namespace scalableapp::workload
