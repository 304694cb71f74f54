// Whether a chain of queues has lost or doubled a job, id by id. The queues are read in their order, each in one look, so
// a chain at work can be audited: a job that moves on meanwhile is found further down.
//
//   lost        put in, and neither waiting, in work, delayed, done nor buried; or done, and never put into the next
//   duplicated  in two of these places at once
//
// Knows as many jobs of a queue as it remembers (RedisStreamsOptions::ids_kept). For Redis only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/flags.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

struct QueueIds {
  std::string queue;
  std::vector<std::string> put;
  std::vector<std::string> waiting;  // In the stream or delayed.
  std::vector<std::string> done;
  std::vector<std::string> dead;
};
Result<QueueIds> read_queue_ids(RedisConnection& redis, const std::string& queue);

struct QueueAudit {
  std::string queue;
  std::size_t put = 0;
  std::size_t waiting = 0;
  std::size_t done = 0;
  std::size_t dead = 0;
  std::vector<std::string> lost;
  std::vector<std::string> duplicated;
};
struct Audit {
  std::vector<QueueAudit> queues;
  std::optional<std::size_t> accepted;  // Ids in the list of accepted ones.
  std::vector<std::string> never_put;   // Accepted ids that the first queue does not know.

  std::size_t lost() const;
  std::size_t duplicated() const;
  std::string json() const;  // Counts, and the first ids of each list.
};
// Pure. `accepted`: what producers were told is accepted into the first queue.
Audit audit_queues(const std::vector<QueueIds>& queues, const std::optional<std::vector<std::string>>& accepted);

struct AuditOptions {
  std::string redis = "127.0.0.1:6379";
  std::string queues = "jobs";
  std::string accepted_file;
};
FlagSet audit_flags(AuditOptions& options);
// The whole subcommand: prints the report; false if something is lost or doubled.
Result<bool> run_audit(const AuditOptions& options);

}  // namespace scalableapp::workload
