// Where items (clips, films, goods) truly are: the database's table `items`, or without a database Redis, where each of
// the ids that `migrate` would seed exists and a hash holds the titles that were changed. No caching here: that is what
// stands in front (catalogue.h). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workload/common/redis.h"

namespace scalableapp::workload {

struct Item {
  std::int64_t id = 0;
  std::int64_t author = 0;
  std::string kind;  // "clip", "film" or "goods".
  std::string title;
};

class ItemStore {
 public:
  virtual ~ItemStore() = default;

  // kNotFound when there is none. `version`: what rename() gave; nothing older is read. Empty: any.
  virtual Result<Item> read(std::int64_t id, const std::string& version, RedisConnection& redis) = 0;
  // Newest first, at most `limit` of them. A shard that is down leaves its items out; all of them down is an error.
  virtual Result<std::vector<Item>> newest(const std::string& kind, std::size_t limit, const std::string& version,
                                           RedisConnection& redis) = 0;
  // Returns the version from which on the new title is read.
  virtual Result<std::string> rename(std::int64_t id, const std::string& title, RedisConnection& redis) = 0;
};

std::unique_ptr<ItemStore> make_redis_item_store();

// "17"; kInvalid, with what it should be, on other text.
Result<std::int64_t> parse_item_id(const std::string& text);

}  // namespace scalableapp::workload
