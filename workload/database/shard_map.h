// Which shard a key belongs to. Pure; any thread.
//
// By jump consistent hash (Lamping and Veach, 2014, "A Fast, Minimal Memory, Consistent Hash Algorithm") over the mixed
// bits of the key, not by ranges of ids: ids are handed out in order and new users are the busiest, so a range would
// put today's load on the last shard, and its borders would be state that every pod must agree on. The hash spreads
// evenly over any count of shards and needs no table; one more shard takes an equal part of the keys from each and
// moves no other. What ranges are better at, reading neighbouring ids together, no story here needs. Nothing moves the
// rows: the count of shards is fixed from `migrate` on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

// A user's id for all that is a user's (orders too: then one shard answers for them), the id of a restaurant or of an
// item for what is not.
class ShardKey {
 public:
  ShardKey(std::int64_t id);
  ShardKey(const std::string& text);

  // From 0; the same in every process and on every machine. `shards` is at least 1.
  std::size_t shard(std::size_t shards) const;

 private:
  std::uint64_t hash_;
};

struct ShardServers {
  HostPort primary;
  std::vector<HostPort> replicas;
};

inline constexpr std::size_t kMaxShards = 64;

// "p0:5432/r0:5432,p1:5432/r1:5432": shards apart by commas, in an order that must never change; of each the primary
// and then its replicas, apart by slashes. kInvalid says which part is wrong and what it should be.
Result<std::vector<ShardServers>> parse_shards(const std::string& text);

}  // namespace scalableapp::workload
