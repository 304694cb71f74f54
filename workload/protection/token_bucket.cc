#include "workload/protection/token_bucket.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace scalableapp::workload {
namespace {

// The bucket is one number, the microsecond at which it will be full again: it lacks one token for each interval until
// then. It never lies further ahead than an empty bucket, so that another limit or a clock set back heals itself.
constexpr const char* kTake = R"(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local whole = interval * tonumber(ARGV[2])
local stored = tonumber(redis.call('GET', KEYS[1]) or now)
local full_at = math.min(math.max(stored, now), now + whole)
local short = full_at + interval - now - whole
if short <= 0 then full_at = full_at + interval end
if short <= 0 or full_at < stored then
  local life = string.format('%.0f', math.ceil((full_at - now) / 1000))
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', life)
end
return {short <= 0 and 1 or 0, full_at - now, math.max(short, 0)})";

constexpr double kMicrosecond = 1e-6;

// FNV-1a, 64 bits: collisions are for forgers, who could take another's id as it is.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return hash;
}

std::string_view last_hop(const HttpRequest& request) {
  std::string_view hops;
  for (const auto& [name, value] : request.headers) {
    if (strcasecmp(name.c_str(), "X-Forwarded-For") == 0) hops = value;
  }
  if (const auto comma = hops.rfind(','); comma != hops.npos) hops.remove_prefix(comma + 1);
  hops.remove_prefix(std::min(hops.find_first_not_of(" \t"), hops.size()));
  return hops.substr(0, hops.find_last_not_of(" \t") + 1);
}

long long whole_seconds(double time) { return static_cast<long long>(std::ceil(time)); }

}  // namespace

Result<TokenVerdict> take_token(RedisConnection& redis, const std::string& client, const RateLimit& limit) {
  const double interval = 1e6 / limit.per_second;
  // Twice, when the connection had broken, may take two tokens: no harm.
  const auto reply = redis.run_twice_at_most(
      {"EVAL", kTake, "1", "rate:" + client, fmt::format("{:.3f}", interval), fmt::format("{:.3f}", limit.burst)});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 3) return fail(ErrorCode::kDecode, "the token bucket's script must answer 3 numbers");
  TokenVerdict verdict;
  verdict.allowed = reply->items[0].integer == 1;
  verdict.full_after_seconds = static_cast<double>(reply->items[1].integer) * kMicrosecond;
  verdict.retry_after_seconds = static_cast<double>(reply->items[2].integer) * kMicrosecond;
  verdict.remaining = std::max(0.0, limit.burst - verdict.full_after_seconds * limit.per_second);
  return verdict;
}

std::string client_of(const HttpRequest& request) {
  const auto key = [](char kind, std::string_view id) { return fmt::format("{}{:016x}", kind, hash_of(id)); };
  if (const auto id = request.header("X-Client-Id"); !id.empty()) return key('c', id);
  if (const auto id = request.header("X-Session"); !id.empty()) return key('s', id);
  if (const auto id = request.cookie("session"); !id.empty()) return key('s', id);
  if (const auto address = last_hop(request); !address.empty()) return key('a', address);
  return key('a', request.peer);
}

std::vector<std::pair<std::string, std::string>> rate_limit_headers(const TokenVerdict& verdict,
                                                                    const RateLimit& limit) {
  const auto quota = static_cast<long long>(limit.burst);
  const auto remaining = verdict.allowed ? static_cast<long long>(verdict.remaining + 1e-6) : 0;
  const auto reset = whole_seconds(verdict.full_after_seconds);
  std::vector<std::pair<std::string, std::string>> headers = {
      {"RateLimit-Limit", fmt::format("{}", quota)},
      {"RateLimit-Remaining", fmt::format("{}", remaining)},
      {"RateLimit-Reset", fmt::format("{}", reset)},
      {"RateLimit-Policy", fmt::format("\"client\";q={};w={}", quota, whole_seconds(limit.burst / limit.per_second))},
      {"RateLimit", fmt::format("\"client\";r={};t={}", remaining, reset)}};
  if (!verdict.allowed) {
    headers.emplace_back("Retry-After", fmt::format("{}", std::max(1LL, whole_seconds(verdict.retry_after_seconds))));
  }
  return headers;
}

}  // namespace scalableapp::workload
