#include "workload/jobs/redis_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "workload/jobs/redis_scripts.h"

namespace scalableapp::workload {
namespace {

std::string text(long long number) { return fmt::format("{}", number); }
std::string millis(WallTime time) { return text(time.time_since_epoch().count()); }

bool read_number(const std::string& from, long long& number) {
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), number);
  return error == std::errc{} && end == from.data() + from.size() && number >= 0;
}

// Anybody can write into a stream; what is no job of ours is a dead letter, not a reason to stop.
ClaimedJob read_job(const std::string& entry, const RedisReply& fields, long long deliveries) {
  ClaimedJob claimed;
  std::string enqueued;
  std::string attempts;
  for (std::size_t index = 0; index + 1 < fields.items.size(); index += 2) {
    const auto& name = fields.items[index].text;
    const auto& value = fields.items[index + 1].text;
    if (name == "id") claimed.job.id = value;
    if (name == "payload") claimed.job.payload = value;
    if (name == "enqueued") enqueued = value;
    if (name == "attempts") attempts = value;
  }
  long long enqueued_ms = 0;
  long long failures = 0;
  if (claimed.job.id.empty() || claimed.job.id.size() > kMaxJobIdBytes) {
    claimed.why_malformed = fmt::format("id must have 1 to {} bytes", kMaxJobIdBytes);
    claimed.job.id = entry;
  } else if (claimed.job.payload.size() > kMaxJobPayloadBytes) {
    claimed.why_malformed = fmt::format("payload must have at most {} bytes", kMaxJobPayloadBytes);
  } else if (!read_number(enqueued, enqueued_ms)) {
    claimed.why_malformed = "enqueued must be the time in milliseconds since 1970";
  } else if (!read_number(attempts, failures) || failures > 1'000'000) {
    claimed.why_malformed = "attempts must be a whole number";
  }
  if (!claimed.why_malformed.empty()) claimed.job.payload.resize(std::min(claimed.job.payload.size(), kMaxJobPayloadBytes));
  claimed.job.enqueued = WallTime(milliseconds(enqueued_ms));
  claimed.attempts = static_cast<int>(failures + deliveries - 1);
  return claimed;
}

// "ENTRY CONSUMER".
std::pair<std::string, std::string> split_handle(const std::string& handle) {
  const auto space = std::min(handle.find(' '), handle.size());
  return {handle.substr(0, space), handle.substr(std::min(space + 1, handle.size()))};
}

tl::unexpected<Error> full(const std::string& queue, long long most) {
  Error error{ErrorCode::kTooManyRequests, fmt::format("queue {} holds {} jobs already", queue, most), seconds(5)};
  return tl::unexpected(std::move(error));
}

}  // namespace

RedisStreams::RedisStreams(RedisConnection& connection, std::string queue, RedisStreamsOptions options)
    : connection_(connection), queue_(std::move(queue)), options_(options) {}

std::string RedisStreams::key(std::string_view part) const { return fmt::format("{}:{}", queue_, part); }

Result<RedisReply> RedisStreams::script(const char* source, const std::vector<std::string>& keys,
                                        const std::vector<std::string>& arguments) {
  RedisConnection::Command command = {"EVAL", fmt::format("{}{}", redis_scripts::kCommon, source), text(std::ssize(keys))};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return connection_.run_twice_at_most(command);
}

Result<bool> RedisStreams::put(const Job& job) {
  if (job.id.empty() || job.id.size() > kMaxJobIdBytes) {
    return fail(ErrorCode::kInvalid, fmt::format("id of a job must have 1 to {} bytes", kMaxJobIdBytes));
  }
  if (job.payload.size() > kMaxJobPayloadBytes) {
    return fail(ErrorCode::kInvalid, fmt::format("payload of a job must have at most {} bytes", kMaxJobPayloadBytes));
  }
  const auto reply = script(redis_scripts::kPut, {queue_, key("delayed"), key("ids")},
                            {job.id, job.payload, millis(job.enqueued), text(options_.max_length), text(options_.ids_kept)});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->integer < 0) return full(queue_, options_.max_length);
  return reply->integer == 1;
}

Result<std::optional<ClaimedJob>> RedisStreams::claim(const std::string& consumer, milliseconds wait) {
  // A claim is never repeated: the first try may have taken a job, which the repetition would not know of.
  const auto attempt = [&](const RedisConnection::Command& command) {
    auto reply = connection_.run_once({command});
    may_hold_one_ = !reply;
    return reply;
  };
  const auto found =
      attempt({"EVAL", fmt::format("{}{}", redis_scripts::kCommon, redis_scripts::kClaim), "2", queue_, key("delayed"),
               consumer, text(options_.dead_after.count()), may_hold_one_ ? "1" : "0"});
  if (!found) return tl::unexpected(found.error());
  ClaimedJob claimed;
  if (found->items.size() == 4) {
    claimed = read_job(found->items[0].text, found->items[1], found->items[2].integer);
    claimed.is_reclaimed = found->items[3].integer == 1;
    claimed.handle = fmt::format("{} {}", found->items[0].text, consumer);
    return claimed;
  }
  if (wait <= milliseconds(0)) return std::nullopt;
  const auto read = attempt({"XREADGROUP", "GROUP", "workers", consumer, "COUNT", "1", "BLOCK",
                             text(std::min(wait, kMaxWait).count()), "STREAMS", queue_, ">"});
  if (!read) return tl::unexpected(read.error());
  if (read->items.empty()) return std::nullopt;
  const auto& entry = read->items[0].items.at(1).items.at(0);
  claimed = read_job(entry.items.at(0).text, entry.items.at(1), 1);
  claimed.handle = fmt::format("{} {}", entry.items.at(0).text, consumer);
  return claimed;
}

Result<bool> RedisStreams::ended(const char* source, std::vector<std::string> keys, const ClaimedJob& job,
                                 std::vector<std::string> arguments) {
  auto [entry, consumer] = split_handle(job.handle);
  keys.insert(keys.begin(), queue_);
  arguments.insert(arguments.begin(), {std::move(entry), std::move(consumer)});
  const auto reply = script(source, keys, arguments);
  if (!reply) {
    may_hold_one_ = true;
    return tl::unexpected(reply.error());
  }
  if (reply->integer < 0) return full(keys.back().substr(0, keys.back().rfind(':')), options_.max_length);
  return reply->integer == 1;
}

Result<bool> RedisStreams::done(const ClaimedJob& job, const std::optional<NextStage>& next) {
  std::vector<std::string> keys = {key("done-ids"), key("finished")};
  std::vector<std::string> arguments = {job.job.id, text(options_.ids_kept)};
  if (next) {
    if (next->payload.size() > kMaxJobPayloadBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("payload for {} must have at most {} bytes", next->queue, kMaxJobPayloadBytes));
    }
    keys.insert(keys.end(), {next->queue, next->queue + ":delayed", next->queue + ":ids"});
    arguments.insert(arguments.end(), {next->payload, millis(job.job.enqueued), text(options_.max_length)});
  }
  return ended(redis_scripts::kDone, std::move(keys), job, std::move(arguments));
}

Result<bool> RedisStreams::retry_later(const ClaimedJob& job, milliseconds delay) {
  const auto packed = fmt::format("{} {} {} {}{}", job.attempts + 1, millis(job.job.enqueued), job.job.id.size(), job.job.id,
                                  job.job.payload);
  return ended(redis_scripts::kRetryLater, {key("delayed")}, job, {text(delay.count()), packed});
}

Result<bool> RedisStreams::bury(const ClaimedJob& job, const std::string& why) {
  return ended(redis_scripts::kBury, {key("dead"), key("dead-ids"), key("finished")}, job,
               {job.job.id, text(options_.ids_kept), job.job.payload, millis(job.job.enqueued), text(job.attempts),
                why.substr(0, 1000), text(kMaxDeadLetters)});
}

Result<bool> RedisStreams::give_back(const ClaimedJob& job) { return ended(redis_scripts::kGiveBack, {}, job, {}); }

Result<void> RedisStreams::renew(const std::string& consumer) {
  return script(redis_scripts::kRenew, {queue_}, {consumer}).map([](const RedisReply&) {});
}

Result<void> RedisStreams::leave(const std::string& consumer) {
  return script(redis_scripts::kLeave, {queue_}, {consumer}).map([](const RedisReply&) {});
}

Result<void> RedisStreams::keep_up() {
  return script(redis_scripts::kKeepUp, {queue_, key("delayed")}, {text(options_.dead_after.count() * 10)})
      .map([](const RedisReply&) {});
}

Result<Backlog> RedisStreams::backlog() {
  const auto reply = script(redis_scripts::kBacklog, {queue_, key("delayed"), key("finished")},
                            {text(options_.dead_after.count())});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 5) return fail(ErrorCode::kDecode, "redis: the script for the backlog gave no five numbers");
  return Backlog{.waiting = reply->items[0].integer,
                 .in_work = reply->items[1].integer,
                 .delayed = reply->items[2].integer,
                 .finished = reply->items[3].integer,
                 .oldest_age_seconds = static_cast<double>(reply->items[4].integer) / 1000};
}

}  // namespace scalableapp::workload
