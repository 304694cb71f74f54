#include "workload/jobs/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kIdsShown = 20;
constexpr std::size_t kMaxAccepted = 10'000'000;
constexpr seconds kCommandTimeout{30};

// KEYS: stream, delayed, ids, done ids, dead ids. Ids without their payloads.
constexpr const char* kSnapshot = R"(
local waiting, from = {}, '-'
while true do
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 500)
  for _, entry in ipairs(entries) do
    local id = entry[1]
    for i = 1, #entry[2], 2 do if entry[2][i] == 'id' then id = entry[2][i + 1] end end
    waiting[#waiting + 1] = id
  end
  if #entries == 0 then break end
  from = '(' .. entries[#entries][1]
end
for _, packed in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local bytes, from = string.match(packed, '^%d+ %d+ (%d+) ()')
  waiting[#waiting + 1] = string.sub(packed, from, from + bytes - 1)
end
return {waiting, redis.call('ZRANGE', KEYS[3], 0, -1), redis.call('ZRANGE', KEYS[4], 0, -1),
        redis.call('ZRANGE', KEYS[5], 0, -1)})";

std::vector<std::string> texts(const RedisReply& reply) {
  std::vector<std::string> values;
  values.reserve(reply.items.size());
  for (const auto& item : reply.items) values.push_back(item.text);
  return values;
}

nlohmann::json shown(const std::vector<std::string>& ids) {
  return std::vector(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), kIdsShown)));
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= list.size();) {
    const auto comma = std::min(list.find(',', from), list.size());
    parts.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

// One id a line.
Result<std::vector<std::string>> read_accepted(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::kInvalid, fmt::format("--accepted={}: cannot be read", path));
  std::vector<std::string> ids;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (ids.size() == kMaxAccepted) {
      return fail(ErrorCode::kInvalid, fmt::format("--accepted={}: must have at most {} ids", path, kMaxAccepted));
    }
    ids.push_back(std::move(line));
  }
  if (file.bad()) return fail(ErrorCode::kInvalid, fmt::format("--accepted={}: cannot be read to its end", path));
  return ids;
}

QueueAudit audit_queue(const QueueIds& ids, const QueueIds* next) {
  QueueAudit audit{ids.queue, ids.put.size(), ids.waiting.size(), ids.done.size(), ids.dead.size(), {}, {}};
  std::unordered_map<std::string_view, int> places;
  for (const auto* place : {&ids.waiting, &ids.done, &ids.dead}) {
    for (const auto& id : *place) {
      if (++places[id] == 2) audit.duplicated.push_back(id);
    }
  }
  for (const auto& id : ids.put) {
    if (!places.contains(id)) audit.lost.push_back(id);
  }
  if (next != nullptr) {
    const std::unordered_set<std::string_view> arrived(next->put.begin(), next->put.end());
    for (const auto& id : ids.done) {
      if (!arrived.contains(id)) audit.lost.push_back(id);
    }
  }
  return audit;
}

}  // namespace

Result<QueueIds> read_queue_ids(RedisConnection& redis, const std::string& queue) {
  const auto reply = redis.run_twice_at_most({"EVAL", kSnapshot, "5", queue, queue + ":delayed", queue + ":ids",
                                              queue + ":done-ids", queue + ":dead-ids"});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->items.size() != 4) return fail(ErrorCode::kDecode, "redis: the script for the ids gave no four lists");
  return QueueIds{queue, texts(reply->items[1]), texts(reply->items[0]), texts(reply->items[2]), texts(reply->items[3])};
}

std::size_t Audit::lost() const {
  std::size_t count = never_put.size();
  for (const auto& queue : queues) count += queue.lost.size();
  return count;
}

std::size_t Audit::duplicated() const {
  std::size_t count = 0;
  for (const auto& queue : queues) count += queue.duplicated.size();
  return count;
}

std::string Audit::json() const {
  nlohmann::ordered_json report = {{"lost", lost()}, {"duplicated", duplicated()}};
  if (accepted) {
    report["accepted"] = *accepted;
    report["neverPut"] = never_put.size();
    report["neverPutIds"] = shown(never_put);
  }
  for (const auto& queue : queues) {
    report["queues"].push_back({{"queue", queue.queue},
                                {"put", queue.put},
                                {"waiting", queue.waiting},
                                {"done", queue.done},
                                {"dead", queue.dead},
                                {"lost", queue.lost.size()},
                                {"lostIds", shown(queue.lost)},
                                {"duplicated", queue.duplicated.size()},
                                {"duplicatedIds", shown(queue.duplicated)}});
  }
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Audit audit_queues(const std::vector<QueueIds>& queues, const std::optional<std::vector<std::string>>& accepted) {
  Audit audit;
  for (std::size_t index = 0; index < queues.size(); ++index) {
    audit.queues.push_back(audit_queue(queues[index], index + 1 < queues.size() ? &queues[index + 1] : nullptr));
  }
  if (accepted && !queues.empty()) {
    audit.accepted = accepted->size();
    const std::unordered_set<std::string_view> put(queues[0].put.begin(), queues[0].put.end());
    for (const auto& id : *accepted) {
      if (!put.contains(id)) audit.never_put.push_back(id);
    }
  }
  return audit;
}

FlagSet audit_flags(AuditOptions& options) {
  FlagSet flags;
  flags.text(options.redis, "redis", "Where Redis is, HOST:PORT.");
  flags.text(options.queues, "queue", "Queues of one chain in its order, A,B,C: what is done in A went to B.");
  flags.text(options.accepted_file, "accepted", "File with the ids that producers were told are accepted, one a line.");
  return flags;
}

Result<bool> run_audit(const AuditOptions& options) {
  const auto server = parse_host_port(options.redis, "redis");
  if (!server) return tl::unexpected(server.error());
  const auto names = split(options.queues);
  if (std::ranges::find(names, "") != names.end()) {
    return fail(ErrorCode::kInvalid, fmt::format("--queue={}: must be names, A,B,C", options.queues));
  }
  std::optional<std::vector<std::string>> accepted;
  if (!options.accepted_file.empty()) {
    auto ids = read_accepted(options.accepted_file);
    if (!ids) return tl::unexpected(ids.error());
    accepted = std::move(*ids);
  }
  RedisConnection redis({.server = *server, .connect_timeout = seconds(5), .command_timeout = kCommandTimeout});
  std::vector<QueueIds> queues;
  for (const auto& queue : names) {
    auto ids = read_queue_ids(redis, queue);
    if (!ids) return tl::unexpected(ids.error());
    queues.push_back(std::move(*ids));
  }
  const auto audit = audit_queues(queues, accepted);
  fmt::print("{}\n", audit.json());
  return audit.lost() == 0 && audit.duplicated() == 0;
}

}  // namespace scalableapp::workload
