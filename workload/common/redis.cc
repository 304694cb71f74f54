#include "workload/common/redis.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace scalableapp::workload {
namespace {

// A restarted Redis is found again within 2 s; with jitter, a hundred pods do not call at once.
constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kMaxBackoff{2000};

timeval to_timeval(milliseconds duration) {
  return {duration.count() / 1000, static_cast<suseconds_t>(duration.count() % 1000 * 1000)};
}

RedisReply to_value(const redisReply& reply) {
  RedisReply value;
  value.is_nil = reply.type == REDIS_REPLY_NIL;
  value.integer = reply.integer;
  if (reply.str != nullptr) value.text.assign(reply.str, static_cast<std::size_t>(reply.len));
  for (std::size_t index = 0; index < reply.elements; ++index) {
    value.items.push_back(to_value(*reply.element[index]));
  }
  return value;
}

}  // namespace

void RedisConnection::Free::operator()(redisContext* context) const { redisFree(context); }

RedisConnection::RedisConnection(RedisOptions options) : options_(std::move(options)) {}
RedisConnection::~RedisConnection() = default;

Result<RedisReply> RedisConnection::run_twice_at_most(const Command& command) {
  const bool was_connected = context_ != nullptr;
  auto reply = attempt({command});
  if (!reply && was_connected && reply.error().code == ErrorCode::kUnavailable) {
    return attempt({command});
  }
  return reply;
}

Result<RedisReply> RedisConnection::run_once(const std::vector<Command>& commands) {
  return attempt(commands);
}

Result<void> RedisConnection::connect() {
  if (instant_now() < next_connect_) {
    return fail(ErrorCode::kUnavailable, fmt::format("redis {}:{}: waiting to connect again",
                                                     options_.server.host, options_.server.port));
  }
  context_.reset(redisConnectWithTimeout(options_.server.host.c_str(), options_.server.port,
                                         to_timeval(options_.connect_timeout)));
  if (context_ != nullptr && context_->err == 0) {
    redisSetTimeout(context_.get(), to_timeval(options_.command_timeout));
    redisEnableKeepAlive(context_.get());
    return {};
  }
  auto error = fail(ErrorCode::kUnavailable,
                    fmt::format("redis {}:{}: {}", options_.server.host, options_.server.port,
                                context_ ? context_->errstr : "out of memory"));
  context_.reset();
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
  next_connect_ = instant_now() + to_duration(to_seconds(backoff_) * (0.5 + random_.uniform() / 2));
  return error;
}

Result<RedisReply> RedisConnection::attempt(const std::vector<Command>& commands) {
  if (context_ == nullptr) {
    if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  }
  for (const auto& command : commands) {
    if (!append(command)) return broken();
  }
  Result<RedisReply> last = RedisReply{};
  for (std::size_t index = 0; index < commands.size(); ++index) {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) return broken();
    const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(raw),
                                                             freeReplyObject);
    if (reply->type == REDIS_REPLY_ERROR) {
      last = fail(ErrorCode::kInvalid,
                  fmt::format("redis: {}: {}", commands[index].front(), reply->str));
    } else if (last) {
      last = to_value(*reply);
    }
  }
  backoff_ = {};
  return last;
}

bool RedisConnection::append(const Command& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  for (const auto& word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  return redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(),
                                lengths.data()) == REDIS_OK;
}

Result<void> RedisConnection::send(const Command& command) {
  if (context_ == nullptr) return fail(ErrorCode::kUnavailable, "redis: not connected");
  if (!append(command)) return broken();
  for (int is_sent = 0; is_sent == 0;) {
    if (redisBufferWrite(context_.get(), &is_sent) != REDIS_OK) return broken();
  }
  return {};
}

// Waits on the socket, not in hiredis, whose connections are of no use after a time-out.
Result<std::optional<RedisReply>> RedisConnection::receive(milliseconds wait) {
  if (context_ == nullptr) return fail(ErrorCode::kUnavailable, "redis: not connected");
  const Instant give_up = instant_now() + wait;
  while (true) {
    void* raw = nullptr;
    if (redisGetReplyFromReader(context_.get(), &raw) != REDIS_OK) return broken();
    if (raw != nullptr) {
      const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(raw), freeReplyObject);
      return to_value(*reply);
    }
    pollfd socket{context_->fd, POLLIN, 0};
    const auto left = std::chrono::ceil<milliseconds>(give_up - instant_now());
    if (left <= milliseconds(0)) return std::nullopt;
    if (poll(&socket, 1, static_cast<int>(left.count())) <= 0) continue;
    if (redisBufferRead(context_.get()) != REDIS_OK) return broken();
  }
}

// The connection is of no more use after an IO error: a late reply would answer the next command.
tl::unexpected<Error> RedisConnection::broken() {
  const bool timed_out = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  auto error = fail(timed_out ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
                    fmt::format("redis {}:{}: {}", options_.server.host, options_.server.port,
                                timed_out ? "no answer in time" : context_->errstr));
  context_.reset();
  return error;
}

}  // namespace scalableapp::workload
