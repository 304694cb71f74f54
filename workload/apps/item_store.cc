#include "workload/apps/item_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace scalableapp::workload {
namespace {

constexpr std::int64_t kItems = 10'000;
constexpr const char* kTitles = "items:titles";  // Hash: id -> title.

bool exists(std::int64_t id) { return id >= 1 && id <= kItems; }

// As `migrate` seeds them.
Item seeded(std::int64_t id) {
  constexpr std::array kKinds{"clip", "film", "goods"};
  return {id, 1 + id % 1000, kKinds[static_cast<std::size_t>(id % 3)], fmt::format("item {}", id)};
}

class RedisItemStore final : public ItemStore {
 public:
  Result<Item> read(std::int64_t id, const std::string&, RedisConnection& redis) override {
    if (!exists(id)) return fail(ErrorCode::kNotFound, fmt::format("no item {}", id));
    std::vector items{seeded(id)};
    if (auto titled = read_titles(items, redis); !titled) return tl::unexpected(titled.error());
    return items.front();
  }

  Result<std::vector<Item>> newest(const std::string& kind, std::size_t limit, const std::string&,
                                   RedisConnection& redis) override {
    std::vector<Item> items;
    for (auto id = kItems; id >= 1 && items.size() < limit; --id) {
      if (auto item = seeded(id); item.kind == kind) items.push_back(std::move(item));
    }
    if (auto titled = read_titles(items, redis); !titled) return tl::unexpected(titled.error());
    return items;
  }

  Result<std::string> rename(std::int64_t id, const std::string& title, RedisConnection& redis) override {
    if (!exists(id)) return fail(ErrorCode::kNotFound, fmt::format("no item {}", id));
    return redis.run_twice_at_most({"HSET", kTitles, fmt::format("{}", id), title}).map([](const RedisReply&) {
      return std::string();
    });
  }

 private:
  static Result<void> read_titles(std::vector<Item>& items, RedisConnection& redis) {
    RedisConnection::Command command{"HMGET", kTitles};
    for (const auto& item : items) command.push_back(fmt::format("{}", item.id));
    const auto reply = redis.run_twice_at_most(command);
    if (!reply) return tl::unexpected(reply.error());
    for (std::size_t index = 0; index < std::min(items.size(), reply->items.size()); ++index) {
      if (!reply->items[index].is_nil) items[index].title = reply->items[index].text;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<ItemStore> make_redis_item_store() { return std::make_unique<RedisItemStore>(); }

Result<std::int64_t> parse_item_id(const std::string& text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id < 1) {
    return fail(ErrorCode::kInvalid, "item id: must be a whole number from 1 on");
  }
  return id;
}

}  // namespace scalableapp::workload
