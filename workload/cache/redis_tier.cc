#include "workload/cache/redis_tier.h"

#include <fmt/format.h>

#include <charconv>

#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

// Longer than any load and any replica's lag that one would put up with.
constexpr seconds kLeaseLife{10};
constexpr seconds kVersionLife{30};

constexpr const char* kRead = R"(
local entry = redis.call('GET', KEYS[1])
if not entry then return {} end
return {entry, redis.call('PTTL', KEYS[1])})";

constexpr const char* kLease = R"(
local token = redis.call('GET', KEYS[1]) or ARGV[1]
redis.call('SET', KEYS[1], token, 'EX', ARGV[2])
return {token, redis.call('GET', KEYS[2]) or ''})";

constexpr const char* kStore = R"(
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1)";

constexpr const char* kDrop = R"(
redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4]) end
return redis.call('PUBLISH', ARGV[1], ARGV[2]))";

std::string entry_key(const std::string& key) { return "cache:" + key; }
std::string lease_key(const std::string& key) { return "cache-lease:" + key; }
std::string version_key(const std::string& key) { return "cache-version:" + key; }

// "V 12 60000\nTEXT": value or not found (N), load time and time kept stale in ms, the text.
std::string encode(const RedisEntry& entry) {
  return fmt::format("{} {} {}\n{}", entry.value.was_not_found ? 'N' : 'V', entry.load_time.count(),
                     entry.stale_for.count(), entry.value.text);
}

bool read_number(std::string_view& text, char before, long long& number) {
  if (text.empty() || text.front() != before) return false;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// None for bytes that some other program wrote there: loaded anew, they are overwritten.
std::optional<RedisEntry> decode(std::string_view text) {
  if (!text.starts_with('V') && !text.starts_with('N')) return std::nullopt;
  RedisEntry entry;
  entry.value.was_not_found = text.starts_with('N');
  text.remove_prefix(1);
  long long load_time_ms = 0;
  long long stale_for_ms = 0;
  if (!read_number(text, ' ', load_time_ms) || !read_number(text, ' ', stale_for_ms) || !text.starts_with('\n')) {
    return std::nullopt;
  }
  entry.load_time = milliseconds(load_time_ms);
  entry.stale_for = milliseconds(stale_for_ms);
  entry.value.text = text.substr(1);
  return entry;
}

}  // namespace

Result<std::optional<RedisEntry>> read_entry(RedisConnection& redis, const std::string& key) {
  const auto reply = redis.run_twice_at_most({"EVAL", kRead, "1", entry_key(key)});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 2) return std::nullopt;
  auto entry = decode(reply->items[0].text);
  if (entry) entry->fresh_left = milliseconds(reply->items[1].integer) - entry->stale_for;
  return entry;
}

Result<Lease> take_lease(RedisConnection& redis, const std::string& key) {
  const auto reply = redis.run_twice_at_most({"EVAL", kLease, "2", lease_key(key), version_key(key), random_id(),
                                              fmt::format("{}", kLeaseLife.count())});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 2) return fail(ErrorCode::kDecode, "redis: EVAL: expected a token and a version");
  return Lease{reply->items[0].text, reply->items[1].text};
}

Result<bool> store_entry(RedisConnection& redis, const std::string& key, const std::string& lease_token,
                         const RedisEntry& entry) {
  const auto life = std::max(milliseconds(1), entry.fresh_left + entry.stale_for);
  return redis
      .run_twice_at_most({"EVAL", kStore, "2", entry_key(key), lease_key(key), lease_token, encode(entry),
                          fmt::format("{}", life.count())})
      .map([](const RedisReply& reply) { return reply.integer == 1; });
}

Result<void> drop_entry(RedisConnection& redis, const std::string& key, const std::string& version) {
  return redis
      .run_twice_at_most({"EVAL", kDrop, "3", entry_key(key), lease_key(key), version_key(key), kInvalidationChannel,
                          key, version, fmt::format("{}", kVersionLife.count())})
      .map([](const RedisReply&) {});
}

}  // namespace scalableapp::workload
