// The moves of redis_streams.cc, in Redis' own Lua: each runs whole or not at all. Times are Redis' milliseconds. KEYS[1]
// is always the stream. For redis_streams.cc only.
#pragma once

namespace scalableapp::workload::redis_scripts {

// In front of each script. A packed job is "ATTEMPTS ENQUEUED BYTES_OF_ID IDPAYLOAD".
inline constexpr const char* kCommon = R"(
local stream, group = KEYS[1], 'workers'
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function make_group() redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM') end
local function add(to, id, payload, enqueued, attempts)
  redis.call('XADD', to, '*', 'id', id, 'payload', payload, 'enqueued', enqueued, 'attempts', attempts)
end
local function remember(ids, id, kept)
  if redis.call('ZADD', ids, 'NX', now_ms(), id) == 0 then return false end
  redis.call('ZREMRANGEBYRANK', ids, 0, -kept - 1)
  redis.call('EXPIRE', ids, 86400)
  return true
end
local function move_due(delayed, most)
  for _, packed in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now_ms(), 'LIMIT', 0, most)) do
    local attempts, enqueued, bytes, from = string.match(packed, '^(%d+) (%d+) (%d+) ()')
    add(stream, string.sub(packed, from, from + bytes - 1), string.sub(packed, from + bytes), enqueued, attempts)
    redis.call('ZREM', delayed, packed)
  end
end
-- entry, consumer, idle ms and deliveries of each claim; none where there is no group yet
local function claims(...)
  local found = redis.pcall('XPENDING', stream, group, ...)
  return found.err and {} or found
end
local function take(entry, consumer)
  if #claims(entry, entry, 1, consumer) == 0 then return false end
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
  return true
end
-- Idle for longer than any living consumer's claims: it is the next to be claimed. The try does not count.
local function hand_in(claim)
  redis.call('XCLAIM', stream, group, 'returned', 0, claim[1], 'IDLE', 1000000000, 'RETRYCOUNT', claim[4] - 1, 'JUSTID')
end
local function is_full(of, delayed, most) return redis.call('XLEN', of) + redis.call('ZCARD', delayed) >= most end
)";

// KEYS: stream, delayed, ids. ARGV: id, payload, enqueued, most jobs, ids kept. 1: put in; 0: seen before; -1: full.
inline constexpr const char* kPut = R"(
local id, payload, enqueued, most, kept = unpack(ARGV)
if redis.call('ZSCORE', KEYS[3], id) then return 0 end
if is_full(stream, KEYS[2], tonumber(most)) then return -1 end
remember(KEYS[3], id, kept)
add(stream, id, payload, enqueued, 0)
return 1)";

// KEYS: stream, delayed. ARGV: consumer, dead after ms, 1 if the consumer may hold a job.
// {entry, its fields, deliveries, 1 if a dead consumer held it} or nothing. Finds what XAUTOCLAIM with a count of one can
// miss: that looks at ten claims only, and the first ten may be of the living.
inline constexpr const char* kClaim = R"(
local consumer, dead_after, may_hold = unpack(ARGV)
make_group()
move_due(KEYS[2], 20)
if may_hold == '1' then
  for _, claim in ipairs(claims('-', '+', 10, consumer)) do
    local entry = redis.call('XRANGE', stream, claim[1], claim[1])[1]
    if entry then return {entry[1], entry[2], claim[4], 0} end
    redis.call('XACK', stream, group, claim[1])
  end
end
for _, claim in ipairs(claims('IDLE', dead_after, '-', '+', 1)) do
  local entry = redis.call('XCLAIM', stream, group, consumer, dead_after, claim[1])[1]
  if entry then return {entry[1], entry[2], claim[4] + 1, claim[2] ~= 'returned' and 1 or 0} end
end
local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
if not read then return false end
local entry = read[1][2][1]
return {entry[1], entry[2], 1, 0})";

// The following: ARGV[1] entry, ARGV[2] consumer. 1: carried out; 0: the job is not the consumer's any more.

// KEYS: stream, done ids, finished[, the next stage's stream, delayed, ids].
// ARGV: ..., id, ids kept[, payload, enqueued, most jobs of the next]. -1: the next stage is full, nothing was done.
inline constexpr const char* kDone = R"(
local entry, consumer, id, kept, payload, enqueued, most = unpack(ARGV)
if #KEYS > 3 and is_full(KEYS[4], KEYS[5], tonumber(most)) then return -1 end
if not take(entry, consumer) then return 0 end
redis.call('INCR', KEYS[3])
if not remember(KEYS[2], id, kept) then return 0 end
if #KEYS > 3 and remember(KEYS[6], id, kept) then add(KEYS[4], id, payload, enqueued, 0) end
return 1)";

// KEYS: stream, delayed. ARGV: ..., delay in ms, packed job.
inline constexpr const char* kRetryLater = R"(
if not take(ARGV[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[2], now_ms() + ARGV[3], ARGV[4])
return 1)";

// KEYS: stream, dead letters, dead ids, finished. ARGV: ..., id, ids kept, payload, enqueued, attempts, why, most letters.
inline constexpr const char* kBury = R"(
local entry, consumer, id, kept, payload, enqueued, attempts, why, most = unpack(ARGV)
if not take(entry, consumer) then return 0 end
redis.call('INCR', KEYS[4])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', most, '*', 'id', id, 'payload', payload, 'enqueued', enqueued,
           'attempts', attempts, 'why', why)
remember(KEYS[3], id, kept)
return 1)";

// KEYS: stream. ARGV: entry, consumer.
inline constexpr const char* kGiveBack = R"(
local claim = claims(ARGV[1], ARGV[1], 1, ARGV[2])[1]
if not claim then return 0 end
hand_in(claim)
return 1)";

// KEYS: stream. ARGV: consumer.
inline constexpr const char* kRenew = R"(
for _, claim in ipairs(claims('-', '+', 16, ARGV[1])) do
  redis.call('XCLAIM', stream, group, ARGV[1], 0, claim[1], 'JUSTID')
end
return 1)";

// KEYS: stream. ARGV: consumer. Deleting a consumer forgets its claims: only one without any may go.
inline constexpr const char* kLeave = R"(
for _, claim in ipairs(claims('-', '+', 100, ARGV[1])) do hand_in(claim) end
if #claims('-', '+', 1, ARGV[1]) == 0 then redis.pcall('XGROUP', 'DELCONSUMER', stream, group, ARGV[1]) end
return 1)";

// KEYS: stream, delayed. ARGV: ms of silence after which a consumer without claims is forgotten.
inline constexpr const char* kKeepUp = R"(
make_group()
move_due(KEYS[2], 500)
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local about = {}
  for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
  if about.pending == 0 and about.idle > tonumber(ARGV[1]) then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, about.name)
  end
end
return 1)";

// KEYS: stream, delayed, finished. ARGV: dead after ms. {waiting, in work, delayed, finished, oldest age in ms}.
// The age is by the entry's own time, when the job joined this line: a job that failed and came back is not old.
inline constexpr const char* kBacklog = R"(
local now, claimed, last, age = now_ms(), 0, '0-0', 0
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then groups = {} end
for _, one in ipairs(groups) do
  local about = {}
  for i = 1, #one, 2 do about[one[i]] = one[i + 1] end
  if about.name == group then claimed, last = about.pending, about['last-delivered-id'] end
end
local head = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)[1]
if head then age = math.max(0, now - string.match(head[1], '^%d+')) end
local stranded = claims('IDLE', ARGV[1], '-', '+', 1000)
for _, claim in ipairs(stranded) do
  if claim[2] ~= 'returned' then age = math.max(age, claim[3]) end
end
local due = redis.call('ZCOUNT', KEYS[2], '-inf', now)
return {redis.call('XLEN', stream) - claimed + #stranded + due, claimed - #stranded,
        redis.call('ZCARD', KEYS[2]) - due, tonumber(redis.call('GET', KEYS[3]) or 0), age})";

}  // namespace scalableapp::workload::redis_scripts
