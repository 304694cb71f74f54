#include "workload/database/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "workload/database/shard.h"

namespace scalableapp::workload {
namespace {

class ShardedDatabase final : public Database {
 public:
  ShardedDatabase(const std::vector<ShardServers>& servers, const DatabaseOptions& options,
                  prometheus::Registry& registry) {
    for (const auto& shard : servers) {
      shards_.push_back(std::make_unique<Shard>(shards_.size(), shard, options, registry));
    }
  }

  Result<ReadAnswer> read(ShardKey key, const std::string& sql, const Parameters& parameters,
                          const ReadAfter& after) override {
    return read_shard(key.shard(shards_.size()), sql, parameters, after);
  }

  Result<WriteAnswer> write(ShardKey key, const std::string& sql, const Parameters& parameters) override {
    return shards_[key.shard(shards_.size())]->write({sql, parameters});
  }

  Result<ReadAnswer> read_shard(std::size_t shard, const std::string& sql, const Parameters& parameters,
                                const ReadAfter& after) override {
    return shards_.at(shard)->read({sql, parameters}, after);
  }

  std::size_t shards() const override { return shards_.size(); }

  std::string why_not_ready() const override {
    const auto is_down = [](const auto& shard) { return shard->is_down(); };
    return std::all_of(shards_.begin(), shards_.end(), is_down) ? "no database server answers" : "";
  }

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace

std::string ReadAnswer::served_by() const {
  return fmt::format("shard-{}/{}", shard, role == DatabaseRole::kReplica ? "replica" : "primary");
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options, prometheus::Registry& registry) {
  const auto servers = parse_shards(options.shards);
  if (!servers) return tl::unexpected(servers.error());
  return std::make_unique<ShardedDatabase>(*servers, options, registry);
}

}  // namespace scalableapp::workload
