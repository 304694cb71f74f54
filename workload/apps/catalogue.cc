#include "workload/apps/catalogue.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "workload/cache/cache.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr std::size_t kNewest = 100;

json to_json(const Item& item) {
  return {{"id", item.id}, {"author", item.author}, {"kind", item.kind}, {"title", item.title}};
}

std::string to_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string item_key(std::int64_t id) { return fmt::format("item:{}", id); }
std::string newest_key(const std::string& kind) { return "newest:" + kind; }

Result<std::string> through(Cache* cache, const std::string& key, RedisConnection& redis,
                            const Cache::LoadAfter& load) {
  return cache == nullptr ? load({}) : cache->get(key, redis, load);
}

}  // namespace

Catalogue::Catalogue(const AppParts& parts) : cache_(parts.cache), store_(make_redis_item_store()) {}

Result<std::string> Catalogue::item(std::int64_t id, RedisConnection& redis) {
  return through(cache_, item_key(id), redis, [&](const std::string& version) {
    return store_->read(id, version, redis).map([](const Item& item) { return to_text(to_json(item)); });
  });
}

Result<json> Catalogue::newest(const std::string& kind, RedisConnection& redis) {
  const auto text = through(cache_, newest_key(kind), redis, [&](const std::string& version) {
    return store_->newest(kind, kNewest, version, redis).map([](const std::vector<Item>& items) {
      auto array = json::array();
      for (const auto& item : items) array.push_back(to_json(item));
      return to_text(array);
    });
  });
  if (!text) return tl::unexpected(text.error());
  auto array = json::parse(*text, nullptr, false);
  if (!array.is_array()) return fail(ErrorCode::kInternal, newest_key(kind) + ": what the cache has is no JSON array");
  return array;
}

Result<std::string> Catalogue::rename(std::int64_t id, const std::string& title, RedisConnection& redis) {
  const auto version = store_->rename(id, title, redis);
  if (!version) return tl::unexpected(version.error());
  const auto item = store_->read(id, *version, redis);
  if (!item) return tl::unexpected(item.error());
  if (cache_ != nullptr) {
    for (const auto& key : {item_key(id), newest_key(item->kind)}) {
      if (auto told = cache_->invalidate(key, redis, *version); !told) {
        return fail(ErrorCode::kUnavailable, "written, but not seen by all readers yet; send it again");
      }
    }
  }
  return to_text(to_json(*item));
}

}  // namespace scalableapp::workload
