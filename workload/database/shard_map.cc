#include "workload/database/shard_map.h"

#include <fmt/format.h>

#include <set>

namespace scalableapp::workload {
namespace {

// The finaliser of MurmurHash3 (public domain): every bit of the key moves every bit of the result.
std::uint64_t mixed(std::uint64_t bits) {
  bits ^= bits >> 33;
  bits *= 0xff51afd7ed558ccdULL;
  bits ^= bits >> 33;
  bits *= 0xc4ceb9fe1a85ec53ULL;
  bits ^= bits >> 33;
  return bits;
}

// FNV-1a, then mixed: its high bits alone change little with the last letters.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char letter : text) {
    hash ^= static_cast<unsigned char>(letter);
    hash *= 0x100000001b3ULL;
  }
  return mixed(hash);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace

ShardKey::ShardKey(std::int64_t id) : hash_(mixed(static_cast<std::uint64_t>(id))) {}
ShardKey::ShardKey(const std::string& text) : hash_(hash_of(text)) {}

// The key's shard as shards are added one by one: with n + 1 of them it jumps to the last with chance 1 / (n + 1), as a
// generator decides that the key seeds; only the jumps are computed.
std::size_t ShardKey::shard(std::size_t shards) const {
  std::uint64_t seed = hash_;
  std::size_t at = 0;
  for (double next = 0; next < static_cast<double>(shards);) {
    at = static_cast<std::size_t>(next);
    seed = seed * 2862933555777941757ULL + 1;
    const double uniform = static_cast<double>((seed >> 33) + 1) / static_cast<double>(1ULL << 31);
    next = static_cast<double>(at + 1) / uniform;
  }
  return at;
}

Result<std::vector<ShardServers>> parse_shards(const std::string& text) {
  std::vector<ShardServers> shards;
  std::set<std::string> seen;
  for (const auto& shard : split(text, ',')) {
    ShardServers servers;
    const auto names = split(shard, '/');
    for (const auto& name : names) {
      if (name.empty()) {
        return fail(ErrorCode::kInvalid,
                    fmt::format("--shards={}: shard {} lacks a server: must be PRIMARY[/REPLICA...] for each shard, "
                                "apart by commas, such as p0:5432/r0:5432,p1:5432/r1:5432",
                                text, shards.size()));
      }
      auto server = parse_host_port(name, "shards");
      if (!server) return tl::unexpected(server.error());
      if (!seen.insert(name).second) {
        return fail(ErrorCode::kInvalid, fmt::format("--shards={}: {} is there twice: must be a server of its own "
                                                     "for each place",
                                                     text, name));
      }
      if (&name == &names.front()) {
        servers.primary = std::move(*server);
      } else {
        servers.replicas.push_back(std::move(*server));
      }
    }
    shards.push_back(std::move(servers));
  }
  if (shards.size() > kMaxShards) {
    return fail(ErrorCode::kInvalid,
                fmt::format("--shards: {} shards: must be at most {}", shards.size(), kMaxShards));
  }
  return shards;
}

}  // namespace scalableapp::workload
