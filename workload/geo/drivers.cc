#include "workload/geo/drivers.h"

#include <fmt/format.h>

#include <algorithm>

#include "workload/common/flags.h"

namespace scalableapp::workload {
namespace {

constexpr long long kDriverMillis = 30'000;  // Not heard of for so long: gone.
constexpr long long kDemandMillis = 60'000;
constexpr int kRideSeconds = 20;             // How long a driver is busy with one.
constexpr int kCandidatesPerCell = 16;

long long to_millis(WallTime time) { return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count(); }
std::string text(long long number) { return fmt::format("{}", number); }

// KEYS: driver, busy, cell. ARGV: driver, cell, latitude, longitude, now, how long a driver stays.
constexpr const char* kReport = R"(
local before = redis.call('HGET', KEYS[1], 'cell')
if before and before ~= ARGV[2] then redis.call('ZREM', 'geo:cell:' .. before, ARGV[1]) end
redis.call('HSET', KEYS[1], 'cell', ARGV[2], 'lat', ARGV[3], 'lng', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
end
return 1)";

// KEYS: demand. ARGV: ride, now, how long it counts.
constexpr const char* kAsk = R"(
redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2] - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1)";

// KEYS: demand of each cell, then drivers of each cell. ARGV: since when requests count, since when drivers do.
constexpr const char* kCount = R"(
local requests, drivers, half = 0, 0, #KEYS / 2
for i = 1, half do
  requests = requests + redis.call('ZCOUNT', KEYS[i], ARGV[1], '+inf')
  drivers = drivers + redis.call('ZCOUNT', KEYS[half + i], ARGV[2], '+inf')
end
return {requests, drivers})";

// KEYS: drivers of each cell. ARGV: since when they count, how many of a cell. Driver, latitude, longitude, each in turn.
constexpr const char* kCandidates = R"(
local found = {}
for i = 1, #KEYS do
  for _, driver in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
    local place = redis.call('HMGET', 'geo:driver:' .. driver, 'lat', 'lng')
    if place[1] then
      table.insert(found, driver)
      table.insert(found, place[1])
      table.insert(found, place[2])
    end
  end
end
return found)";

// KEYS: ride. ARGV: ride, how long it lasts, then drivers from the nearest on. The one it has, or false.
constexpr const char* kTake = R"(
local has = redis.call('GET', KEYS[1])
if has then return has end
for i = 3, #ARGV do
  local cell = redis.call('HGET', 'geo:driver:' .. ARGV[i], 'cell')
  if cell and redis.call('ZREM', 'geo:cell:' .. cell, ARGV[i]) == 1 then
    redis.call('SET', 'geo:busy:' .. ARGV[i], ARGV[1], 'EX', ARGV[2])
    redis.call('SET', KEYS[1], ARGV[i], 'EX', 3600)
    return ARGV[i]
  end
end
return false)";

RedisConnection::Command script(const char* source, const std::vector<std::string>& keys,
                                const std::vector<std::string>& arguments) {
  RedisConnection::Command command{"EVAL", source, text(static_cast<long long>(keys.size()))};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::vector<std::string> keys_of(const char* prefix, const std::vector<std::string>& cells) {
  std::vector<std::string> keys;
  for (const auto& cell : cells) keys.push_back(prefix + cell);
  return keys;
}

}  // namespace

Result<std::string> Drivers::report(const std::string& driver, const Place& place, WallTime now) {
  const std::string cell = cell_of(place);
  return redis_
      .run_twice_at_most(script(kReport, {"geo:driver:" + driver, "geo:busy:" + driver, "geo:cell:" + cell},
                                {driver, cell, fmt::format("{}", place.latitude), fmt::format("{}", place.longitude),
                                 text(to_millis(now)), text(kDriverMillis)}))
      .map([&](const RedisReply&) { return cell; });
}

Result<void> Drivers::ask(const std::string& ride, const std::string& cell, WallTime now) {
  return redis_
      .run_twice_at_most(script(kAsk, {"geo:demand:" + cell}, {ride, text(to_millis(now)), text(kDemandMillis)}))
      .map([](const RedisReply&) {});
}

Result<CellCounts> Drivers::count(const std::string& cell, WallTime now) {
  const auto cells = cell_and_neighbours(cell);
  auto keys = keys_of("geo:demand:", cells);
  const auto drivers = keys_of("geo:cell:", cells);
  keys.insert(keys.end(), drivers.begin(), drivers.end());
  const auto reply = redis_.run_twice_at_most(
      script(kCount, keys, {text(to_millis(now) - kDemandMillis), text(to_millis(now) - kDriverMillis)}));
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 2) return fail(ErrorCode::kDecode, "redis: two counts were expected");
  return CellCounts{reply->items[0].integer, reply->items[1].integer};
}

Result<std::optional<std::string>> Drivers::assign(const std::string& ride, const Place& place, WallTime now) {
  const auto found = redis_.run_twice_at_most(script(kCandidates, keys_of("geo:cell:", cell_and_neighbours(cell_of(place))),
                                                     {text(to_millis(now) - kDriverMillis), text(kCandidatesPerCell)}));
  if (!found) return tl::unexpected(found.error());
  std::vector<std::pair<double, std::string>> candidates;
  for (std::size_t at = 0; at + 2 < found->items.size(); at += 3) {
    Place where;
    if (!parse_number(found->items[at + 1].text, where.latitude) ||
        !parse_number(found->items[at + 2].text, where.longitude)) {
      continue;
    }
    candidates.emplace_back(distance_meters(place, where), found->items[at].text);
  }
  std::sort(candidates.begin(), candidates.end());
  std::vector<std::string> arguments{ride, text(kRideSeconds)};
  for (const auto& [distance, driver] : candidates) arguments.push_back(driver);
  const auto taken = redis_.run_twice_at_most(script(kTake, {"geo:ride:" + ride}, arguments));
  if (!taken) return tl::unexpected(taken.error());
  return taken->is_nil ? std::nullopt : std::optional(taken->text);
}

}  // namespace scalableapp::workload
