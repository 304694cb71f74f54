// Items as the families of routes read them: through the cache, as JSON, with writes that invalidate. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "workload/apps/item_store.h"
#include "workload/apps/parts.h"

namespace scalableapp::workload {

class Catalogue {
 public:
  explicit Catalogue(const AppParts& parts);

  // {"id": ..., "author": ..., "kind": ..., "title": ...} as text, the same in every pod.
  Result<std::string> item(std::int64_t id, RedisConnection& redis);
  // An array of the hundred newest.
  Result<nlohmann::json> newest(const std::string& kind, RedisConnection& redis);
  // The item as it is now. kUnavailable also when it was written and the cache could not be told: readers may see the
  // old title until its TTL, unless the same is written again, which its caller should try.
  Result<std::string> rename(std::int64_t id, const std::string& title, RedisConnection& redis);

 private:
  Cache* const cache_;
  const std::unique_ptr<ItemStore> store_;
};

}  // namespace scalableapp::workload
