#include "workload/common/job_queue.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace scalableapp::workload {
namespace {

// Above any pause of a healthy worker, below what an autoscaler's user would call lost.
constexpr int kAliveSeconds = 10;
constexpr int kRememberIdSeconds = 300;

constexpr const char* kPut = R"(
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then
  redis.call('LPUSH', KEYS[1], ARGV[1])
  return 1
end
return 0)";

constexpr const char* kDone = R"(
local removed = redis.call('LREM', KEYS[1], 1, ARGV[1])
if removed == 1 then redis.call('INCR', KEYS[2]) end
return removed)";

constexpr const char* kGiveBack = R"(
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
return 1)";

constexpr const char* kLeave = R"(
redis.call('DEL', KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end
return 1)";

constexpr const char* kReclaim = R"(
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local moved = 0
while redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT') do moved = moved + 1 end
redis.call('SREM', KEYS[1], ARGV[1])
return moved)";

}  // namespace

std::string Job::encoded() const {
  return fmt::format("{} {}", enqueued.time_since_epoch().count(), id);
}

Result<Job> Job::decode(const std::string& payload) {
  long long millis = 0;
  const auto [end, error] =
      std::from_chars(payload.data(), payload.data() + payload.size(), millis);
  if (error != std::errc{} || end == payload.data() + payload.size() || *end != ' ') {
    return fail(ErrorCode::kDecode, fmt::format("not a job: {:.40}", payload));
  }
  return Job{std::string(end + 1), WallTime(milliseconds(millis))};
}

std::string JobQueue::key(std::string_view part, std::string_view slot) const {
  return slot.empty() ? fmt::format("{}:{}", queue_, part)
                      : fmt::format("{}:{}:{}", queue_, part, slot);
}

Result<RedisReply> JobQueue::script(const char* source, const std::vector<std::string>& keys,
                                    const std::vector<std::string>& arguments) {
  RedisConnection::Command command = {"EVAL", source, fmt::format("{}", keys.size())};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return connection_.run_twice_at_most(command);
}

Result<bool> JobQueue::put(const Job& job) {
  return script(kPut, {queue_, key("accepted", job.id)},
                {job.encoded(), fmt::format("{}", kRememberIdSeconds)})
      .map([](const RedisReply& reply) { return reply.integer == 1; });
}

Result<long long> JobQueue::length() {
  return connection_.run_twice_at_most({"LLEN", queue_}).map([](const RedisReply& reply) {
    return reply.integer;
  });
}

Result<long long> JobQueue::processed_total() {
  return connection_.run_twice_at_most({"GET", key("processed")}).map([](const RedisReply& reply) {
    long long count = 0;
    std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), count);
    return count;
  });
}

Result<std::optional<std::string>> JobQueue::claim(const std::string& slot) {
  return connection_
      .run_once({{"SADD", key("slots"), slot},
                 {"SET", key("alive", slot), "1", "EX", fmt::format("{}", kAliveSeconds)},
                 {"BLMOVE", queue_, key("processing", slot), "RIGHT", "LEFT", "1"}})
      .map([](const RedisReply& reply) {
        return reply.is_nil ? std::nullopt : std::optional(reply.text);
      });
}

Result<std::optional<std::string>> JobQueue::held_by(const std::string& slot) {
  return connection_.run_twice_at_most({"LINDEX", key("processing", slot), "0"})
      .map([](const RedisReply& reply) {
        return reply.is_nil ? std::nullopt : std::optional(reply.text);
      });
}

Result<bool> JobQueue::done(const std::string& slot, const std::string& payload) {
  return script(kDone, {key("processing", slot), key("processed")}, {payload})
      .map([](const RedisReply& reply) { return reply.integer == 1; });
}

Result<void> JobQueue::give_back(const std::string& slot, const std::string& payload) {
  return script(kGiveBack, {key("processing", slot), queue_}, {payload}).map([](const RedisReply&) {
  });
}

Result<void> JobQueue::keep_alive(const std::string& slot) {
  return connection_
      .run_twice_at_most({"SET", key("alive", slot), "1", "EX", fmt::format("{}", kAliveSeconds)})
      .map([](const RedisReply&) {});
}

Result<void> JobQueue::leave(const std::string& slot) {
  return script(kLeave, {key("slots"), key("alive", slot), key("processing", slot)}, {slot})
      .map([](const RedisReply&) {});
}

Result<long long> JobQueue::reclaim() {
  const auto slots = connection_.run_twice_at_most({"SMEMBERS", key("slots")});
  if (!slots) return tl::unexpected(slots.error());
  long long moved = 0;
  for (const auto& slot : slots->items) {
    const auto reply = script(
        kReclaim, {key("slots"), key("alive", slot.text), key("processing", slot.text), queue_},
        {slot.text});
    if (!reply) return tl::unexpected(reply.error());
    moved += reply->integer;
  }
  return moved;
}

}  // namespace scalableapp::workload
