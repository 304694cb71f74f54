#include "workload/region/store.h"

#include <fmt/format.h>

#include <algorithm>

namespace scalableapp::workload {
namespace {

constexpr const char* kClock = "region:clock";
constexpr const char* kEvents = "region:events";
constexpr const char* kConflicts = "region:conflicts";
constexpr const char* kEvacuated = "region:evacuated";
// A day of a hundred writes a second would not fit; a peer that missed some gets a snapshot.
constexpr const char* kMostEvents = "200000";

std::string register_key(const std::string& key) { return "region:register:" + key; }
std::string counter_key(const std::string& key) { return "region:counter:" + key; }
std::string position_key(const std::string& peer) { return "region:position:" + peer; }

// Stamps are texts that compare as their times do: 13 digits of milliseconds, 6 of ticks, the region.
// KEYS: register, clock, events. ARGV: key, value, region, most events.
constexpr const char* kPut = R"(
local time = redis.call('TIME')
local millis = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local tick, latest = 0, redis.call('GET', KEYS[2])
if latest then
  local latest_millis, latest_tick = tonumber(string.sub(latest, 1, 13)), tonumber(string.sub(latest, 15, 20))
  if latest_millis >= millis then millis, tick = latest_millis, latest_tick + 1 end
end
local stamp = string.format('%013d-%06d-%s', millis, tick, ARGV[3])
local base = redis.call('HGET', KEYS[1], 'stamp') or ''
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'stamp', stamp)
redis.call('SET', KEYS[2], stamp)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'kind', 'register', 'key', ARGV[1], 'value', ARGV[2],
  'stamp', stamp, 'base', base)
return stamp)";

// KEYS: counter, events. ARGV: key, amount, region, most events.
constexpr const char* kAdd = R"(
local own = redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'kind', 'counter', 'key', ARGV[1], 'value', own,
  'stamp', '', 'base', '')
local sum = 0
for _, count in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + tonumber(count) end
return sum)";

// KEYS: register, clock, position, conflicts. ARGV: value, stamp, base, event's id, peer. 1: it met a write that the
// peer had not seen. The stamp that is kept is the later one in both regions, so both end with the same value.
constexpr const char* kApplyRegister = R"(
local has, conflict = redis.call('HGET', KEYS[1], 'stamp') or '', 0
if has ~= ARGV[2] and has ~= ARGV[3] and has ~= '' then conflict = 1 end
if has < ARGV[2] then redis.call('HSET', KEYS[1], 'value', ARGV[1], 'stamp', ARGV[2]) end
if (redis.call('GET', KEYS[2]) or '') < ARGV[2] then redis.call('SET', KEYS[2], ARGV[2]) end
if ARGV[4] ~= '' then
  if conflict == 1 then redis.call('HINCRBY', KEYS[4], ARGV[5], 1) end
  redis.call('SET', KEYS[3], ARGV[4])
end
return conflict)";

// KEYS: counter, position. ARGV: count, peer, event's id.
constexpr const char* kApplyCounter = R"(
if tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0') < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[1])
end
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3]) end
return 0)";

RedisReply field_of(const RedisReply& fields, std::string_view name) {
  for (std::size_t at = 0; at + 1 < fields.items.size(); at += 2) {
    if (fields.items[at].text == name) return fields.items[at + 1];
  }
  return {};
}

std::vector<RegionEvent> events_of(const RedisReply& entries) {
  std::vector<RegionEvent> events;
  for (const auto& entry : entries.items) {
    if (entry.items.size() != 2) continue;
    const auto& fields = entry.items[1];
    events.push_back({.id = entry.items[0].text,
                      .kind = field_of(fields, "kind").text,
                      .key = field_of(fields, "key").text,
                      .value = field_of(fields, "value").text,
                      .stamp = field_of(fields, "stamp").text,
                      .base = field_of(fields, "base").text});
  }
  return events;
}

// Of ids such as "1700000000000-3".
bool is_before(const std::string& id, const std::string& other) {
  const auto numbers_of = [](const std::string& text) {
    const auto dash = text.find('-');
    const auto number = [](const std::string& digits) { return std::strtoull(digits.c_str(), nullptr, 10); };
    return std::pair(number(text.substr(0, dash)), dash == text.npos ? 0 : number(text.substr(dash + 1)));
  };
  return numbers_of(id) < numbers_of(other);
}

}  // namespace

Result<void> check_region(const std::string& name, const std::string& flag) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), fits)) return {};
  return fail(ErrorCode::kInvalid,
              fmt::format("--{}={}: must be 1 to 32 lower-case letters and digits, such as a", flag, name));
}

Result<RedisReply> RegionStore::script(const char* source, const std::vector<std::string>& keys,
                                       const std::vector<std::string>& arguments) {
  RedisConnection::Command command{"EVAL", source, fmt::format("{}", keys.size())};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return redis_.run_once({command});
}

Result<std::string> RegionStore::put(const std::string& key, const std::string& value) {
  return script(kPut, {register_key(key), kClock, kEvents}, {key, value, region_, kMostEvents})
      .map([](const RedisReply& reply) { return reply.text; });
}

Result<std::optional<std::string>> RegionStore::get(const std::string& key) {
  return redis_.run_twice_at_most({"HGET", register_key(key), "value"}).map([](const RedisReply& reply) {
    return reply.is_nil ? std::nullopt : std::optional(reply.text);
  });
}

Result<long long> RegionStore::add(const std::string& key, long long amount) {
  return script(kAdd, {counter_key(key), kEvents}, {key, fmt::format("{}", amount), region_, kMostEvents})
      .map([](const RedisReply& reply) { return reply.integer; });
}

Result<long long> RegionStore::count(const std::string& key) {
  return redis_.run_twice_at_most({"HVALS", counter_key(key)}).map([](const RedisReply& reply) {
    long long sum = 0;
    for (const auto& count : reply.items) sum += std::strtoll(count.text.c_str(), nullptr, 10);
    return sum;
  });
}

Result<std::vector<RegionEvent>> RegionStore::events_after(const std::string& position, milliseconds wait) {
  const auto reply = redis_.run_twice_at_most({"XREAD", "COUNT", "500", "BLOCK", fmt::format("{}", wait.count()),
                                               "STREAMS", kEvents, position});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.empty()) return std::vector<RegionEvent>{};
  return events_of(reply->items.front().items.at(1));
}

Result<std::string> RegionStore::position_of(const std::string& peer) {
  return redis_.run_twice_at_most({"GET", position_key(peer)}).map([](const RedisReply& reply) {
    return reply.is_nil ? std::string("0-0") : reply.text;
  });
}

Result<bool> RegionStore::apply(const std::string& peer, const RegionEvent& event) {
  if (event.kind == "counter") {
    return script(kApplyCounter, {counter_key(event.key), position_key(peer)}, {event.value, peer, event.id})
        .map([](const RedisReply&) { return false; });
  }
  if (event.kind != "register") return fail(ErrorCode::kDecode, fmt::format("event {} is of no kind", event.id));
  return script(kApplyRegister, {register_key(event.key), kClock, position_key(peer), kConflicts},
                {event.value, event.stamp, event.base, event.id, peer})
      .map([](const RedisReply& reply) { return reply.integer == 1; });
}

Result<std::optional<std::string>> RegionStore::dropped_after(const std::string& position) {
  const auto info = redis_.run_twice_at_most({"XINFO", "STREAM", kEvents});
  // No stream yet: nothing was dropped.
  if (!info && info.error().code == ErrorCode::kInvalid) return std::nullopt;
  if (!info) return tl::unexpected(info.error());
  const long long length = field_of(*info, "length").integer;
  const std::string latest = field_of(*info, "last-generated-id").text;
  const bool is_before_all = length == 0 || is_before(position, field_of(*info, "recorded-first-entry-id").text);
  const bool was_trimmed = field_of(*info, "entries-added").integer > length;
  return was_trimmed && is_before_all && is_before(position, latest) ? std::optional(latest) : std::nullopt;
}

Result<void> RegionStore::set_position_of(const std::string& peer, const std::string& position) {
  return redis_.run_twice_at_most({"SET", position_key(peer), position}).map([](const RedisReply&) {});
}

Result<std::vector<RegionEvent>> RegionStore::snapshot(std::string& cursor) {
  const auto page = redis_.run_twice_at_most({"SCAN", cursor, "MATCH", "region:[rc]*:*", "COUNT", "500"});
  if (!page) return tl::unexpected(page.error());
  cursor = page->items.at(0).text;
  std::vector<RegionEvent> events;
  for (const auto& item : page->items.at(1).items) {
    const std::string& name = item.text;
    if (name.starts_with(register_key(""))) {
      const auto kept = redis_.run_twice_at_most({"HMGET", name, "value", "stamp"});
      if (!kept) return tl::unexpected(kept.error());
      events.push_back({.kind = "register",
                        .key = name.substr(register_key("").size()),
                        .value = kept->items.at(0).text,
                        .stamp = kept->items.at(1).text});
    } else if (name.starts_with(counter_key(""))) {
      const auto own = redis_.run_twice_at_most({"HGET", name, region_});
      if (!own) return tl::unexpected(own.error());
      if (!own->is_nil) {
        events.push_back({.kind = "counter", .key = name.substr(counter_key("").size()), .value = own->text});
      }
    }
  }
  return events;
}

Result<void> RegionStore::set_evacuated(bool is_evacuated) {
  return redis_
      .run_twice_at_most(is_evacuated ? RedisConnection::Command{"SET", kEvacuated, "1"}
                                      : RedisConnection::Command{"DEL", kEvacuated})
      .map([](const RedisReply&) {});
}

Result<bool> RegionStore::is_evacuated() {
  return redis_.run_twice_at_most({"EXISTS", kEvacuated}).map([](const RedisReply& reply) {
    return reply.integer == 1;
  });
}

}  // namespace scalableapp::workload
