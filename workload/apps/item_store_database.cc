#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "workload/apps/item_store.h"
#include "workload/database/database.h"

namespace scalableapp::workload {
namespace {

void read_number(const Value& text, std::int64_t& number) {
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
}

// Columns: id, author_id, kind, title; the schema allows no nulls in them.
Item to_item(const std::vector<Value>& row) {
  Item item{.kind = row[2].value_or(""), .title = row[3].value_or("")};
  read_number(row[0], item.id);
  read_number(row[1], item.author);
  return item;
}

class DatabaseItemStore final : public ItemStore {
 public:
  explicit DatabaseItemStore(Database& database) : database_(database) {}

  Result<Item> read(std::int64_t id, const std::string& version, RedisConnection&) override {
    const auto after = ReadAfter::parse(version);
    if (!after) return tl::unexpected(after.error());
    const auto found = database_.read(id, "select id, author_id, kind, title from items where id = $1",
                                      {fmt::format("{}", id)}, *after);
    if (!found) return tl::unexpected(found.error());
    if (found->rows.empty()) return fail(ErrorCode::kNotFound, fmt::format("no item {}", id));
    return to_item(found->rows.values.front());
  }

  Result<std::vector<Item>> newest(const std::string& kind, std::size_t limit, const std::string& version,
                                   RedisConnection&) override {
    const auto after = ReadAfter::parse(version);
    if (!after) return tl::unexpected(after.error());
    std::vector<std::pair<std::string, Item>> found;  // With the time of creation, in one format that sorts.
    std::size_t shards_down = 0;
    for (std::size_t shard = 0; shard < database_.shards(); ++shard) {
      const auto answer = database_.read_shard(
          shard,
          "select id, author_id, kind, title, to_char(created at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
          " from items where kind = $1 order by created desc limit $2",
          {kind, fmt::format("{}", limit)}, *after);
      if (!answer) {
        if (++shards_down == database_.shards()) return tl::unexpected(answer.error());
        continue;
      }
      for (const auto& row : answer->rows.values) found.emplace_back(row[4].value_or(""), to_item(row));
    }
    std::sort(found.begin(), found.end(), [](const auto& left, const auto& right) { return left.first > right.first; });
    std::vector<Item> items;
    for (auto& [created, item] : found) {
      if (items.size() < limit) items.push_back(std::move(item));
    }
    return items;
  }

  Result<std::string> rename(std::int64_t id, const std::string& title, RedisConnection&) override {
    const auto done =
        database_.write(id, "update items set title = $2 where id = $1", {fmt::format("{}", id), title});
    if (!done) return tl::unexpected(done.error());
    if (done->rows.affected == 0) return fail(ErrorCode::kNotFound, fmt::format("no item {}", id));
    return done->read_after.text();
  }

 private:
  Database& database_;
};

}  // namespace

std::unique_ptr<ItemStore> make_database_item_store(Database& database) {
  return std::make_unique<DatabaseItemStore>(database);
}

}  // namespace scalableapp::workload
